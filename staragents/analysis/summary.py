"""Summarises a run in one pass over its candidates: funnel, cost, pairs, judge, IFD and memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from staragents.analysis.advice import warnings_for
from staragents.analysis.memory_tally import MemoryTally
from staragents.analysis.tallies import CostTally, IfdTally, JudgeTally, PairTally, ratio
from staragents.base.records import Candidate, Stage, Status, rejected_by
from staragents.config import Config


@dataclass(slots=True)
class RunTally:
    """Counters over all candidates of a run with this config, in bounded memory."""

    config: Config
    counts: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    thoughts_cut_off: Counter[str] = field(default_factory=Counter)
    """By section and name of the agent, such as `response.careful`."""
    cost: CostTally = field(default_factory=CostTally)
    pairs: defaultdict[str, PairTally] = field(default_factory=lambda: defaultdict(PairTally))
    judge: JudgeTally = field(default_factory=JudgeTally)
    ifd: IfdTally = field(default_factory=IfdTally)
    memory: MemoryTally = field(default_factory=MemoryTally)

    def add_seed(self, candidates: list[Candidate]) -> None:
        self.counts["finished"] += 1
        if not any(candidate.selected for candidate in candidates):
            self.counts["without_winner"] += 1
            # The judge prefers one, but by less than the margin: otherwise it could be chosen at any reward.
            self.counts["within_margin"] += self.config.reward.require_win and any(
                one.status is Status.outranked for one in candidates
            )
        self.memory.add_seed(candidates)
        self.judge.add_seed(candidates, self.config)
        for candidate in candidates:
            self._add(candidate)

    def _add(self, candidate: Candidate) -> None:
        self.counts["drawn"] += 1
        self.counts["generated"] += candidate.written
        self.counts["scored"] += candidate.scored
        self.counts["judged"] += candidate.judge_win is not None
        self.counts["accepted"] += candidate.selected
        if candidate.failed:
            self.failed[candidate.last_stage] += 1
        elif candidate.rejected:
            self.rejected[candidate.reject_reason or ""] += 1
            self._add_cut_off(candidate)
        self.cost.add(candidate)
        self.pairs[candidate.pair].add(candidate)
        self.ifd.add(candidate)

    def _add_cut_off(self, candidate: Candidate) -> None:
        stage, rule = rejected_by(candidate.reject_reason or "")
        if rule == "thought_cut_off":
            of_rewrite = f"instruction.{candidate.instruction_agent}"
            self.thoughts_cut_off[
                of_rewrite if stage is Stage.rewrite else f"response.{candidate.response_agent}"
            ] += 1

    def summary(self, run: dict[str, Any]) -> dict[str, Any]:
        """The JSON-able summary.

        `run` contains facts that are not in the candidates; it is stored unchanged under the key `run`. Keys,
        all optional: `engines` {generator model: kind}, `parts` {judge, target, larger, embedder: kind},
        `seeds`, `bad_rows`, `duplicates`, `held_out`, `fallback` (reward.fallback), `dataset`
        (`dataset.Written`), `memory_enabled`, `wall_seconds`, `models_of` {agent or judge: its model},
        `reasoning_off` (models that are asked not to think).
        """
        keeps_seed = run.get("fallback", "seed") == "seed"
        without = self.counts["without_winner"]
        kinds = {**run.get("engines", {}), **run.get("parts", {})}
        fake = sorted(name for name, kind in kinds.items() if kind == "fake")
        tokens = self.cost.tokens
        wall = run.get("wall_seconds")
        kept_seed = without if keeps_seed else 0
        accepted = self.counts["accepted"]
        dataset = run.get("dataset", {"rows": accepted + kept_seed, "rewritten": accepted})
        summary: dict[str, Any] = {
            "engine": "fake" if fake else "+".join(sorted(set(run.get("engines", {}).values()))) or "unknown",
            "fake": fake,
            "funnel": {
                "seeds": run.get("seeds", self.counts["finished"]),
                "bad_rows": run.get("bad_rows", 0),
                "duplicates": run.get("duplicates", 0),
                **({"held_out": run["held_out"]} if run.get("held_out") else {}),
                "finished": self.counts["finished"],
                **{key: self.counts[key] for key in ("drawn", "generated", "scored", "judged", "accepted")},
                "kept_seed": kept_seed,
                "left_out": 0 if keeps_seed else without,
                "within_margin": self.counts["within_margin"],
                "rows": dataset["rows"],
                "rewritten": dataset["rewritten"],
                "filtered": dataset.get("filtered", {}),
                "flagged": dataset.get("flagged", {}),
                "seed_instead": dataset.get("seed_instead", 0),
                "filtered_out": dataset.get("filtered_out", 0),
                "rejected": dict(self.rejected.most_common()),
                "failed": dict(self.failed.most_common()),
            },
            "cost": {
                "tokens_in": self.cost.tokens_in.total(),
                "tokens_out": self.cost.tokens_out.total(),
                **({"reasoning_tokens": thought} if (thought := self.cost.thought.total()) else {}),
                "seconds": round(sum(self.cost.seconds.values()), 3),
                "wall_seconds": wall,
                "tokens_out_per_second": ratio(self.cost.tokens_out.total(), wall or 0),
                "tokens_per_accepted": ratio(tokens, self.counts["accepted"]),
                "stages": self.cost.stages(),
            },
            "pairs": {name: self.pairs[name].summary() for name in sorted(self.pairs)},
            "judge": self.judge.summary(),
            "ifd": self.ifd.summary(),
            "memory": self.memory.summary(bool(run.get("memory_enabled", False))),
            "run": run,
        }
        if self.thoughts_cut_off:
            summary["thoughts_cut_off"] = dict(self.thoughts_cut_off.most_common())
        summary["warnings"] = warnings_for(summary)
        return summary
