"""Progress of a run: counters for the live progress view and the status line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from actors.generator_client import ModelCounters
from staragents.base.records import Candidate
from staragents.evolution.policy import PairStats


@dataclass(slots=True)
class Progress:
    """Counters over committed seeds and their candidates, kept across resumes."""

    total_seeds: int
    seeds: int = 0
    drawn: int = 0
    generated: int = 0
    scored: int = 0
    judged: int = 0
    accepted: int = 0
    failed: int = 0
    rejected: int = 0
    recalled: int = 0
    remembered: int = 0
    memory_failures: int = 0
    last_error: str = ""
    verdicts: int = 0
    """Candidates with a readable verdict of the judge; `judged` includes those that needed none."""
    unreadable: int = 0
    first_unreadable: str = ""

    def commit(self, candidates: list[Candidate], chosen: Candidate | None, hit: bool) -> None:
        self.seeds += 1
        self.drawn += len(candidates)
        self.recalled += hit
        self.accepted += chosen is not None
        for candidate in candidates:
            self.generated += candidate.generated
            self.scored += candidate.scored
            self.judged += candidate.judge_win is not None
            self.rejected += candidate.rejected
            self.verdicts += candidate.has_verdict
            if candidate.unreadable:
                self.unreadable += 1
                self.first_unreadable = self.first_unreadable or candidate.error_message or ""
            if candidate.failed:
                self.failed += 1
                self.last_error = f"{candidate.last_stage}: {candidate.error_message}"

    def memory(self) -> dict[str, float]:
        return {
            "hits": self.recalled,
            "hit_rate": self.recalled / self.seeds if self.seeds else 0.0,
            "failures": self.memory_failures,
        }

    def state(self) -> dict[str, Any]:
        return asdict(self)

    def restore(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def status(
        self,
        in_work: int,
        draining: bool,
        counters: dict[str, ModelCounters],
        pair_stats: list[PairStats],
        ledger: dict[str, Any],
        rates: dict[str, float],
        seconds: float,
        seconds_here: float,
    ) -> dict[str, Any]:
        """`rates`: of the last minutes, per second: `seeds`, and `tokens.MODEL` for generated tokens."""
        return {
            **asdict(self),
            "in_work": in_work,
            "draining": draining,
            "models": {name: asdict(counter) for name, counter in counters.items()},
            "standings": [asdict(stats) for stats in pair_stats],
            "ledger": ledger,
            "seeds_per_s": rates["seeds"],
            "tokens_per_s": {name: rates[f"tokens.{name}"] for name in counters},
            "seconds": seconds,
            "seconds_here": seconds_here,
        }
