import json
import math
from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.messages import Message
from staragents.base.records import Candidate
from staragents.base.statistics import Line, Mean, Sample
from staragents.config import Baseline, Compare, Config
from tests.support.run_files import summarise

SEED = (Message("user", "Why is the sky blue?"), Message("assistant", "Rayleigh."))
BETTER = (Message("user", "Why is the sky blue at noon?"), Message("assistant", "Short waves scatter more."))


def candidate(seed: str = "s0", pair: str = "a+b", **values: object) -> Candidate:
    made = Candidate(seed, f"{seed}-{pair}", pair, "a", "b", 0.5, SEED)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def judged(seed: str, first: float, second: float, **values: object) -> Candidate:
    return candidate(
        seed,
        messages=BETTER,
        judge_win=(first + second) / 2,
        judge_win_first=first,
        judge_win_second=second,
        judge_agreement=(first > 0.5) == (second > 0.5),
        stage_tokens={"judge.in": 10, "judge.out": 1},
        **values,
    )


def seeds_of(candidates: list[Candidate]) -> list[list[Candidate]]:
    return [list(seed) for _, seed in groupby(candidates, key=attrgetter("seed_id"))]


def test_funnel_counts_every_candidate_where_it_ended() -> None:
    scored = {"target_ifd": 0.8, "larger_ifd": 0.6, "ifd_gap": 0.2}
    seeds = seeds_of(
        [
            judged("s0", 0.9, 0.7, selected=True, **scored),
            candidate("s0", "c+b", reject_reason="refusal"),
            judged("s1", 0.2, 0.1, reject_reason="misaligned", target_ifd=1.2, larger_ifd=0.9),
            candidate("s2", failed_stage="answer"),
            candidate("s2", "c+b", messages=BETTER, target_ifd=0.5),
        ]
    )
    funnel = summarise(seeds, {"seeds": 9, "bad_rows": 2, "duplicates": 1})["funnel"]
    assert funnel == {
        "seeds": 9,
        "bad_rows": 2,
        "duplicates": 1,
        "finished": 3,
        "drawn": 5,
        "generated": 3,
        "scored": 2,
        "judged": 2,
        "accepted": 1,
        "kept_seed": 2,
        "left_out": 0,
        "within_margin": 0,
        "rows": 3,
        "rewritten": 1,
        "filtered": {},
        "flagged": {},
        "seed_instead": 0,
        "filtered_out": 0,
        "rejected": {"refusal": 1, "misaligned": 1},
        "failed": {"answer": 1},
    }


def test_seeds_without_winner_are_left_out_when_there_is_no_fallback() -> None:
    funnel = summarise(seeds_of([candidate()]), {"fallback": "none"})["funnel"]
    assert (funnel["kept_seed"], funnel["left_out"]) == (0, 1)


def test_seeds_that_are_kept_on_a_close_verdict_are_counted() -> None:
    rows = [
        judged("s0", 0.6, 0.5, reward=0.2),
        judged("s1", 0.4, 0.5, reward=0.2),
        judged("s2", 0.9, 0.9, reward=0.4, selected=True),
        judged("s2", 0.6, 0.5, reward=0.2),
        judged("s3", 0.6, 0.6, reward=0.0),
        judged("s4", 0.6, 0.6, reward=0.1, reject_reason="refusal"),
    ]
    assert summarise(seeds_of(rows), {})["funnel"]["within_margin"] == 2, "s0 and, with difficulty 0, s3"
    config = Config()
    config.reward.require_win = False
    assert summarise(seeds_of(rows), {}, config)["funnel"]["within_margin"] == 0, "the margin was not used"


def test_cost_is_counted_by_stage_and_pair() -> None:
    tokens = {"rewrite.in": 100, "rewrite.out": 20, "judge.in": 300, "judge.out": 2}
    seconds = {"rewrite": 1.5, "score": 0.25}
    rows = [
        candidate("s0", stage_tokens=tokens, stage_seconds=seconds, messages=BETTER, selected=True),
        candidate("s0", "c+b", stage_tokens={"rewrite.in": 40}, stage_seconds={}),
    ]
    summary = summarise(seeds_of(rows), {"wall_seconds": 11.0})
    assert summary["cost"]["stages"]["rewrite"] == {"tokens_in": 140, "tokens_out": 20, "seconds": 1.5}
    assert summary["cost"]["stages"]["judge"] == {"tokens_in": 300, "tokens_out": 2, "seconds": 0.0}
    assert summary["cost"]["tokens_out_per_second"] == 2.0
    assert summary["pairs"]["a+b"]["tokens_per_accepted"] == 422
    assert summary["pairs"]["c+b"]["tokens_per_accepted"] is None


def test_judge_that_only_sees_position_has_full_bias_and_no_agreement() -> None:
    rows = [judged(f"s{number}", 1.0, 0.0) for number in range(12)]
    summary = summarise(seeds_of(rows), {})
    assert summary["judge"]["position_bias"] == 1.0
    assert summary["judge"]["agreement"] == 0.0
    assert summary["judge"]["win"] == 0.5
    assert any("prefers the first position by 1.00" in warning for warning in summary["warnings"])


@pytest.mark.parametrize(
    ("wins", "run", "is_said"),
    [
        ((1.0, 0.0), {}, True),
        ((0.5, 1.0), {}, True),
        ((0.9, 0.2), {}, False),
        ((1.0, 0.0), {"verdict": "hard"}, False),
        ((1.0, 0.0), {"engines": {"judge": "vllm"}}, False),
        ((1.0, 0.0), {"servers": {"judge": ["no log-probabilities: verdicts use only their label"]}}, False),
    ],
)
def test_soft_verdicts_without_probabilities_are_said_once(
    wins: tuple[float, float], run: dict[str, Any], is_said: bool
) -> None:
    """As from servers that return the whole answer as one token."""
    rows = [judged(f"s{number}", *wins) for number in range(12)]
    known = {"judge": "judge", "verdict": "soft", "engines": {"judge": "openai"}, **run}
    summary = summarise(seeds_of(rows), known)
    assert summary["judge"]["label_only"] == (0.0 if wins == (0.9, 0.2) else 1.0)
    said = [line for line in summary["warnings"] if "use only their label" in line]
    assert len(said) == is_said


def test_unreadable_verdicts_are_invalid_and_engine_failures_are_not() -> None:
    asked = {"messages": BETTER, "stage_tokens": {"judge.in": 10, "judge.out": 5}}
    rows = [
        judged("s0", 0.6, 0.6),
        candidate("s1", **asked),
        candidate("s2", failed_stage="judge", **asked),
        candidate("s3", messages=BETTER),
    ]
    judge = summarise(seeds_of(rows), {})["judge"]
    assert (judge["tried"], judge["judged"], judge["invalid"]) == (2, 1, 0.5)


def test_preference_for_length_is_reported_and_removed() -> None:
    rows = []
    for number in range(20):
        win = 0.5 + 0.1 * math.log((10 * (number + 1) + 1) / (len("Rayleigh.") + 1))
        text = (Message("user", "q"), Message("assistant", "x" * (10 * (number + 1))))
        rows.append(candidate(f"s{number}", messages=text, judge_win=win))
    summary = summarise(seeds_of(rows), {})
    assert summary["judge"]["length_correlation"] == pytest.approx(1.0)
    assert summary["judge"]["win_at_equal_length"] == pytest.approx(0.5, abs=1e-3)
    assert any("prefers longer responses" in warning for warning in summary["warnings"])


def test_length_is_compared_with_what_the_judge_saw() -> None:
    """w follows the length relative to the base pair's sample, whatever the length of the seed's response."""
    config = Config()
    config.agents.base_pairs, config.judge.baseline = ["keep+b"], Baseline.base
    rows = []
    for number in range(20):
        own, others = 10 * (number + 1), 200 - 10 * number
        win = 0.5 + 0.1 * math.log((own + 1) / (others + 1))
        sample = candidate(f"s{number}", "keep+b", messages=(SEED[0], Message("assistant", "y" * others)))
        text = (SEED[0], Message("assistant", "x" * own))
        rows += [sample, candidate(f"s{number}", messages=text, judge_win=win)]
    judge = summarise(seeds_of(rows), {}, config)["judge"]
    assert judge["length_correlation"] == pytest.approx(1.0)
    assert judge["win_at_equal_length"] == pytest.approx(0.5, abs=1e-3)
    config.judge.compare = Compare.response_same_instruction
    rewritten = [candidate(f"s{number}", messages=BETTER, judge_win=0.4) for number in range(3)]
    judge = summarise(seeds_of(rewritten), {}, config)["judge"]
    assert (judge["judged"], judge["win_at_equal_length"]) == (3, None), (
        "the base agent's answer is not saved"
    )


def test_ifds_above_one_lead_to_the_advice_on_templates() -> None:
    rows = [
        candidate(f"s{n}", messages=BETTER, target_ifd=1.1 if n < 8 else 0.9, target_status="ok")
        for n in range(12)
    ] + [candidate("s99", messages=BETTER, target_status="too_short")]
    summary = summarise(seeds_of(rows), {})
    assert summary["ifd"]["target"]["misaligned"] == pytest.approx(8 / 12, abs=1e-3)
    assert summary["ifd"]["target"]["unscorable"] == {"too_short": pytest.approx(1 / 13, abs=1e-3)}
    assert summary["ifd"]["larger"]["misaligned"] is None
    (warning,) = (line for line in summary["warnings"] if "IFD" in line)
    assert "above 1 under the target model (67%)" in warning
    assert "scoring.template=plain" in warning


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("cut_off", "a larger agents.*.max_tokens"),
        ("rewrite_other_language", "agents.keep_language=false"),
        ("repetition", "a lower temperature"),
        ("rewrite_thought_leak", "models.*.reasoning=off"),
        ("empty", "models.*.reasoning=off if the model thinks and then answers nothing"),
    ],
)
def test_many_rejects_lead_to_advice_for_their_reason(reason: str, remedy: str) -> None:
    rows = [candidate(f"s{n}", messages=BETTER, reject_reason=reason) for n in range(12)]
    (warning,) = (line for line in summarise(seeds_of(rows), {})["warnings"] if "rejected" in line)
    assert f"most often for {reason}: try " in warning
    assert remedy in warning


@pytest.mark.parametrize(
    ("values", "run", "expected"),
    [
        ({}, {}, "so the dataset equals the seeds: every candidate failed or was rejected"),
        ({}, {"fallback": "none"}, "so the dataset is empty: every candidate failed or was rejected"),
        ({"messages": BETTER}, {"fallback": "none"}, "so the dataset is empty: look at the examples"),
        (
            {"messages": BETTER},
            {"dataset": {"rows": 5, "rewritten": 0, "filtered_out": 7}},
            "so the dataset contains only the seeds that filters kept: look",
        ),
        (
            {"messages": BETTER},
            {"dataset": {"rows": 0, "rewritten": 0, "filtered_out": 12}},
            "is empty: look",
        ),
        (
            {"messages": BETTER, "selected": True},
            {"dataset": {"rows": 0, "rewritten": 0, "filtered_out": 12}},
            "the dataset is empty, because filters dropped every row",
        ),
    ],
)
def test_a_dataset_without_rewrites_is_called_what_it_is(
    values: dict[str, Any], run: dict[str, Any], expected: str
) -> None:
    rejected = {} if values else {"reject_reason": "refusal"}
    rows = [candidate(f"s{n}", **values, **rejected) for n in range(12)]
    (warning,) = (line for line in summarise(seeds_of(rows), run)["warnings"] if "dataset" in line)
    assert expected in warning


@pytest.mark.parametrize(
    ("run", "engine"),
    [
        ({"engines": {"a": "vllm"}}, "vllm"),
        ({"engines": {"a": "vllm", "b": "openai", "c": "vllm"}}, "openai+vllm"),
        ({"engines": {"a": "vllm", "b": "fake"}}, "fake"),
        ({"engines": {"a": "vllm"}, "parts": {"target": "fake"}}, "fake"),
        ({}, "unknown"),
    ],
)
def test_engine_names_all_kinds_and_says_fake_if_any_part_is(run: dict, engine: str) -> None:
    summary = summarise(seeds_of([candidate()]), run)
    assert summary["engine"] == engine
    assert any("fake engines in use" in warning for warning in summary["warnings"]) == (engine == "fake")


def test_the_split_into_shards_does_not_matter(run_writer: Callable[..., Path]) -> None:
    one = json.loads((run_writer(seeds=30, seeds_per_shard=30) / "summary.json").read_text())
    many = json.loads((run_writer(seeds=30, seeds_per_shard=4) / "summary.json").read_text())
    assert one == many
    assert one["funnel"]["drawn"] == 90


def test_run_without_a_row_has_a_summary() -> None:
    summary = summarise([], {})
    assert summary["funnel"]["drawn"] == 0
    assert summary["warnings"] == []
    json.dumps(summary, allow_nan=False)


def test_nonfinite_numbers_do_not_reach_the_summary() -> None:
    rows = [candidate("s0", messages=BETTER, target_ifd=math.inf, larger_ifd=math.nan, reward=math.nan)]
    json.dumps(summarise(seeds_of(rows), {}), allow_nan=False)


def test_memory_compares_rewards_with_and_without_neighbours() -> None:
    rows = [
        candidate("s0", reward=0.2, messages=BETTER),
        candidate("s1", reward=0.8, messages=BETTER, neighbours=3, domain_similarity=0.9),
        candidate("s1", "base+b", reward=0.0, messages=BETTER, neighbours=3, base=True),
    ]
    memory = summarise(seeds_of(rows), {"memory_enabled": True})["memory"]
    assert memory["hit_rate"] == 0.5
    assert (memory["reward_of_hits"], memory["reward_of_misses"]) == (0.8, 0.2)


finite = st.floats(-1e3, 1e3)


@given(st.lists(st.tuples(finite, finite), min_size=3, max_size=40))
def test_line_agrees_with_numpy(points: list[tuple[float, float]]) -> None:
    x, y = np.array(points).T
    line = Line()
    for point in points:
        line.add(*point)
    if min(x.std(), y.std()) < 1e-6:
        return
    assert line.correlation == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)
    assert line.at_zero == pytest.approx(np.polynomial.Polynomial.fit(x, y, 1)(0.0), rel=1e-4, abs=1e-3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_interval_covers_the_mean_and_narrows_with_repetition(values: list[float]) -> None:
    once, often = Mean(), Mean()
    for value in values:
        once.add(value)
    for value in values * 4:
        often.add(value)
    low, high = once.interval90()
    assert 0 <= low <= once.value + 1e-9
    assert once.value - 1e-9 <= high <= 1
    assert often.interval90()[1] - often.interval90()[0] < high - low


@given(st.integers(1, 20), st.lists(st.integers(), max_size=100))
def test_sample_is_bounded_and_keeps_all_of_a_short_stream(size: int, stream: list[int]) -> None:
    sample: Sample[int] = Sample(size)
    for item in stream:
        sample.add(item)
    assert len(sample.items) == min(size, len(stream))
    assert sample.seen == len(stream)
    if len(stream) <= size:
        assert sample.items == stream
    else:
        assert set(sample.items) <= set(stream)


def test_sample_takes_early_and_late_items_equally() -> None:
    sample: Sample[int] = Sample(500)
    for item in range(5_000):
        sample.add(item)
    assert np.mean(sample.items) == pytest.approx(2_500, abs=250)


def test_thoughts_that_were_cut_off_lead_to_one_line_and_to_no_stronger_model() -> None:
    cut = {"reject_reason": "thought_cut_off", "response_agent": "direct"}
    rows = [candidate(f"s{n}", **cut) for n in range(12)]
    warnings = summarise(seeds_of(rows), {"models_of": {"response.direct": "writer"}})["warnings"]
    (line,) = (line for line in warnings if "were rejected" in line)
    assert "models.writer.thinking_tokens" in line
    assert "stronger" not in " ".join(line for line in warnings if "no candidate" in line)


def test_thoughts_of_a_model_that_was_asked_not_to_think_lead_to_a_budget_for_them() -> None:
    cut = {"reject_reason": "thought_cut_off", "response_agent": "direct"}
    rows = [candidate(f"s{n}", **cut) for n in range(12)]
    run = {"models_of": {"response.direct": "writer"}, "reasoning_off": ["writer"]}
    (line,) = (line for line in summarise(seeds_of(rows), run)["warnings"] if "were rejected" in line)
    assert "models.writer.reasoning=auto" in line
    assert "reasoning=off" not in line
