"""Arms of real runs on fake engines: what each one contains, and which input is refused."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from staragents.base.errors import BadInput
from staragents.base.messages import as_dicts
from staragents.base.records import Candidate
from staragents.config import ColumnsConfig
from staragents.evaluation.arm import Arm
from staragents.evaluation.arms import Arms, arms_of
from staragents.evaluation.length_match import length_matched
from staragents.evaluation.run_folders import named_runs
from staragents.run_directory.manifest import RESULTS
from staragents.run_directory.run_directory import RunDirectory
from staragents.text.words import words
from staragents.validation.loading import load_config
from tests.support.local_run import drained_run, local_run
from tests.support.paths import FAKE

ALL = ["dataset", "seeds", "random", "random-length", "judge", "ifd", "base"]


def by_name(found: Arms) -> dict[str, Arm]:
    return {arm.name: arm for arm in found.arms}


def candidates_of(run: Path) -> dict[str, list[Candidate]]:
    return {candidates[0].seed_id: candidates for candidates in RunDirectory(run).seeds()}


def run_with(folder: Path, *overrides: str) -> Path:
    asyncio.run(local_run(load_config(FAKE, [f"output.dir={folder}", "seeds.limit=8", *overrides])))
    return folder


def test_every_arm_has_the_same_seeds_and_rows_from_its_own_candidates(finished_run: Path) -> None:
    found = arms_of([finished_run], ALL, by_pair=True)
    candidates = candidates_of(finished_run)
    assert [arm.name for arm in found.arms[: len(ALL)]] == ALL
    orders = {tuple(row.seed_id for row in arm.rows) for arm in found.arms}
    assert len(orders) == 1
    assert found.seeds == len(next(iter(orders))) > 30
    for arm in found.arms:
        for row in arm.rows:
            seed = candidates[row.seed_id][0].seed_messages
            generated = [one.messages for one in candidates[row.seed_id] if one.generated]
            if row.filled:
                assert row.messages == seed
            # Only the dataset has rows of its own that are the seed.
            own = {"seeds": [seed], "dataset": [*generated, seed]}.get(arm.name, generated)
            assert row.filled or row.messages in own
    filled = {arm.name: arm.filled for arm in found.arms}
    nothing = sum(not any(one.generated for one in candidates[row.seed_id]) for row in found.arms[0].rows)
    assert filled["seeds"] == 0
    assert filled["random"] == filled["random-length"] == nothing


def test_arms_of_pairs_come_with_the_seeds_that_they_are_compared_with(finished_run: Path) -> None:
    added = arms_of([finished_run], ["dataset"], by_pair=True)
    asked = arms_of([finished_run], ["dataset", "seeds"], by_pair=True)
    assert [arm.name for arm in added.arms[:2]] == ["dataset", "seeds"]
    assert added == asked
    assert "seeds" not in by_name(arms_of([finished_run], ["dataset"]))


def test_the_dataset_arm_is_the_dataset(finished_run: Path) -> None:
    arm = by_name(arms_of([finished_run], ["dataset"]))["dataset"]
    lines = [json.loads(line) for line in (finished_run / "dataset.jsonl").read_text().splitlines()]
    assert [(row.seed_id, as_dicts(row.messages)) for row in arm.rows if not row.filled] == [
        (line["seed_id"], line["messages"]) for line in lines
    ]


def test_judge_ifd_base_and_pair_take_what_their_names_say(finished_run: Path) -> None:
    pair = Counter(one.pair for seed in candidates_of(finished_run).values() for one in seed).most_common(1)[
        0
    ][0]
    found = by_name(arms_of([finished_run], ["judge", "ifd", "base", f"pair:{pair}"]))
    for seed_id, candidates in candidates_of(finished_run).items():
        generated = [one for one in candidates if one.generated]
        rows = {name: next(row for row in arm.rows if row.seed_id == seed_id) for name, arm in found.items()}
        wins = {one.messages: one.judge_win for one in generated if one.judge_win is not None}
        if wins:
            assert wins[rows["judge"].messages] == max(wins.values())
        below = {
            one.messages: one.target_ifd
            for one in generated
            if one.target_ifd is not None and one.target_ifd < 1
        }
        if below:
            assert below[rows["ifd"].messages] == max(below.values())
        else:
            assert rows["ifd"].filled
        for name, matches in (("base", lambda one: one.base), (f"pair:{pair}", lambda one: one.pair == pair)):
            own = [one.messages for one in generated if matches(one)]
            assert rows[name].messages in own if own else rows[name].filled


def test_arms_with_the_same_rows_are_trained_once_and_named(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    pair = load_config(run / "config.yaml", []).agents.base_pairs[0]
    path = tmp_path / "mine.jsonl"
    shutil.copy(run / "dataset.jsonl", path)
    found = arms_of([run], ["dataset", "seeds", "random", "base", f"pair:{pair}"], {"mine": path})
    assert found.same == {f"pair:{pair}": "base", "mine": "dataset"}
    assert [arm.name for arm in found.distinct] == ["dataset", "seeds", "random", "base"]
    assert found.compared == 3
    assert found.warnings[-2:] == (
        f"pair:{pair} has the same rows as base, so both have the same students",
        "mine has the same rows as dataset, so both have the same students",
    )


def test_random_choices_depend_on_the_seed_and_its_id_only(finished_run: Path) -> None:
    alone = by_name(arms_of([finished_run], ["random"], seed=3))["random"]
    among = by_name(arms_of([finished_run], ALL, seed=3))["random"]
    other = by_name(arms_of([finished_run], ["random"], seed=4))["random"]
    assert alone == among
    assert alone.rows != other.rows


def test_lengths_of_random_choices_follow_the_wanted_distribution() -> None:
    rng = np.random.default_rng(5)
    lengths = [list(map(int, rng.lognormal(5, 0.8, 4))) for _ in range(2000)]
    targets = [max(one) if rng.random() < 0.5 else one[0] for one in lengths]
    draws = list(rng.random(2000))
    chosen = np.array(
        [one[i] for one, i in zip(lengths, length_matched(lengths, targets, draws), strict=True)]
    )
    unmatched = np.array([one[0] for one in lengths])
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        wanted = np.quantile(targets, share)
        assert np.quantile(chosen, share) == pytest.approx(wanted, rel=0.08)
    assert unmatched.mean() < 0.8 * np.mean(targets)
    assert chosen.mean() == pytest.approx(np.mean(targets), rel=0.05)


def test_a_matched_choice_does_not_prefer_an_option_of_equal_length() -> None:
    chosen = length_matched([[7, 7, 7, 7]] * 4000, [7] * 10, list(np.random.default_rng(0).random(4000)))
    assert all(900 < count < 1100 for count in Counter(chosen).values())


def test_filters_bind_the_candidates_of_every_arm(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run", "filters.length=drop", "filters.max_words=30")
    found = arms_of([run], ALL, by_pair=True)
    reached = len(candidates_of(run))
    assert 0 < found.seeds < reached
    assert f"{reached - found.seeds} seeds are in no arm" in found.warnings[0]
    for arm in found.arms:
        own = [row for row in arm.rows if not row.filled]
        assert own, arm.name
        # The arm of seeds has them unchanged, as every filled row.
        longest = max(len(words(row.messages[-1].content)) for row in own)
        assert longest <= 30 or arm.name == "seeds", arm.name


def test_several_runs_have_arms_of_their_own_and_one_arm_of_seeds(tmp_path: Path) -> None:
    first = run_with(tmp_path / "a" / "run")
    second = run_with(tmp_path / "b" / "run", "evolution.policy=uniform", "memory.enabled=false")
    found = arms_of([first, second], ["dataset", "seeds"])
    assert [arm.name for arm in found.arms] == ["a/run:dataset", "b/run:dataset", "seeds"]
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "compare.json").write_text(
        json.dumps({"rows": [{"name": "full"}, {"name": "mine"}]})
    )
    shutil.copytree(first, tmp_path / "both" / "full")
    shutil.copytree(second, tmp_path / "both" / "mine")
    compared = arms_of([tmp_path / "both"], ["dataset"])
    assert [arm.name for arm in compared.arms] == ["full:dataset", "mine:dataset"]
    assert [arm.rows for arm in compared.arms] == [arm.rows for arm in found.arms[:2]]


def test_a_file_is_matched_by_its_seed_ids(finished_run: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (finished_run / "dataset.jsonl").read_text().splitlines()]
    turns = [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": "Teal."}]
    rows = [
        {"seed_id": lines[5]["seed_id"], "messages": turns},
        {"seed_id": "x", "messages": [*turns[:1], {"role": "assistant", "content": "Red."}]},
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = arms_of([finished_run], ["seeds"], {"mine": path})
    arm = by_name(found)["mine"]
    assert arm.filled == len(arm.rows) - 1
    assert [as_dicts(row.messages) for row in arm.rows if not row.filled] == [turns]
    assert "1 rows of mine belong to no seed" in found.warnings[-1]
    path.write_text(json.dumps({"messages": turns}) + "\n")
    as_they_are = arms_of([finished_run], ["seeds"], {"mine": path})
    assert [as_dicts(row.messages) for row in by_name(as_they_are)["mine"].rows] == [turns]
    assert "name no seeds" in as_they_are.warnings[-1]


def refused(*arguments: object, **more: object) -> str:
    with pytest.raises(BadInput) as raised:
        arms_of(*arguments, **more)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_bad_input_is_one_line(finished_run: Path, tmp_path: Path) -> None:
    assert "did you mean dataset?" in refused([finished_run], ["datasett"])
    assert "evaluation.arms[1]: expected each arm once" in refused([finished_run], ["seeds", "seeds"])
    assert "expected a pair of" in refused([finished_run], ["pair:nobody+nothing"])
    assert "twice" in refused([finished_run, finished_run], ["seeds"])
    assert "no summary.json" in refused([tmp_path], ["seeds"])
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"messages": [{"role": "user", "content": "a"}]}\n')
    assert refused([finished_run], ["seeds"], {"bad": bad}).startswith(f"{bad}:1:messages")
    bad.write_text("")
    assert "--arm bad" in refused([finished_run], ["seeds"], {"bad": bad})
    assert "at least one run" in refused([], ["seeds"])


@pytest.mark.parametrize("name", ["untrained", "seeds", "random", "dataset", "pair:x", "run:dataset"])
def test_a_file_may_not_take_the_name_of_another_arm(finished_run: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"instruction": "Name a colour.", "output": "Teal."}\n')
    problem = refused([finished_run], ["seeds"], {name: path})
    assert problem.startswith("--arm: expected a name without a colon and none of untrained, seeds, ")
    assert problem.endswith(f"got '{name}'")


def test_a_run_is_the_same_however_its_path_is_written(finished_run: Path, tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to(finished_run)
    around = finished_run / ".." / finished_run.name
    for other in (link, around):
        assert f"expected different runs, got {other} twice, as {finished_run} too" in refused(
            [finished_run, other], ["seeds"]
        )
    assert list(named_runs([link])) == ["latest"]
    assert list(named_runs([around])) == [finished_run.name]


def test_a_long_row_of_a_file_is_taken_as_the_run_took_it(finished_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"instruction": "Name colours.", "output": "Teal. " * 20_000}) + "\n")
    arm = by_name(arms_of([finished_run], ["seeds"], {"mine": path}))["mine"]
    assert len(arm.rows[0].messages[-1].content) > 100_000


def test_a_seed_that_two_files_of_a_folder_have_is_refused(finished_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    row = {"seed_id": "a", "instruction": "Name a colour.", "output": "Teal."}
    first, second = folder / "1.jsonl", folder / "2.jsonl"
    for path in (first, second):
        path.write_text(json.dumps(row) + "\n")
    expected = f"{second}:1:seed_id: expected one row per seed, {first}:1 has the same"
    assert refused([finished_run], ["seeds"], {"mine": folder}) == expected
    first.write_text(f"{json.dumps(row)}\n" * 2)
    assert refused([finished_run], ["seeds"], {"mine": first}).endswith("per seed, row 1 has the same")


def test_how_a_file_was_read_is_said_without_settings_that_evaluate_lacks(
    finished_run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    lines = ["question,facts,answer", *(f"Où est {n}?,Le café est là {n}.,Là-bas {n}." for n in range(40))]
    path.write_bytes("\n".join(lines).encode("cp1252"))
    found = arms_of([finished_run], ["seeds"], {"mine": path})
    assert found.warnings[0] == (
        f"{path}: not UTF-8; read as cp1252, a guess (if it is another, save it as UTF-8)"
    )
    assert found.warnings[1] == (
        f"{path}: not read: facts (--columns input=... names one that belongs to the instruction)"
    )
    named = arms_of([finished_run], ["seeds"], {"mine": path}, columns=ColumnsConfig(input="facts"))
    assert by_name(named)["mine"].rows[0].messages[0].content == "Où est 0?\n\nLe café est là 0."
    assert not any("not read" in line for line in named.warnings)
    path.write_text("ask,say\nHow?,So.\n")
    assert "--columns instruction=..." in refused([finished_run], ["seeds"], {"mine": path})
    columns = ColumnsConfig(instruction="ask", response="say")
    assert arms_of([finished_run], ["seeds"], {"mine": path}, columns=columns)


def test_an_unfinished_or_damaged_run_is_refused(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    (run / "manifest.json").unlink()
    assert "no complete results yet" in refused([run], ["seeds"])
    shutil.rmtree(run)
    shutil.copytree(finished_run, run)
    data = bytearray((run / "dataset.parquet").read_bytes())
    data[len(data) // 2] ^= 255
    (run / "dataset.parquet").write_bytes(data)
    assert "dataset.parquet: its content has changed" in refused([run], ["seeds"])
    shutil.rmtree(run)
    shutil.copytree(finished_run, run)
    shard = next((run / "candidates").glob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:100])
    assert "candidates: damaged" in refused([run], ["seeds"])


def stopped_and_resumed(folder: Path, seeds: int, *overrides: str) -> tuple[Path, Path]:
    """A run that was stopped after some seeds, and the same one killed later, before it wrote new results."""
    config = load_config(FAKE, [f"output.dir={folder / 'run'}", "seeds.limit=24", *overrides])
    run, stopped = folder / "run", folder / "stopped" / "run"
    asyncio.run(drained_run(config, seeds))
    shutil.copytree(run, stopped)
    asyncio.run(local_run(config))
    for name in ("manifest.json", *RESULTS):
        shutil.copy(stopped / name, run / name)
    return stopped, run


@pytest.mark.parametrize("fallback", ["seed", "none"])
def test_a_run_that_was_resumed_has_the_arms_of_its_results(tmp_path: Path, fallback: str) -> None:
    stopped, resumed = stopped_and_resumed(tmp_path, 8, f"reward.fallback={fallback}")
    assert len(candidates_of(resumed)) == 24 > len(candidates_of(stopped))
    before, after = (arms_of([run], ALL, by_pair=True) for run in (stopped, resumed))
    assert (after.arms, after.pairs, after.results) == (before.arms, before.pairs, before.results)
    later = 24 - len(candidates_of(stopped))
    (more,) = [one for one in after.warnings if one not in before.warnings]
    assert f"run has done {later} seeds since its results were written" in more


def test_runs_of_other_seeds_and_an_arm_without_rows_are_refused(finished_run: Path, tmp_path: Path) -> None:
    other = run_with(tmp_path / "other")
    assert "runs of the same seeds" in refused([finished_run, other], ["seeds"])
    few = run_with(tmp_path / "few", "seeds.limit=1")
    pairs = load_config(few / "config.yaml", []).pairs
    drawn = {one.pair for seed in candidates_of(few).values() for one in seed if one.generated}
    unused = [pair for pair in pairs if pair not in drawn]
    assert unused
    assert "no seed has one" in refused([few], [f"pair:{unused[0]}"])
    found = arms_of([few], ["seeds"], by_pair=True)
    assert sum("has no candidate to train on" in one for one in found.warnings) == len(unused)
    assert {name.removeprefix("pair:") for name in found.pairs} == drawn
