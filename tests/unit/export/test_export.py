"""`staragents export` on a run of fake engines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from datasets import load_dataset

from cluster.job import cli
from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput, RunFailed
from staragents.base.messages import Message, as_dicts
from staragents.base.records import Candidate, stable_id
from staragents.config import Baseline, Compare, Config
from staragents.data.formats.known import FORMATS
from staragents.export.exporter import export
from staragents.export.split_file import is_validation
from staragents.export.verdicts import decided, opinions, preferences
from staragents.run.dataset import DATASET_SCHEMA

QUESTION, OTHER = (
    Message("user", "What is a heat pump?"),
    Message("user", "How does a heat pump work in winter?"),
)
SEED = (QUESTION, Message("assistant", "A pump."))


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> SavedRun:
    folder = tmp_path / "run"
    shutil.copytree(finished_run, folder)
    return SavedRun.open(folder)


def candidate(
    pair: str, answer: str, win: float | None, question: Message = QUESTION, **more: object
) -> Candidate:
    rewriter, _, responder = pair.partition("+")
    return Candidate(
        seed_id="s",
        candidate_id=pair,
        pair=pair,
        instruction_agent=rewriter,
        response_agent=responder,
        propensity=1.0,
        seed_messages=SEED,
        messages=(question, Message("assistant", answer)),
        judge_win=win,
        judge_agreement=True,
        **more,
    )


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_every_format_opens_in_datasets(run: SavedRun, tmp_path: Path, name: str, suffix: str) -> None:
    output = tmp_path / "out" / f"data.{suffix}"
    exported = export(run, name, output, validation=0.3)
    builder = {"jsonl": "json"}.get(suffix, suffix)
    loaded = load_dataset(
        builder,
        data_files={split: str(path) for split, (path, _) in exported.files.items()},
        cache_dir=str(tmp_path / "cache"),
    )
    assert set(loaded) == {"train", "validation"}
    for split, (path, rows) in exported.files.items():
        assert loaded[split].num_rows == rows > 0
        assert loaded[split].column_names == FORMATS[name].schema.names
        stored = lines(path) if suffix == "jsonl" else pq.read_table(path).to_pylist()
        assert loaded[split].to_list() == stored
    assert sorted(path.name for path in output.parent.glob("data*")) == [
        f"data.{suffix}",
        f"data.validation.{suffix}",
    ]


def test_messages_are_the_dataset_of_the_run(run: SavedRun, tmp_path: Path) -> None:
    export(run, "messages", tmp_path / "all.jsonl")
    expected = [{"messages": row["messages"]} for row in lines(run.folder.path / "dataset.jsonl")]
    assert lines(tmp_path / "all.jsonl") == expected


def test_the_split_is_by_seed_and_never_moves(run: SavedRun, tmp_path: Path) -> None:
    ids = [stable_id(str(number)) for number in range(4000)]
    assert 150 < sum(is_validation(seed, 0.05) for seed in ids) < 250
    assert all(is_validation(seed, 0.2) for seed in ids if is_validation(seed, 0.05))
    export(run, "messages", tmp_path / "a.jsonl", validation=0.3)
    expected = [
        {"messages": row["messages"]}
        for row in lines(run.folder.path / "dataset.jsonl")
        if is_validation(row["seed_id"], 0.3)
    ]
    assert lines(tmp_path / "a.validation.jsonl") == expected


def test_exports_are_the_same_to_the_byte(run: SavedRun, tmp_path: Path) -> None:
    for name in FORMATS:
        export(run, name, tmp_path / "1.jsonl")
        export(run, name, tmp_path / "2.jsonl")
        assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def exported_files(run: SavedRun, output: Path, *more: str) -> dict:
    told = CliRunner().invoke(cli, ["export", str(run.folder.path), "-o", str(output), "--json", *more])
    assert told.exit_code == 0, told.output
    return json.loads(told.output)


@pytest.mark.parametrize("name", ["train.jsonl", "data.parquet"])
def test_an_export_without_validation_removes_that_of_the_earlier_one(
    run: SavedRun, tmp_path: Path, name: str
) -> None:
    output = tmp_path / name
    told = exported_files(run, output, "--validation", "0.3")
    validation = Path(told["files"]["validation"]["path"])
    assert validation.is_file()
    assert told["removed"] == told["kept"] == []
    told = exported_files(run, output)
    assert not validation.exists()
    assert told["removed"] == [str(validation)]
    assert all(str(validation.name) not in path.read_text() for path in tmp_path.glob("*.yaml"))


def test_a_validation_file_of_others_stays_and_is_named(run: SavedRun, tmp_path: Path) -> None:
    output, mine = tmp_path / "train.jsonl", tmp_path / "validation.jsonl"
    mine.write_text("mine\n")
    assert exported_files(run, output)["kept"] == [str(mine)]
    exported_files(run, output, "--validation", "0.3")
    mine.write_text("mine\n")  # in the place of an exported one
    assert exported_files(run, output)["removed"] == []
    assert mine.read_text() == "mine\n"
    told = CliRunner().invoke(cli, ["export", str(run.folder.path), "-o", str(output)])
    assert f"note: {mine} is not of this export" in told.output


def multi_turn(run: SavedRun) -> None:
    path = run.folder.path / "dataset.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[1]["messages"] = [{"role": "system", "content": "Be brief."}, *rows[1]["messages"]]
    pq.write_table(pa.Table.from_pylist(rows, schema=DATASET_SCHEMA), path)


def test_a_row_that_the_format_cannot_hold_is_named_and_nothing_is_written(
    run: SavedRun, tmp_path: Path
) -> None:
    multi_turn(run)
    output = tmp_path / "alpaca.jsonl"
    with pytest.raises(BadInput, match=r"dataset\.parquet:2:messages\[0\]\.role: expected user.*got system"):
        export(run, "alpaca", output)
    assert not list(tmp_path.glob("*alpaca*"))
    exported = export(run, "alpaca", output, skip=True)
    assert exported.skipped == 1
    assert exported.files["train"][1] == len(lines(run.folder.path / "dataset.jsonl")) - 1


def test_an_older_file_stays_until_the_new_one_is_whole(run: SavedRun, tmp_path: Path) -> None:
    output = tmp_path / "alpaca.jsonl"
    output.write_text("old")
    multi_turn(run)
    with pytest.raises(BadInput):
        export(run, "alpaca", output)
    assert output.read_text() == "old"


def test_the_runs_own_files_are_never_overwritten(run: SavedRun) -> None:
    with pytest.raises(BadInput, match="-o: expected a folder other than the run's own"):
        export(run, "messages", run.folder.path / "dataset.parquet")


def test_a_verdict_gives_a_pair_in_the_direction_of_the_judge() -> None:
    won = preferences(list(decided([candidate("keep+a", "It moves heat.", 0.8)], Config())))
    lost = preferences(list(decided([candidate("keep+a", "It moves heat.", 0.2)], Config())))
    assert [(p.prompt, p.chosen, p.rejected) for p in won] == [((QUESTION,), "It moves heat.", "A pump.")]
    assert [(p.prompt, p.chosen, p.rejected) for p in lost] == [((QUESTION,), "A pump.", "It moves heat.")]


@pytest.mark.parametrize(
    "silent",
    [
        candidate("keep+a", "It moves heat.", 0.5),
        candidate("keep+a", "It moves heat.", None),
        candidate("keep+a", "A pump.", 0.9),
        candidate("keep+a", "It moves heat.", 0.9, reject_reason="misaligned"),
        candidate("keep+a", "It moves heat.", 0.9, failed_stage="score"),
    ],
)
def test_a_tie_an_equal_text_and_a_failure_do_not_count(silent: Candidate) -> None:
    assert not list(decided([silent], Config()))


def test_a_verdict_that_flips_with_the_order_does_not_count() -> None:
    unsure = candidate("keep+a", "It moves heat.", 0.6)
    unsure.judge_agreement = False
    assert not list(decided([unsure], Config()))


def test_a_rewritten_instruction_gives_kto_rows_but_no_pair() -> None:
    verdicts = list(decided([candidate("deepen+a", "It evaporates.", 0.9, OTHER)], Config()))
    assert not list(preferences(verdicts))
    assert [(o.messages[0], o.desirable) for o in opinions(verdicts)] == [(OTHER, True), (QUESTION, False)]


def test_a_text_that_won_once_and_lost_once_is_left_out() -> None:
    both = [candidate("keep+a", "It moves heat.", 0.9), candidate("keep+b", "It is a fridge.", 0.1)]
    found = {o.messages[-1].content: o.desirable for o in opinions(list(decided(both, Config())))}
    assert found == {"It moves heat.": True, "It is a fridge.": False}


def test_the_other_side_is_what_the_judge_saw() -> None:
    config = Config()
    config.agents.base_pairs = ["keep+base"]
    config.judge.baseline = Baseline.base
    base, other = candidate("keep+base", "It moves heat.", None), candidate("keep+a", "It cools.", 0.9)
    (pair,) = preferences(list(decided([base, other], config)))
    assert (pair.chosen, pair.rejected) == ("It cools.", "It moves heat.")
    base.messages, base.reject_reason = (), "refusal"
    (pair,) = preferences(list(decided([base, other], config)))
    assert pair.rejected == "A pump."
    config.judge.compare = Compare.response_same_instruction
    assert not list(decided([base, candidate("deepen+a", "It evaporates.", 0.9, OTHER)], config))


def test_exported_pairs_are_verdicts_of_the_run(run: SavedRun, tmp_path: Path) -> None:
    export(run, "dpo", tmp_path / "dpo.jsonl")
    wins = {
        (json.dumps(as_dicts(c.messages)), json.dumps(as_dicts(c.seed_messages))): c.judge_win
        for group in run.folder.seeds()
        for c in group
    }
    pairs = lines(tmp_path / "dpo.jsonl")
    assert len(pairs) > 3
    for pair in pairs:
        chosen, rejected = (json.dumps(pair["prompt"] + pair[side]) for side in ("chosen", "rejected"))
        assert chosen != rejected
        assert wins.get((chosen, rejected), 1) > 0.5
        assert wins.get((rejected, chosen), 0) < 0.5
        assert (chosen, rejected) in wins or (rejected, chosen) in wins


def test_texts_dropped_by_filters_are_on_no_side_of_a_pair(run: SavedRun, tmp_path: Path) -> None:
    (tmp_path / "blocked.txt").write_text("fake\n")  # in every text of a fake engine, in no seed
    run.config.filters.block_list = str(tmp_path / "blocked.txt")
    with pytest.raises(RunFailed, match=r"filters\.\* of the run drop \d+ texts"):
        export(run, "dpo", tmp_path / "dpo.jsonl")


def test_a_run_without_verdicts_is_reported(run_writer: Callable[..., Path], tmp_path: Path) -> None:
    dead = SavedRun.open(run_writer(dead=True))
    with pytest.raises(RunFailed, match="no verdict compares two answers"):
        export(dead, "dpo", tmp_path / "dpo.jsonl")


def test_the_command_writes_beside_the_run_and_prints_json(run: SavedRun) -> None:
    told = CliRunner().invoke(cli, ["export", str(run.folder.path), "--format", "sharegpt", "--json"])
    found = json.loads(told.output)
    assert found["files"]["train"] == {"path": str(run.folder.path / "export/sharegpt.jsonl"), "rows": 40}
    assert "writer" in found["fake"]
    told = CliRunner().invoke(cli, ["export", str(run.folder.path), "-o", "x.csv"])
    assert isinstance(told.exception, BadInput)
    assert str(told.exception) == "-o: expected a name that ends in .jsonl or .parquet, got x.csv"
