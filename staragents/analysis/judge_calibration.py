"""How often a judge errs on comparisons with a known answer, and the margin that prevents it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from staragents.agents.judge_trials import Harm
from staragents.agents.verdict import Verdict
from staragents.config.reward import LARGEST_MARGIN

MOST_SPOILED = 0.05
"""The largest share of better seeds that a margin should let worse candidates replace."""
STEP = 0.01


@dataclass(frozen=True, slots=True)
class HarmResult:
    """The verdicts on one kind of harm. `unreadable` and `failed` count trials without a verdict: by an
    answer that has none, and by a request that failed. `spoiled`: share of seeds that the harmed response
    would replace (w above 1/2 plus the margin)."""

    trials: int
    unreadable: int
    failed: int
    mean_win: float | None
    spoiled: float | None


@dataclass(frozen=True, slots=True)
class JudgeCalibration:
    """What a judge does with a candidate that is worse than the seed, and with one that is better.

    The same verdicts say both, as the orders of a comparison are symmetric: if the harmed response has
    probability w, the whole one has 1 - w.
    """

    judge: str
    """The judge's model, or its kind of engine, such as fake."""
    margin: float
    """The margin of the config, for `spoiled` and `taken`."""
    harms: dict[str, HarmResult]
    spoiled: float | None
    """Share of seeds that a worse candidate would replace; None without a readable verdict."""
    taken: float | None
    """Share of seeds that a better candidate would replace."""
    agreement: float | None
    """Share of comparisons in which both orders have the same verdict."""
    enough: float | None
    """The smallest margin with which worse candidates would replace at most 5 % of the seeds; None if there
    is none."""
    taken_then: float | None
    """Share of seeds that a better candidate would replace with that margin."""
    failure: str | None = None
    """Why the first request that failed did so."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def calibration_of(
    verdicts: Sequence[tuple[Harm, Verdict | None]],
    judge: str,
    margin: float,
    failed: Sequence[Harm] = (),
    failure: str | None = None,
) -> JudgeCalibration:
    """From the verdicts on harmed responses; None is an unreadable one. `failed`: the harm of each trial
    whose request failed, `failure`: why the first did so. These say nothing about the judge."""
    wins: Mapping[Harm, list[float]] = {harm: [] for harm in Harm}
    asked = {harm: failed.count(harm) for harm in Harm}
    agreements = []
    for harm, verdict in verdicts:
        asked[harm] += 1
        if verdict is not None:
            wins[harm].append(verdict.win)
            if verdict.agreement is not None:
                agreements.append(verdict.agreement)
    harms = {
        harm.value: HarmResult(
            trials=asked[harm],
            unreadable=asked[harm] - failed.count(harm) - len(found),
            failed=failed.count(harm),
            mean_win=_mean(found),
            spoiled=_above(np.array(found), margin),
        )
        for harm, found in wins.items()
        if asked[harm]
    }
    every = np.array([win for found in wins.values() for win in found])
    margins = np.round(np.arange(0.0, LARGEST_MARGIN + STEP / 2, STEP), 2).tolist()
    spoiled = ((one, _above(every, one)) for one in margins)
    enough = next((one for one, share in spoiled if share is not None and share <= MOST_SPOILED), None)
    return JudgeCalibration(
        judge=judge,
        margin=margin,
        harms=harms,
        spoiled=_above(every, margin),
        taken=_above(1.0 - every, margin),
        agreement=_mean(agreements),
        enough=enough,
        taken_then=None if enough is None else _above(1.0 - every, enough),
        failure=failure,
    )


def _above(wins: np.ndarray[Any, np.dtype[np.float64]], margin: float) -> float | None:
    return round(float((wins > 0.5 + margin).mean()), 4) if len(wins) else None


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
