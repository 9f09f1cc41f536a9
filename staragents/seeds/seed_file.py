"""The user's seed file, read from start to end as often as it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from staragents.config import SeedsConfig
from staragents.errors import BadInput
from staragents.records import Seed
from staragents.rows.content import Content, opened
from staragents.rows.json_rows import json_rows
from staragents.rows.raw_row import BadRow
from staragents.rows.row_messages import RowReader
from staragents.seeds.row import parse_row
from staragents.seeds.seed_path import seed_path

PROBLEMS_SHOWN = 20
SAMPLE_SEEDS = 3


@dataclass(frozen=True, slots=True)
class SeedScan:
    """What one pass over the file found, up to `seeds.limit`. `sha256` is of the whole unpacked content."""

    seeds: int
    bad_rows: int
    duplicates: int
    sha256: str
    problems: tuple[str, ...]
    sample: tuple[Seed, ...]


@dataclass(frozen=True, slots=True)
class _Duplicate:
    row: int


class SeedFile:
    """The same content and settings give the same seeds in the same order. Row numbers count from 1; in
    JSONL they are line numbers. A conversation that came before is a duplicate, and left out.
    """

    def __init__(self, config: SeedsConfig) -> None:
        """Raises BadInput if there is no such file."""
        self.path = seed_path(config.path)
        self._config = config

    def scan(self) -> SeedScan:
        """Read everything once.

        Raises BadInput if the file can't be used, has no seed at all, or has bad rows and is `strict`.
        """
        seeds = duplicates = bad_rows = 0
        problems: list[str] = []
        sample: list[Seed] = []
        name = self._config.path
        with opened(self.path, name) as content:
            for item in self._items(content):
                if isinstance(item, Seed):
                    seeds += 1
                    if len(sample) < SAMPLE_SEEDS:
                        sample.append(item)
                elif isinstance(item, _Duplicate):
                    duplicates += 1
                else:
                    bad_rows += 1
                    if len(problems) < PROBLEMS_SHOWN:
                        problems.append(f"{name}:{item.row}:{item.field}: {item.message}")
            digest = content.sha256()
        if bad_rows and (self._config.strict or not seeds):
            if bad_rows > len(problems):
                problems.append(f"{name}: and {bad_rows - len(problems)} more bad rows")
            if not seeds:
                problems.append(f"{name}: expected at least one usable row, got {bad_rows} bad ones")
            raise BadInput(problems)
        if not seeds:
            raise BadInput(f"{name}: expected rows, got an empty file")
        return SeedScan(seeds, bad_rows, duplicates, digest, tuple(problems), tuple(sample))

    def seeds(self, start: int = 0) -> Iterator[Seed]:
        """The seeds in file order, without the first `start`."""
        with opened(self.path, self._config.path) as content:
            usable = (item for item in self._items(content) if isinstance(item, Seed))
            yield from islice(usable, start, None)

    def bad_rows(self) -> Iterator[tuple[int, str, str]]:
        """Row number, field and message of every bad row."""
        with opened(self.path, self._config.path) as content:
            for item in self._items(content):
                if isinstance(item, BadRow):
                    yield item.row, item.field, item.message

    def _items(self, content: Content) -> Iterator[Seed | BadRow | _Duplicate]:
        seen: set[str] = set()
        for item in self._rows(content):
            if isinstance(item, BadRow):
                yield item
            elif item.seed_id in seen:
                yield _Duplicate(item.row)
            else:
                seen.add(item.seed_id)
                yield item
                if len(seen) == self._config.limit:
                    return

    def _rows(self, content: Content) -> Iterator[Seed | BadRow]:
        reader = RowReader(max_chars=self._config.max_chars)
        for raw in json_rows(content, self._config.path):
            yield raw if isinstance(raw, BadRow) else parse_row(raw, reader)
