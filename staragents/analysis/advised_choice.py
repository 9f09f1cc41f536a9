"""Says in sentences whether learning paid, which pairs to keep, and what the data can't tell."""

from __future__ import annotations

from collections.abc import Iterator

from staragents.analysis.worth import MIN_EFFECTIVE, MIN_SEEDS, Worth


def sentences(worth: Worth | None, seeds: int) -> list[str]:
    """What a user learns from `worth`; `seeds` is the number of seeds looked at."""
    if worth is None:
        return [
            f"{seeds} seeds are too few to tell whether learning paid (at least {MIN_SEEDS} with drawn pairs "
            "and rewards, and two pairs)."
        ]
    return [_about_learning(worth), _about_fixed(worth), _about_kinds(worth), _about_oracle(worth)]


def findings(worth: Worth | None, memory_enabled: bool) -> Iterator[str]:
    """Where the estimates are clear enough to change a setting."""
    if worth is None:
        return
    if _reliable(worth) and worth.fixed_beyond_run.low > 0:
        yield (
            f"always drawing {_pairs(worth)} would have earned more than the run did "
            f"({worth.fixed_beyond_run}): try these as agents.pairs, or a smaller evolution.exploration"
        )
    if worth.kinds_beyond_fixed.low > 0 and not memory_enabled:
        yield (
            "choosing pairs by kind of instruction would have earned more than the best fixed choice "
            f"({worth.kinds_beyond_fixed}): try memory.enabled=true"
        )


def _about_learning(worth: Worth) -> str:
    earned = f"The run earned {worth.run.mean:.3f} a draw, uniform draws would have earned {worth.uniform.mean:.3f}"
    difference = f"(difference {worth.learning})"
    if worth.learning.low > 0:
        return f"Learning paid: {_lower(earned)} {difference}."
    if worth.learning.high < 0:
        return f"Learning did not pay: {_lower(earned)} {difference}."
    return f"Whether learning paid can't be told: {_lower(earned)} {difference}."


def _about_fixed(worth: Worth) -> str:
    difference = worth.fixed_beyond_run
    which = f"Always drawing {_pairs(worth)}"
    if not _reliable(worth):
        return (
            f"What a fixed choice of pairs would have earned can't be told: only {worth.effective:.0f} effective "
            f"draws speak for it. So far {_pairs(worth)} look best."
        )
    value = f"would have earned {worth.fixed.mean:.3f} a draw, from choices made on half of the seeds and valued on the other half"
    if not difference.told:
        return f"{which} {value}: no measurable difference to the run ({difference})."
    more = "more" if difference.low > 0 else "less"
    return f"{which} {value}: {more} than the run ({difference})."


def _about_kinds(worth: Worth) -> str:
    difference = worth.kinds_beyond_fixed
    if len(worth.kinds) < 2:
        return "There are too few seeds of different kinds to tell whether kinds suit different pairs."
    if not difference.told:
        return f"No measurable gain from choosing pairs by kind of instruction ({difference})."
    if difference.high < 0:
        return f"Choosing pairs by kind of instruction would have earned less than the fixed choice ({difference})."
    kinds = [f"{kind.pair} for {kind.kind}" for kind in worth.kinds if kind.told and kind.beyond.low > 0]
    shown = f": {'; '.join(kinds)}" if kinds else ""
    return (
        f"Choosing pairs by kind of instruction would have earned {worth.by_kind.mean:.3f} a draw, more than the "
        f"fixed choice ({difference}){shown}."
    )


def _about_oracle(worth: Worth) -> str:
    return (
        f"The best of each seed's draws earned {worth.best_drawn.mean:.3f}: whoever knew the best pair of every "
        "instruction would have earned at least that with one draw. How much more, draws of a few pairs can't tell."
    )


def _reliable(worth: Worth) -> bool:
    return worth.effective >= MIN_EFFECTIVE


def _pairs(worth: Worth) -> str:
    return " and ".join(worth.fixed_pairs) if len(worth.fixed_pairs) < 3 else ", ".join(worth.fixed_pairs)


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
