"""Recognises texts that repeat themselves, as degenerate models do."""

from __future__ import annotations

from staragents.text.words import words

LONGEST_PERIOD = 40
LOOP_WORDS = 12


def loops(text: str) -> bool:
    """Whether words repeat as in a degenerate loop.

    Either a phrase of up to LONGEST_PERIOD words occurs three or more times in a row and repeats at least
    LOOP_WORDS words (numbers don't count, as loops often number their lines), or two thirds of the four-word
    phrases of a longer text are repetitions.
    """
    found = [word for word in words(text) if not word.isdecimal()]
    phrases = list(zip(found, found[1:], found[2:], found[3:], strict=False))
    # A loop repeats at least this many phrases; most texts don't, so they skip the check of every period.
    if len(phrases) - len(set(phrases)) < LOOP_WORDS - 3:
        return False
    for period in range(1, min(LONGEST_PERIOD, len(found) // 2) + 1):
        run = 0
        for earlier, later in zip(found, found[period:], strict=False):
            run = run + 1 if earlier == later else 0
            if run >= max(2 * period, LOOP_WORDS):
                return True
    return len(phrases) >= 48 and len(set(phrases)) <= len(phrases) / 3
