"""Collects all findings of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from staragents.analysis import certainty, domains, memory_tally
from staragents.analysis.advice import unreadable_advice
from staragents.analysis.certainty import Certainty
from staragents.analysis.domains import Sampled
from staragents.analysis.memory_tally import MemoryTally
from staragents.analysis.saved_run import SavedRun
from staragents.analysis.tallies import IfdTally, rounded
from staragents.analysis.timeline import Moment
from staragents.base.messages import last_exchange
from staragents.base.records import Candidate
from staragents.base.statistics import Sample

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

# Seeds to cluster and compare: a uniform sample of a larger run.
MAX_SEEDS = 4_000
# Share of the run's seconds above which the cost of verdicts is reported.
MAX_JUDGE_SHARE = 0.6
# Share of the generated tokens above which the cost of thoughts is reported.
MAX_THOUGHT_SHARE = 0.8


class Evidence:
    """What the findings are measured from. Memory use is bounded for runs of any size."""

    def __init__(self) -> None:
        self.ranking, self.memory, self.ifd = Certainty(), MemoryTally(), IfdTally()
        self.sample: Sample[Sampled] = Sample(MAX_SEEDS)

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        self.ranking.add_seed(candidates)
        self.memory.add_seed(candidates)
        self.sample.add(_sampled(candidates))
        for candidate in candidates:
            self.ifd.add(candidate)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`findings`: sentences, each with a setting to change; `numbers`: the measurements behind them."""

    findings: list[str]
    numbers: dict[str, Any]

    @classmethod
    def of(
        cls,
        run: SavedRun,
        evidence: Evidence,
        moments: list[Moment],
        embed: Embed | None,
        labels: dict[int, str] | None = None,
    ) -> Diagnosis:
        """`evidence` has all seeds; `moments` are those of a `Timeline` with all seeds.

        Domains are clusters of the embedded instructions, or `labels` by seed row; without either, there are
        none.
        """
        seeds = evidence.sample.items
        numbers = {
            "policy": evidence.ranking.summary(moments),
            "memory": evidence.memory.lift(),
            "ifd": {**run.summary["ifd"], **evidence.ifd.regression()},
            "judge": run.summary["judge"],
            "cost": _cost(run.summary),
            "domains": _domains(seeds, embed, labels) if embed or labels else None,
            "sampled_seeds": len(seeds),
        }
        return cls([*run.summary["warnings"], *_findings(run, numbers)], numbers)


def _findings(run: SavedRun, numbers: dict[str, Any]) -> Iterator[str]:
    yield from certainty.findings(numbers["policy"], run.config.evolution.policy.value)
    if run.config.memory.enabled:
        yield from memory_tally.findings(numbers["memory"])
    share = numbers["cost"]["share_of_seconds"].get("judge", 0.0)
    if share > MAX_JUDGE_SHARE:
        yield (
            f"verdicts take {share:.0%} of the total processing time: try judge.reason=false, a smaller "
            "judge.max_reason_chars or a smaller judge"
        )
    for name, lines in run.summary["run"].get("servers", {}).items():
        yield from (f"models.{name}: {line}" for line in lines)
    yield from _about_thoughts(numbers["cost"])
    yield from _about_verdicts(run.summary)
    if numbers["domains"]:
        yield from domains.findings(numbers["domains"], run.config.memory.enabled)


def _about_verdicts(summary: dict[str, Any]) -> Iterator[str]:
    """Unreadable verdicts that are too few for a warning of the summary."""
    judge = summary["judge"]
    count = judge.get("unreadable", 0)
    if count and not any("verdicts were unreadable" in warning for warning in summary["warnings"]):
        advice = unreadable_advice(judge, summary["run"])
        yield f"{count} of {judge['tried']} verdicts were unreadable: {advice}"


def _about_thoughts(cost: dict[str, Any]) -> Iterator[str]:
    share = cost.get("share_of_thoughts", 0.0)
    if share > MAX_THOUGHT_SHARE:
        yield (
            f"thoughts are {share:.0%} of the generated tokens: try models.*.reasoning=off where agents or "
            "the judge do well without them"
        )


def _sampled(candidates: list[Candidate]) -> Sampled:
    rewards = {candidate.pair: candidate.reward for candidate in candidates if candidate.reward is not None}
    instruction, _ = last_exchange(candidates[0].seed_messages)
    return Sampled(candidates[0].seed_row, instruction, rewards)


def _domains(
    seeds: list[Sampled], embed: Embed | None, labels: dict[int, str] | None
) -> dict[str, Any] | None:
    if labels is not None:
        clusters, names = domains.by_label([labels.get(seed.row, "other") for seed in seeds])
        return domains.table(seeds, clusters, names)
    if embed is None or len(seeds) < 2 * domains.MIN_DOMAIN_SEEDS:
        return None
    texts = [seed.instruction for seed in seeds]
    clusters = domains.clustered(embed(texts))
    return domains.table(seeds, clusters, domains.named(texts, clusters))


def _cost(summary: dict[str, Any]) -> dict[str, Any]:
    stages = summary["cost"]["stages"]
    seconds = sum(stage["seconds"] for stage in stages.values())
    accepted = summary["funnel"]["accepted"]
    thought = summary["cost"].get("reasoning_tokens", 0)
    share = {"share_of_thoughts": round(thought / summary["cost"]["tokens_out"], 4)} if thought else {}
    return {
        **share,
        "tokens_per_accepted": summary["cost"]["tokens_per_accepted"],
        "seconds_per_accepted": rounded(seconds / accepted) if accepted else None,
        "share_of_seconds": {
            name: round(stage["seconds"] / seconds, 4) for name, stage in stages.items() if seconds
        },
        "pairs": {name: pair["tokens_per_accepted"] for name, pair in summary["pairs"].items()},
    }
