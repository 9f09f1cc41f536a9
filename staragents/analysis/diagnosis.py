"""Collects all findings of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from staragents.analysis import advised_choice, certainty, domains, memory_gain
from staragents.analysis import kinds as kinds_of_instructions
from staragents.analysis.advice import unreadable_advice
from staragents.analysis.certainty import Certainty
from staragents.analysis.domains import Sampled
from staragents.analysis.draw_history import DrawHistory, reproduces
from staragents.analysis.memory_gain import MemoryGain
from staragents.analysis.saved_run import SavedRun
from staragents.analysis.tallies import IfdTally, rounded
from staragents.analysis.timeline import Snapshot
from staragents.analysis.worth import Drawn, Worth, worth_of
from staragents.base.messages import last_exchange
from staragents.base.records import Candidate
from staragents.config import Config, Cost
from staragents.evolution.drawn_pairs import DrawnPairs
from staragents.reward.cost import CostScale, learned_value

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
Kinds = tuple[NDArray[np.intp], list[str]]

# Seeds to cluster and compare: every n-th of a larger run.
MAX_SEEDS = 4_000
# Share of the run's seconds above which the cost of verdicts is reported.
MAX_JUDGE_SHARE = 0.6
# Share of the generated tokens above which the cost of thoughts is reported.
MAX_THOUGHT_SHARE = 0.8


class Evidence:
    """What the findings are measured from. Memory use is bounded for runs of any size."""

    def __init__(
        self, config: Config, total_seeds: int, finished_seeds: int, saved: Sequence[DrawnPairs] = ()
    ) -> None:
        """`saved`: the pairs of the run's state, if agents were added or retired meanwhile."""
        self.ranking, self.memory, self.ifd = Certainty(), MemoryGain(), IfdTally()
        self.sample: list[Sampled] = []
        """Every n-th seed of the run, in its order: at most `MAX_SEEDS`."""
        self.not_reproduced = 0
        """Seeds of the sample whose logged propensities another version or machine computed."""
        self._draws = DrawHistory(config, total_seeds, saved)
        self._kind, self._cost = config.reward.cost, CostScale(config.reward.cost)
        self._step = max(1, math.ceil(finished_seeds / MAX_SEEDS))
        self._seeds = 0

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the next seed's candidates."""
        self.ranking.add_seed(candidates)
        learned = self._learned(candidates)
        if self._seeds % self._step == 0:
            probabilities = self._draws.probabilities(candidates)
            known = reproduces(probabilities, candidates)
            self.not_reproduced += not known
            self.sample.append(_sampled(candidates, learned, probabilities if known else None))
            if known:
                without = self._draws.probabilities(candidates, with_memory=False)
                self.memory.add_seed(self._seeds, learned, probabilities, without)
        self._seeds += 1
        self._draws.add_seed(candidates)
        for candidate in candidates:
            self.ifd.add(candidate)

    def _learned(self, candidates: list[Candidate]) -> list[Candidate]:
        """The next seed's candidates, whose reward, if any, is the value that the policy learnt."""
        if self._kind is Cost.none:
            return candidates
        values = {one.candidate_id: value for one, value in self._cost.learned(candidates)}
        return [replace(one, reward=values.get(one.candidate_id)) for one in candidates]


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
        snapshots: list[Snapshot],
        embed: Embed = kinds_of_instructions.text_vectors,
        labels: dict[int, str] | None = None,
    ) -> Diagnosis:
        """`evidence` has all seeds; `snapshots` are those of a `Timeline` with all seeds.

        Domains are clusters of the instructions, as `embed` places them, or `labels` by seed row.
        """
        seeds = evidence.sample
        kinds = _kinds(seeds, embed, labels)
        worth = _worth(run.config, seeds, kinds)
        numbers = {
            "policy": evidence.ranking.summary(snapshots),
            "memory": evidence.memory.summary(),
            "ifd": {**run.summary["ifd"], **evidence.ifd.regression()},
            "judge": run.summary["judge"],
            "cost": _cost(run.summary),
            "domains": {**domains.table(seeds, *kinds), "labelled": labels is not None}
            if kinds is not None
            else None,
            "worth": {
                **(worth.as_dict() if worth is not None else {}),
                "said": _said(run.config, worth, evidence),
            },
            "sampled_seeds": len(seeds),
        }
        findings = [
            *run.summary["warnings"],
            *_findings(run, numbers),
            *advised_choice.findings(worth, run.config.memory.enabled),
        ]
        return cls(findings, numbers)


def _said(config: Config, worth: Worth | None, evidence: Evidence) -> list[str]:
    said = advised_choice.sentences(worth, evidence.not_reproduced, len(evidence.sample))
    if config.memory.enabled:
        said.append(memory_gain.sentence(evidence.memory.summary()))
    if config.reward.cost is not Cost.none:
        setting, formula = config.reward.cost.value, learned_value(config.reward.cost)
        said.append(f"With reward.cost={setting}, what pairs earn is what the policy learns: {formula}.")
    return said


def _findings(run: SavedRun, numbers: dict[str, Any]) -> Iterator[str]:
    yield from certainty.findings(numbers["policy"], run.config.evolution.policy.value)
    if run.config.memory.enabled:
        yield from memory_gain.findings(numbers["memory"])
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


def _sampled(
    candidates: list[Candidate], learned: list[Candidate], probabilities: dict[str, float] | None
) -> Sampled:
    instruction, _ = last_exchange(candidates[0].seed_messages)
    base = {candidate.pair for candidate in candidates if candidate.base}
    inclusion = {pair: p for pair, p in (probabilities or {}).items() if pair not in base}
    return Sampled(
        candidates[0].seed_row, instruction, _rewards(candidates), _rewards(learned), inclusion or None
    )


def _rewards(candidates: list[Candidate]) -> dict[str, float]:
    return {candidate.pair: candidate.reward for candidate in candidates if candidate.reward is not None}


def _kinds(seeds: list[Sampled], embed: Embed, labels: dict[int, str] | None) -> Kinds | None:
    """The kind of each seed and the names of the kinds; None for too few seeds."""
    if labels is not None:
        return kinds_of_instructions.by_label(
            [labels.get(seed.row, kinds_of_instructions.OTHER) for seed in seeds]
        )
    if len(seeds) < 2 * kinds_of_instructions.MIN_DOMAIN_SEEDS:
        return None
    texts = [seed.instruction for seed in seeds]
    clusters = kinds_of_instructions.clustered(embed(texts))
    return clusters, kinds_of_instructions.named(texts, clusters)


def _worth(config: Config, seeds: list[Sampled], kinds: Kinds | None) -> Worth | None:
    """What other choices would have earned on the seeds whose draw can be recomputed, with the pairs that
    could be drawn there: nothing is known about the others, such as retired ones."""
    if kinds is None:
        return None
    possible = {pair for seed in seeds for pair, p in (seed.inclusion or {}).items() if p > 0}
    pairs = [pair for pair in config.drawn_pairs if pair in possible]
    index = {pair: number for number, pair in enumerate(pairs)}
    drawn = []
    for seed, kind in zip(seeds, kinds[0].tolist(), strict=True):
        inclusion = seed.inclusion or {}
        rewards = {index[pair]: value for pair, value in seed.learned.items() if pair in inclusion}
        if rewards:
            drawn.append(Drawn(kind, [inclusion.get(pair, 0.0) for pair in pairs], rewards))
    return worth_of(drawn, pairs, kinds[1], config.evolution.draws)


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
