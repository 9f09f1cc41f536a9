"""All metrics of a run: name, labels and meaning. Ray exports them on each node."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ray.util.metrics import Counter, Gauge, Histogram, Metric

from actors.generator_client import ModelCounters
from staragents.base.records import Candidate, Status
from staragents.base.statistics import relative_entropy
from staragents.evolution.policy import PairStats


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric. Label values come from the config or from our code, never from ids or texts, so the number
    of series is bounded."""

    kind: type[Metric]
    meaning: str
    labels: tuple[str, ...] = ()
    boundaries: list[float] = field(default_factory=list)

    def make(self, name: str, run: str) -> Metric:
        more = {"boundaries": self.boundaries} if self.boundaries else {}
        metric = self.kind(name, self.meaning, tag_keys=("run", *self.labels), **more)
        return metric.set_default_tags({"run": run})


SECONDS = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]
SHORT = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]

# A counter is exported with the suffix `_total`, a histogram with `_bucket`, `_sum` and `_count`.
METRICS = {
    "staragents_candidates": Spec(Counter, "Committed candidates by where they ended", ("stage", "outcome")),
    "staragents_rejected": Spec(Counter, "Rejected candidates by rule", ("reason",)),
    "staragents_stage_seconds": Spec(
        Histogram, "Engine seconds of a candidate in a stage", ("stage",), SECONDS
    ),
    "staragents_seeds_admitted": Spec(Counter, "Seeds started"),
    "staragents_seeds_committed": Spec(Counter, "Seeds committed by this process"),
    "staragents_seeds": Spec(Gauge, "Seeds of the run", ("state",)),
    "staragents_requests_in_flight": Spec(Gauge, "Requests sent and not answered", ("model",)),
    "staragents_tokens": Spec(Counter, "Tokens of answered requests", ("model", "kind")),
    "staragents_answers": Spec(Counter, "Requests answered", ("model",)),
    "staragents_retries": Spec(Counter, "Retries of requests", ("model",)),
    "staragents_failures": Spec(Counter, "Requests failed after all attempts", ("model",)),
    "staragents_memory_recalls": Spec(Counter, "Calls of the memory bank", ("outcome",)),
    "staragents_memory_seconds": Spec(Histogram, "Seconds per call of the memory bank", (), SHORT),
    "staragents_scorer_outstanding_characters": Spec(
        Gauge, "Characters waiting for or at a scorer, about four per token", ("role",)
    ),
    "staragents_policy_entropy": Spec(
        Gauge, "Entropy of the next draw relative to a uniform draw: 1 is undecided, 0 has converged"
    ),
    "staragents_loop_lag_seconds": Spec(Histogram, "How late the coordinator's loop wakes", (), SHORT),
    "staragents_checkpoint_age_seconds": Spec(Gauge, "Seconds since the last save"),
}


class RunMetrics:
    """The metrics of one coordinator. If disabled, every method does nothing."""

    def __init__(self, run: str, enabled: bool = True) -> None:
        self._metrics = {name: spec.make(name, run) for name, spec in METRICS.items()} if enabled else {}
        self._counted: dict[tuple[str, str, str], int] = {}
        # A call of Ray's counter takes 15 us of the coordinator's CPU time, so counts are exported in sums.
        self._uncounted: Counts[tuple[str, tuple[tuple[str, str], ...]]] = Counts()

    @property
    def enabled(self) -> bool:
        return bool(self._metrics)

    def committed(self, candidates: Iterable[Candidate]) -> None:
        """Count the candidates of a committed seed."""
        self._count("staragents_seeds_committed")
        for candidate in candidates:
            stage, outcome = ended(candidate)
            self._count("staragents_candidates", 1, stage=stage, outcome=outcome)
            if candidate.reject_reason is not None:
                self._count("staragents_rejected", 1, reason=candidate.reject_reason)
            for name, seconds in (candidate.stage_seconds or {}).items():
                self._observe("staragents_stage_seconds", seconds, stage=name)

    def admitted(self) -> None:
        self._count("staragents_seeds_admitted")

    def memory_called(self, seconds: float, outcome: str) -> None:
        """One call of the memory bank: `hit`, `miss`, `stored` (no recall) or `failed`."""
        self._count("staragents_memory_recalls", 1, outcome=outcome)
        self._observe("staragents_memory_seconds", seconds)

    def lagged(self, seconds: float) -> None:
        self._observe("staragents_loop_lag_seconds", seconds)

    def requests(self, counters: Mapping[str, ModelCounters]) -> None:
        """Export what the client has counted since the last call; `counters` are totals."""
        for model, counter in counters.items():
            self._set("staragents_requests_in_flight", counter.running, model=model)
            for kind, tokens in (("in", counter.tokens_in), ("out", counter.tokens_out)):
                self._count_to("staragents_tokens", tokens, model, kind)
            self._count_to("staragents_answers", counter.answers, model)
            self._count_to("staragents_retries", counter.retries, model)
            self._count_to("staragents_failures", counter.failures, model)

    def state(
        self,
        seeds: Mapping[str, int],
        outstanding: Mapping[str, int],
        pair_stats: Iterable[PairStats],
        checkpoint_age_s: float,
    ) -> None:
        """Set the gauges and export all counts. Called periodically, as Ray drops gauges that are not set
        again (ray#56405)."""
        for name, count in seeds.items():
            self._set("staragents_seeds", count, state=name)
        for role, characters in outstanding.items():
            self._set("staragents_scorer_outstanding_characters", characters, role=role)
        probabilities = [one.probability for one in pair_stats if one.drawable]
        self._set("staragents_policy_entropy", relative_entropy(probabilities))
        self._set("staragents_checkpoint_age_seconds", checkpoint_age_s)
        self._export_counts()

    def _count_to(self, name: str, total: int, model: str, kind: str = "") -> None:
        more = total - self._counted.get((name, model, kind), 0)
        self._counted[name, model, kind] = total
        self._count(name, more, model=model, **({"kind": kind} if kind else {}))

    def _count(self, name: str, by: int = 1, **labels: str) -> None:
        if by > 0 and self.enabled:
            self._uncounted[name, tuple(labels.items())] += by

    def _export_counts(self) -> None:
        for (name, labels), count in self._uncounted.items():
            metric = self._metrics[name]
            assert isinstance(metric, Counter)
            metric.inc(count, dict(labels))
        self._uncounted.clear()

    def _set(self, name: str, value: float, **labels: str) -> None:
        metric = self._metrics.get(name)
        if isinstance(metric, Gauge):
            metric.set(value, labels)

    def _observe(self, name: str, value: float, **labels: str) -> None:
        metric = self._metrics.get(name)
        if isinstance(metric, Histogram):
            metric.observe(value, labels)


def ended(candidate: Candidate) -> tuple[str, str]:
    """The stage that a candidate reached, and its outcome."""
    match candidate.status:
        case Status.failed:
            outcome = "failed"
        case Status.rejected | Status.misaligned:
            outcome = "rejected"
        case Status.chosen:
            outcome = "selected"
        case _:
            outcome = "not_selected"
    return candidate.last_stage, outcome
