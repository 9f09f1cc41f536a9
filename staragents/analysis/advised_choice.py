"""Says in sentences whether learning paid, which pairs to keep, and what the data do not show."""

from __future__ import annotations

from collections.abc import Iterator

from staragents.analysis.worth import MIN_SEEDS, Worth


def sentences(worth: Worth | None, not_reproduced: int, seeds: int) -> list[str]:
    """What a user learns from `worth`. Of the `seeds` looked at, `not_reproduced` were drawn in a way that
    can't be recomputed."""
    if worth is not None:
        return [_about_learning(worth), _about_fixed(worth), _about_kinds(worth), _about_oracle(worth)]
    if 2 * not_reproduced > seeds:
        return [
            "It is unknown whether learning paid: another version or machine drew the pairs, or the agents "
            "changed meanwhile, so their probabilities can't be recomputed."
        ]
    return [
        f"{seeds} seeds do not show whether learning paid: this takes at least {MIN_SEEDS} seeds with drawn "
        "pairs and rewards, and at least two pairs."
    ]


def findings(worth: Worth | None, memory_enabled: bool) -> Iterator[str]:
    """Where the estimates are clear enough to change a setting."""
    if worth is None:
        return
    if worth.fixed_beyond_run is not None and worth.fixed_beyond_run.low > 0:
        yield (
            f"always drawing {_pairs(worth)} would have earned more than the run did "
            f"({worth.fixed_beyond_run} in its "
            "second half): try these as agents.pairs, or a smaller evolution.exploration"
        )
    if worth.kinds_beyond_fixed is not None and worth.kinds_beyond_fixed.low > 0 and not memory_enabled:
        yield (
            "choosing pairs by kind of instruction would have earned more than the best fixed choice "
            f"({worth.kinds_beyond_fixed}): try memory.enabled=true"
        )


def _about_learning(worth: Worth) -> str:
    numbers = (
        f"the run earned {worth.run.mean:.3f} a draw, uniform draws would have earned "
        f"{worth.uniform.mean:.3f} (difference {worth.learning})."
    )
    if not worth.learning.told:
        return f"No measurable effect of learning so far: {numbers}"
    return f"Learning {'paid' if worth.learning.low > 0 else 'did not pay'}: {numbers}"


def _about_fixed(worth: Worth) -> str:
    if worth.fixed is None or worth.fixed_beyond_run is None:
        return (
            f"No estimate for a fixed choice: {_pairs(worth)} were best in the first "
            "half of the seeds and drawn too rarely in the second."
        )
    difference = worth.fixed_beyond_run
    result = "no measurable difference" if not difference.told else ("more" if difference.low > 0 else "less")
    return (
        f"Always drawing {_pairs(worth)}, the best in the first half of the seeds, would have earned "
        f"{worth.fixed.mean:.3f} a draw in the second half, where the run earned {worth.run_late.mean:.3f}: "
        f"{result} ({difference})."
    )


def _about_kinds(worth: Worth) -> str:
    difference = worth.kinds_beyond_fixed
    if len(worth.kinds) < 2:
        return "The instructions are of one kind, so there is nothing to choose by kind."
    if difference is None or worth.by_kind is None:
        return "There is no estimate for choosing by kind of instruction either."
    if difference.low == difference.high == 0:
        return (
            "No estimate for choosing pairs by kind of instruction: no kind has another choice that was "
            "drawn often enough in the second half."
        )
    if not difference.told:
        return f"Choosing pairs by kind of instruction: no difference that can be measured ({difference})."
    more = "more" if difference.low > 0 else "less"
    return (
        f"Choosing pairs by kind of instruction would have earned {worth.by_kind.mean:.3f}, {more} than the "
        f"fixed choice ({difference})."
    )


def _about_oracle(worth: Worth) -> str:
    return (
        f"The better of each seed's draws earned {worth.best_drawn.mean:.3f}: an oracle that knows the best "
        "pair for every instruction would have earned at least that; a few draws per seed do not show how "
        "much more."
    )


def _pairs(worth: Worth) -> str:
    *others, last = worth.fixed_pairs
    return f"{', '.join(others)} and {last}" if others else last
