"""The arms with which the others are compared."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from staragents.evaluation.choices import DATASET, RANDOM, RANDOM_LENGTH, SEEDS


def references_of(names: Sequence[str]) -> list[str]:
    """`seeds`, `random` and `random-length`; with several runs, `random`, `random-length` and `dataset` of
    the first one. The first arm if there is none of these."""
    found = [name for name in (SEEDS, RANDOM, RANDOM_LENGTH) if name in names]
    for ending in (f":{RANDOM}", f":{RANDOM_LENGTH}", f":{DATASET}"):
        found += [name for name in names if name.endswith(ending)][:1]
    return found or list(names[:1])


def families_of(others: Sequence[str], pairs: Collection[str]) -> list[list[str]]:
    """The arms that are compared with one reference, as families whose intervals hold at once: the arms of
    pairs are one of their own, the last, so that asking for them widens no other interval."""
    families = ([name for name in others if name not in pairs], [name for name in others if name in pairs])
    return [family for family in families if family]


def main_family(others: Sequence[str], pairs: Collection[str]) -> list[str]:
    """Of the arms that are compared with one reference, those that are no pair's; all of them if all are."""
    return next(iter(families_of(others, pairs)), [])
