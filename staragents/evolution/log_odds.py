"""Maps rewards to log-odds scores, rounded so that sums are exact."""

from __future__ import annotations

import math

# Smaller win probabilities are rounding errors.
MIN_ODDS = 1e-5
MAX_LOG_ODDS = math.log1p(1.0 / MIN_ODDS)
RESOLUTION = 2.0**16


def rounded(value: float) -> float:
    """Round to 16 binary places, so that sums of such numbers and of their products are exact in any order.

    Shards then add up to the last bit, and two runs with equal observations make equal draws.
    """
    return round(value * RESOLUTION) / RESOLUTION


def score(reward: float) -> float:
    """Log-odds of a reward in [0, 1], scaled to [0, 1] and rounded.

    A win probability is the logistic of the judge's margin, and margins are approximately normal. If most
    rewards are near 0, their mean depends on a few large ones, while the mean margin soon shows which pair
    is better.
    """
    margin = math.log((reward + MIN_ODDS) / (1.0 - reward + MIN_ODDS)) / MAX_LOG_ODDS
    return rounded(0.5 + 0.5 * margin)
