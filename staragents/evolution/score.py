"""How a reward is read by policies that learn: as a score, and to a precision at which sums are exact."""

from __future__ import annotations

import math

# A judge's win probability below this is rounding.
SMALLEST_ODDS = 1e-5
WIDEST = math.log1p(1.0 / SMALLEST_ODDS)
GRAIN = 2.0**16


def rounded(value: float) -> float:
    """To 16 binary places: sums of such numbers, and of their products, are exact whatever the order.

    So shards add up to the last bit, and two runs that saw the same make the same draws.
    """
    return round(value * GRAIN) / GRAIN


def score(reward: float) -> float:
    """Log-odds of a reward in [0, 1], scaled to [0, 1] and rounded.

    A win probability is the logistic of the judge's margin, and margins are what is about normal: where
    most rewards are near 0 their mean hangs on a few large ones, while the mean margin shows early which
    pair is better.
    """
    margin = math.log((reward + SMALLEST_ODDS) / (1.0 - reward + SMALLEST_ODDS)) / WIDEST
    return rounded(0.5 + 0.5 * margin)
