"""Streams the user's seeds; every pass reads the files again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from staragents.base.errors import BadInput, RunFailed
from staragents.base.records import Seed
from staragents.config import SeedsConfig
from staragents.data.grouped_messages import GroupedMessages
from staragents.data.readers.data_files import Block, DataFiles
from staragents.data.readers.raw_row import BadRow, RawRow
from staragents.data.readers.row_messages import RowReader
from staragents.data.seed_digest import SeedDigest
from staragents.data.seed_path import SETTING, seed_path
from staragents.data.seed_row import SeedRow, digest_of, is_held_out, parse_row
from staragents.data.seed_scan import SeedScan, SeedTally
from staragents.data.seen import Seen

COLUMNS = "seeds.columns"


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
            encoding=config.encoding,
        )

    def scan(self) -> SeedScan:
        """Read everything once.

        Raises BadInput if the files are unusable, contain no seed, or contain bad rows with `seeds.strict`.
        """
        tally = SeedTally()
        for file, before, row in self._rows():
            if isinstance(row, BadRow):
                tally.bad.add(file, row)
            else:
                tally.add(row, before)
        tally.bad.check(self._config.path, tally.seeds + tally.held_out, self._config.strict, "usable row")
        if not tally.seeds and tally.held_out:
            share = f"seeds.hold_out: expected a smaller share than {self._config.hold_out:g}"
            raise BadInput(f"{share}, which holds out all {tally.held_out} seeds")
        if not tally.seeds:
            raise BadInput(f"{self._config.path}: expected rows, got an empty file")
        return tally.result(self._files.notes.lines())

    def seeds(self, start: int = 0) -> Iterator[Seed]:
        """The seeds in order, skipping the first `start`."""
        return (row.seed(before) for before, row in islice(self._seed_rows(), start, None))

    def seeds_of(self, scan: SeedScan, start: int = 0) -> Iterator[Seed]:
        """The seeds that `scan` found, skipping the first `start`.

        Raises RunFailed if the files have changed since, before it yields any other seed.
        """
        digest, block = SeedDigest(), list[Seed]()
        try:
            for before, row in self._seed_rows():
                if digest.seeds == scan.seeds:
                    raise self._changed("more seeds")
                digest.add(row.digest)
                if digest.seeds > start:
                    block.append(row.seed(before))
                if digest.at_mark and not digest.agrees(scan.marks):
                    raise self._changed("other seeds")
                if digest.at_mark:
                    yield from block
                    block.clear()
        except BadInput as error:
            raise self._changed(str(error)) from error
        if digest.seeds < scan.seeds:
            raise self._changed("fewer seeds")
        if digest.sha256 != scan.sha256:
            raise self._changed("other seeds")
        yield from block

    def _changed(self, found: str) -> RunFailed:
        return RunFailed(
            f"{SETTING}: {self._config.path} has changed during the run: {found}; restore it, then run the "
            "same command to resume"
        )

    def limit_for(self, seeds: int) -> int:
        """The `seeds.limit` that leaves the first `seeds` seeds, as it counts held-out ones too; all if there
        are fewer."""
        counted = found = 0
        for _, _, row in self._rows():
            if found == seeds:
                break
            if isinstance(row, SeedRow) and not row.repeated:
                counted += 1
                found += not row.held_out
        return counted

    def held_out(self) -> Iterator[Seed]:
        """The seeds that `seeds.hold_out` leaves out, in order."""
        for _, before, row in self._rows():
            if isinstance(row, SeedRow) and not row.repeated and row.held_out:
                yield row.seed(before)

    def bad_rows(self) -> Iterator[tuple[str, BadRow]]:
        """Every bad row with the name of its file."""
        return ((file, row) for file, _, row in self._rows() if isinstance(row, BadRow))

    def values(self, column: str) -> Iterator[tuple[int, Any]]:
        """The row number and raw value of every row that has the column."""
        files = DataFiles(self._files.path, {column}, setting=SETTING, encoding=self._config.encoding)
        for before, block in _numbered(files):
            for raw in block.rows:
                if isinstance(raw, RawRow) and isinstance(raw.value, dict) and column in raw.value:
                    yield before + raw.row, raw.value[column]

    def _blocks(self) -> Iterator[tuple[int, Block]]:
        """The blocks of conversations, each with the number of rows in earlier files."""
        blocks = _numbered(self._files)
        column = self._config.columns.conversation
        return GroupedMessages(column, f"{COLUMNS}.conversation").blocks(blocks) if column else blocks

    def _seed_rows(self) -> Iterator[tuple[int, SeedRow]]:
        """The row of each seed, with the number of rows in earlier files."""
        for _, before, row in self._rows():
            if isinstance(row, SeedRow) and not row.repeated and not row.held_out:
                yield before, row

    def _rows(self) -> Iterator[tuple[str, int, SeedRow | BadRow]]:
        """Each row with its file and the number of rows in earlier files, up to the last seed that
        `seeds.limit` allows."""
        seeds = 0
        with Seen() as seen:
            for before, block in self._blocks():
                rows = [parse_row(raw, self._reader) for raw in block.rows]
                _mark_repeated([row for row in rows if isinstance(row, SeedRow)], seen)
                for row in rows:
                    if self._config.hold_out and isinstance(row, SeedRow):
                        row.held_out = is_held_out(row.seed(before).seed_id, self._config.hold_out)
                    yield block.file, before, row
                    seeds += isinstance(row, SeedRow) and not row.repeated
                    if seeds == self._config.limit:
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


def _mark_repeated(rows: list[SeedRow], seen: Seen) -> None:
    digests = [digest_of(row.messages) for row in rows]
    for row, digest, repeated in zip(rows, digests, seen.repeated(digests), strict=True):
        row.digest, row.repeated = digest, repeated
