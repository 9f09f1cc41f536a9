"""Streams the user's seeds; every pass reads the files again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from staragents.base.errors import BadInput
from staragents.base.records import Seed
from staragents.config import SeedsConfig
from staragents.data.readers.data_files import Block, DataFiles
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.row_messages import RowReader
from staragents.data.seed_path import SETTING, seed_path
from staragents.data.seed_row import SeedRow, parse_row
from staragents.data.seen import Seen

PROBLEMS_SHOWN = 20
SAMPLE_SEEDS = 3
REASONS_KEPT = 50
OTHER_REASONS = "other reasons"


@dataclass(frozen=True, slots=True)
class SeedScan:
    """The result of one pass over the files, up to `seeds.limit`. `sha256` covers the conversations in order.
    `formats` counts seeds and `reasons` bad rows, most frequent first. `with_system` and `multi_turn` count
    seeds with a system prompt and seeds with turns before the last exchange."""

    seeds: int
    bad_rows: int
    duplicates: int
    sha256: str
    problems: tuple[str, ...]
    sample: tuple[Seed, ...]
    formats: dict[str, int]
    reasons: dict[str, int]
    with_system: int
    multi_turn: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """Consecutive rows of one file; `before` counts the rows of earlier files. `repeated` marks rows whose
    conversation occurred before."""

    file: str
    before: int
    rows: list[SeedRow | BadRow]
    digests: list[bytes]
    repeated: list[bool]


class SeedFile:
    """The seeds of a dataset. The same content and settings give the same seeds in the same order.

    Row numbers start at 1, are line numbers in JSONL, and continue across files. Repeated conversations are
    skipped as duplicates.
    """

    def __init__(self, config: SeedsConfig) -> None:
        """Raises BadInput if the files don't exist."""
        self._config = config
        self._reader = RowReader(
            config.columns, max_chars=config.max_chars, format=config.format, rewritable=True
        )
        self._files = DataFiles(
            seed_path(config.path),
            self._reader.columns,
            setting=SETTING,
            max_unpacked_bytes=int(config.max_unpacked_gib * (1 << 30)),
        )

    def scan(self) -> SeedScan:
        """Read everything once.

        Raises BadInput if the files are unusable, contain no seed, or contain bad rows with `seeds.strict`.
        """
        seeds = duplicates = bad_rows = with_system = multi_turn = 0
        formats: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        problems: list[str] = []
        sample: list[Seed] = []
        digest = hashlib.sha256()
        name = self._config.path
        for piece in self._pieces():
            for row, row_digest, repeated in zip(piece.rows, piece.digests, piece.repeated, strict=True):
                if isinstance(row, BadRow):
                    bad_rows += 1
                    _count_reason(reasons, row)
                    if len(problems) < PROBLEMS_SHOWN:
                        problems.append(row.located(piece.file))
                elif repeated:
                    duplicates += 1
                else:
                    seeds += 1
                    formats[row.format] += 1
                    has_system = row.messages[0].role == "system"
                    with_system += has_system
                    multi_turn += len(row.messages) > 2 + has_system
                    digest.update(row_digest)
                    if len(sample) < SAMPLE_SEEDS:
                        sample.append(row.seed(piece.before))
        if bad_rows and (self._config.strict or not seeds):
            if bad_rows > len(problems):
                problems.append(f"{name}: and {bad_rows - len(problems)} more bad rows")
            if not seeds:
                problems.append(f"{name}: expected at least one usable row, got {bad_rows} bad ones")
            raise BadInput(problems)
        if not seeds:
            raise BadInput(f"{name}: expected rows, got an empty file")
        return SeedScan(
            seeds,
            bad_rows,
            duplicates,
            digest.hexdigest(),
            tuple(problems),
            tuple(sample),
            {str(found): count for found, count in formats.most_common()},
            dict(reasons.most_common()),
            with_system,
            multi_turn,
        )

    def seeds(self, start: int = 0) -> Iterator[Seed]:
        """The seeds in order, skipping the first `start`."""
        number = 0
        for piece in self._pieces():
            for row, repeated in zip(piece.rows, piece.repeated, strict=True):
                if isinstance(row, SeedRow) and not repeated:
                    number += 1
                    if number > start:
                        yield row.seed(piece.before)

    def bad_rows(self) -> Iterator[tuple[str, BadRow]]:
        """Every bad row with the name of its file."""
        for piece in self._pieces():
            yield from ((piece.file, row) for row in piece.rows if isinstance(row, BadRow))

    def values(self, column: str) -> Iterator[tuple[int, Any]]:
        """The row number and raw value of every row that has the column."""
        files = DataFiles(self._files.path, {column}, setting=SETTING)
        for before, block in _numbered(files):
            for raw in block.rows:
                if isinstance(raw, RawRow) and isinstance(raw.value, dict) and column in raw.value:
                    yield before + raw.row, raw.value[column]

    def _pieces(self) -> Iterator[_Piece]:
        left = self._config.limit
        with Seen() as seen:
            for before, block in _numbered(self._files):
                rows = [parse_row(raw, self._reader) for raw in block.rows]
                digests = [row.digest() if isinstance(row, SeedRow) else b"" for row in rows]
                known = iter(seen.repeated([digest for digest in digests if digest]))
                repeated = [next(known) if digest else False for digest in digests]
                if left is not None:
                    end = _end(rows, repeated, left)
                    rows, digests, repeated = rows[:end], digests[:end], repeated[:end]
                    left -= sum(isinstance(row, SeedRow) for row in rows) - sum(repeated)
                yield _Piece(block.file, before, rows, digests, repeated)
                if left == 0:
                    return


def _numbered(files: DataFiles) -> Iterator[tuple[int, Block]]:
    """The blocks, each with the number of rows in earlier files."""
    before = last = 0
    file = None
    for block in files.blocks():
        if block.file != file:
            file, before = block.file, before + last
        last = block.rows[-1].row if block.rows else last
        yield before, block


def _end(rows: list[SeedRow | BadRow], repeated: list[bool], limit: int) -> int:
    """The number of rows that contain `limit` seeds; all rows if there are fewer seeds."""
    for index, (row, again) in enumerate(zip(rows, repeated, strict=True)):
        limit -= isinstance(row, SeedRow) and not again
        if limit == 0:
            return index + 1
    return len(rows)


def _count_reason(reasons: Counter[str], row: BadRow) -> None:
    kind = row.problem.kind
    reasons[kind if kind in reasons or len(reasons) < REASONS_KEPT else OTHER_REASONS] += 1
