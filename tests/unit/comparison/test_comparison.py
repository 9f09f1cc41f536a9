"""The arithmetic of a comparison: measures, pairing, intervals, and the limits of an ablation."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from actors.common_judge import CommonJudge
from actors.generator_client import GeneratorClient
from staragents.agents.generation_cache import GenerationCache
from staragents.base.errors import BadInput
from staragents.comparison.comparison import Comparison, Row, rows_of, seeds_ifd, warnings_for
from staragents.comparison.measured import Measured, chosen_candidates, measured
from staragents.comparison.variant import FULL, Variant, load_variants, shipped_ablations
from staragents.config import Config, EvolutionConfig, JudgeConfig, MemoryConfig, RewardConfig
from staragents.config.tree import as_dict
from staragents.report.comparison_page import page_of
from staragents.validation.loading import load_config
from staragents.validation.merging import read_file
from tests.support.local_run import decided, local_handles, local_run
from tests.support.paths import FAKE, ROOT
from tests.support.recorded_config import planted_rows, recorded_config

pytestmark = pytest.mark.slow

WINS = {"good": 0.8, "bad": 0.3}


def of(name: str, win: list[float], ifd: list[float] | None = None, **more) -> Measured:
    values = np.array(win, dtype=float)
    ifds = np.array(ifd if ifd is not None else [0.5] * len(win), dtype=float)
    fields = {
        "variant": Variant(name, Config(), {} if name == FULL else {"a.b": name}),
        "win": values,
        "ifd": ifds,
        "seed_ifd": np.full(len(win), 0.4),
        "reached": len(win),
        "replaced": int((values != 0.5).sum()),
        "left_out": 0,
        "unreadable": 0,
        "tokens": 1000,
        "stopped": None,
        "fake": [],
    }
    return Measured(**(fields | more))


def test_means_are_over_all_seeds_and_differences_are_paired() -> None:
    rng = np.random.default_rng(3)
    hard = rng.uniform(0, 0.8, 200)  # makes some seeds harder than others for every variant
    full, worse = rows_of(
        [of("full", list(hard + 0.1)), of("worse", list(hard + rng.normal(0, 0.01, 200)))], FULL
    )
    assert full.against is None
    assert full.win.mean == pytest.approx(hard.mean() + 0.1, abs=1e-5)
    difference = (worse.against or {})["win"]
    assert difference.mean == pytest.approx(worse.win.mean - full.win.mean, abs=1e-5)
    assert difference.low < -0.1 < difference.high
    assert difference.high - difference.low < 0.1 * (worse.win.high - worse.win.low)


@pytest.mark.slow
def test_intervals_cover_the_truth_about_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(0)
    hits, widths = 0, []
    for _ in range(60):
        base = rng.uniform(0, 1, 60)
        other = np.clip(base + rng.normal(0.05, 0.1, 60), -1, 2)
        row = rows_of([of("full", list(base)), of("other", list(other))], FULL)[1]
        difference = (row.against or {})["win"]
        hits += difference.low <= 0.05 <= difference.high
        widths.append(difference.half_width / (1.96 * (other - base).std() / 60**0.5))
    assert hits >= 52
    assert np.mean(widths) == pytest.approx(1.0, rel=0.05), "of a normal interval"


def test_the_course_of_rewards_is_the_running_mean_of_the_drawn_pairs() -> None:
    rewards = [None, 0.5, None, 1.0, 0.0]
    (row,) = rows_of([of("full", [0.5] * 5, rewards=rewards)], FULL)
    assert row.course == [[2, 0.5], [3, 0.5], [4, 0.75], [5, 0.5]]
    (long,) = rows_of([of("full", [0.5] * 1000, rewards=[0.25] * 1000)], FULL)
    assert len(long.course) == 100
    assert long.course[-1] == [1000, 0.25]
    saved = asdict(row)
    del saved["course"]  # as earlier versions saved it
    assert Row.from_dict(saved).course == []


def test_an_unreached_seed_ties_and_keeps_its_ifd() -> None:
    full = of("full", [0.9, 0.9, 0.9, 0.9], [0.6] * 4)
    nan = float("nan")
    short = of("short", [0.9, 0.9, 0.5, 0.5], [0.6, 0.6, nan, nan], reached=2)
    short.seed_ifd[2:] = nan
    row = rows_of([full, short], FULL)[1]
    assert row.win.mean == pytest.approx(0.7)
    assert row.improved.mean == pytest.approx(0.5)
    assert row.target_ifd is not None
    assert row.target_ifd.mean == pytest.approx((0.6 + 0.6 + 0.4 + 0.4) / 4)
    assert row.tokens_per_improved == 500


def test_unscorable_rows_have_no_ifd() -> None:
    nan = [float("nan")] * 2
    full = of("full", [0.9, 0.5], nan)
    full.seed_ifd[:] = nan
    rows = rows_of([full, of("other", [0.5, 0.5], nan)], FULL)
    assert rows[1].target_ifd is None
    assert "target_ifd" not in (rows[1].against or {})
    assert rows[1].tokens_per_improved is None
    assert seeds_ifd([full]) is None


def test_the_ifd_of_a_dataset_is_that_of_its_own_rows() -> None:
    nan = float("nan")
    short = of("short", [0.5] * 4, [0.2, nan, 0.4, nan], left_out=2)
    full, found, empty = rows_of(
        [of("full", [0.9] * 4, [0.6] * 4), short, of("empty", [0.5] * 4, [nan] * 4, left_out=4)], FULL
    )
    assert full.target_ifd is not None
    assert found.target_ifd is not None
    assert (full.target_ifd.mean, found.target_ifd.mean) == pytest.approx((0.6, 0.3))
    assert (found.against or {})["target_ifd"].mean == pytest.approx(-0.3)
    assert empty.target_ifd is None
    assert "target_ifd" not in (empty.against or {})
    assert "2 seeds of short have no row in its dataset" in warnings_for([full, found], 100, 2000, False)[0]


def comparison(variants: list[Measured], **more) -> Comparison:
    rows = rows_of(variants, FULL)
    fields = {
        "config": "A </script><b>title</b>",
        "seeds": 4,
        "reference": FULL,
        "budget_tokens": 900,
        "judge": "judge",
        "judge_model": "m",
        "seeds_ifd": 0.4,
        "generations_made": 3,
        "generations_used": 5,
        "fake": ["judge"],
        "identity": "x",
        "rows": rows,
        "warnings": warnings_for(rows, 4, 900, own_judge=True),
    }
    return Comparison(**(fields | more))


def test_the_result_survives_json_and_its_page_escapes_and_says_fake() -> None:
    result = comparison([of("full", [0.9, 0.5, 0.7, 0.1]), of("<i>other</i>", [0.5] * 4, unreadable=2)])
    assert Comparison.from_dict(json.loads(json.dumps(result.as_dict()))) == result
    page = page_of(result)
    assert "<i>other" not in page
    assert "<b>title" not in page
    assert "FAKE" in page
    assert "4 seeds are few" in page
    assert "unreadable and count as ties" in page
    assert "more than the budget" in page
    assert "--judge" in page


def test_every_shipped_ablation_fits_the_fake_preset_and_changes_what_it_claims(tmp_path: Path) -> None:
    names = shipped_ablations()
    assert {"full", "uniform", "random", "no-memory", "target-only", "dual-only", "judge-only"} <= set(names)
    assert {"ifd-only", "cost-aware", "paper", "default"} <= set(names)
    changes = {v.name: set(v.changes) for v in load_variants(FAKE, ["memory.warmup=3"], names, tmp_path)}
    assert changes["full"] == set()
    assert changes["default"] == {"memory.warmup"}
    assert changes["no-memory"] == {"memory.enabled"}
    assert all(changes[name] for name in names if name != FULL)


def test_the_default_ablation_equals_the_default_settings(tmp_path: Path) -> None:
    (variant,) = load_variants(FAKE, [], ["default"], tmp_path)
    sections = {
        "evolution": EvolutionConfig(draws=variant.config.evolution.draws),
        "reward": RewardConfig(),
        "judge": JudgeConfig(model="judge"),
        "memory": MemoryConfig(embedder="fake"),
    }
    assert {name: getattr(variant.config, name) for name in sections} == sections


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seeds: {limit: 3}", "seeds.limit: expected the value that all variants share"),
        ("models: {writer: {max_num_seqs: 3}}", "models.writer.max_num_seqs: expected the value that all"),
        ("reward: {composit: product}", "reward.composit: unknown key"),
        ("evolution: {draws: 99}", "evolution.draws: expected at most"),
    ],
)
def test_a_custom_ablation_is_checked(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(BadInput) as caught:
        load_variants(FAKE, [], ["full", str(tmp_path / "mine.yaml")], tmp_path)
    assert problem in caught.value.problems[0]
    assert caught.value.problems[0].startswith("--ablation ")


def test_an_unknown_ablation_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="did you mean uniform"):
        load_variants(FAKE, [], ["full", "unifrom"], tmp_path)
    with pytest.raises(BadInput, match="unique names"):
        load_variants(FAKE, [], ["full", "full"], tmp_path)


def test_variants_have_their_own_folders_and_the_same_budget(tmp_path: Path) -> None:
    variants = load_variants(FAKE, ["seeds.limit=5"], ["full", "uniform"], tmp_path)
    assert [variant.config.output.dir for variant in variants] == [
        str(tmp_path / "full"),
        str(tmp_path / "uniform"),
    ]
    bound = [variant.within(700).config for variant in variants]
    assert [config.run.max_tokens for config in bound] == [700, 700]
    assert as_dict(bound[0])["seeds"] == as_dict(variants[1].config)["seeds"]


async def test_all_variants_are_measured_alike_whatever_their_own_judge_did(tmp_path: Path) -> None:
    """On a recorded table the common judge must give its wins, for hard and one-sided verdicts too."""
    path = recorded_config(tmp_path, WINS, rows=15, evolution={"draws": 2})
    (tmp_path / "hard.yaml").write_text(
        "judge: {verdict: hard, both_orders: false}\nreward: {require_win: false}"
    )
    names = ["full", str(tmp_path / "hard.yaml")]
    variants = load_variants(path, [], names, tmp_path / "compared")
    base = load_config(path)
    cache = tmp_path / "generations.sqlite"
    handles = await local_handles(base)
    for variant in variants:
        await local_run(variant.config, handles=handles, cache=GenerationCache(cache, base.models))
    asked = handles["judge"].requests
    windows = dict.fromkeys(base.models, 8)
    client = GeneratorClient(handles, windows, 1, GenerationCache(cache, base.models))
    wins = {row["instruction"]: row["win"] for row in planted_rows(WINS, 15)}
    for variant in variants:
        chosen = list(chosen_candidates(variant))
        found = await CommonJudge(base, "judge", client).wins(chosen)
        assert found == {
            index: pytest.approx(wins[one.seed_messages[-2].content][one.response_agent])
            for index, one in chosen
        }
        result = measured(variant, 15, found)
        assert result.reached == 15
        assert result.win.tolist() == pytest.approx([found.get(index, 0.5) for index in range(15)])
        assert result.tokens == sum(
            c["tokens_in"] + c["tokens_out"] for c in decided(variant.config.output.dir)
        )
    assert handles["judge"].requests == asked, "the common judge's requests were all made before"


async def test_a_missing_verdict_counts_as_a_tie(tmp_path: Path) -> None:
    path = recorded_config(tmp_path, WINS, rows=6, evolution={"draws": 2})
    (variant,) = load_variants(path, [], ["full"], tmp_path / "compared")
    await local_run(variant.config)
    chosen = list(chosen_candidates(variant))
    lost = chosen[1][0]
    rows = planted_rows(WINS, 6)
    del rows[lost]["win"][chosen[1][1].response_agent]
    (tmp_path / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = load_config(path)
    client = GeneratorClient(await local_handles(config), dict.fromkeys(config.models, 8), 1)  # type: ignore[arg-type]
    result = measured(variant, 6, await CommonJudge(config, "judge", client).wins(chosen))
    assert result.unreadable == 1
    improved = {index for index, _ in chosen} - {lost}
    assert result.improved.tolist() == [float(index in improved) for index in range(6)]


@pytest.mark.parametrize("fallback", ["seed", "none"])
async def test_a_row_that_filters_drop_is_its_seed_or_nothing(tmp_path: Path, fallback: str) -> None:
    path = recorded_config(tmp_path, WINS, rows=6, evolution={"draws": 2}, reward={"fallback": fallback})
    # Every text of an agent, no seed's.
    (tmp_path / "blocked.txt").write_text("good\nbad\n")
    (tmp_path / "mine.yaml").write_text(f"filters: {{block_list: {tmp_path}/blocked.txt, blocked: drop}}")
    variants = load_variants(path, [], ["full", str(tmp_path / "mine.yaml")], tmp_path / "compared")
    for variant in variants:
        await local_run(variant.config)
    full, mine = (list(chosen_candidates(variant)) for variant in variants)
    assert full
    assert mine == []
    result = measured(variants[1], 6, {})
    assert result.replaced == 0
    assert result.win.tolist() == [0.5] * 6
    assert result.left_out == (6 if fallback == "none" else 0)
    assert np.isnan(result.ifd).all() if fallback == "none" else (result.ifd == result.seed_ifd).all()


# Those of the data, the models and the machine.
KEPT = {
    "evolution": {"draws"},
    "judge": {"model", "max_reason_chars", "max_text_chars"},
    "reward": set[str](),
    "memory": {
        "embedder", "url", "api_key_env", "collection", "max_points", "reuse", "timeout_s", "exact", "hnsw",
        "quantization", "on_disk",
    },
}  # fmt: skip


def test_the_default_ablation_resets_every_other_setting_of_its_sections() -> None:
    file = read_file(ROOT / "configs/ablations/default.yaml", [])
    defaults = as_dict(Config())
    assert file == {
        section: {name: value for name, value in defaults[section].items() if name not in kept}
        for section, kept in KEPT.items()
    }
