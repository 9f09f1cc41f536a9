"""Reads the candidates of a run once, for everything that is measured from them or written from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from staragents.base.records import Candidate


class Sink(Protocol):
    """Receives every seed of a run in commit order, and keeps a bounded part of it."""

    def add_seed(self, candidates: list[Candidate]) -> None:
        """Add the candidates of the next seed."""


def one_pass(seeds: Iterable[list[Candidate]], *sinks: Sink) -> None:
    """Give every seed to all sinks, in their order."""
    for candidates in seeds:
        for sink in sinks:
            sink.add_seed(candidates)
