"""The scores of an unfinished command on disk, contiguous from the first row."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from staragents.base.errors import BadInput, RunFailed
from staragents.files.atomic_file import TEMPORARY, replacing, write_text
from staragents.score_file.command_facts import changed, with_known_commits

MANIFEST = "command.json"
ASIDE = "damaged"
WRITE_EVERY_S = 5.0
# Otherwise days of scoring with a part every few seconds would make too many files.
PARTS_TO_JOIN = 200


class Parts:
    """A folder of `part-START-END.parquet`: rows START to END - 1 of the input. A part is complete once it
    has its final name, and never changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = 0
        """Number of rows on disk, contiguous from the first."""
        self.set_aside: list[str] = []
        """Parts that are damaged or follow a gap. Their rows are scored again."""
        self._waiting: list[pa.Table] = []
        self._written = float("-inf")
        self._small: list[Path] = []
        self._lock = FileLock(folder / ".lock")

    def manifest(self) -> dict[str, Any] | None:
        """The `facts` and `overwrites` that the parts were opened with, or None if there are none."""
        try:
            return dict(json.loads((self.folder / MANIFEST).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise BadInput(f"{self.folder / MANIFEST}: can't be read: {error}") from error

    def open(self, facts: dict[str, Any], overwrites: bool) -> None:
        """Resume the parts that belong to `facts`; delete any others. Once true, `overwrites` stays true.
        Raises RunFailed if another process writes to the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=1)
        except Timeout:
            raise RunFailed(f"{self.folder} is being written by another command") from None
        before = self.manifest()
        if before is None or changed(before["facts"], facts):
            self._empty()
        else:
            overwrites = overwrites or before["overwrites"]
            facts = with_known_commits(before["facts"], facts)
        manifest = json.dumps({"facts": facts, "overwrites": overwrites})
        write_text(self.folder / MANIFEST, manifest)
        for leftover in self.folder.glob(TEMPORARY):
            leftover.unlink()  # Left by a kill while a file was written.
        self.rows = 0
        for path, start, end in self._names():
            if end <= self.rows:
                path.unlink()  # Left by a kill while parts were joined.
            elif start == self.rows and _whole(path, end - start):
                self.rows = end
            else:
                self._set_aside(path)

    def append(self, table: pa.Table) -> None:
        """Add the scores of the next rows. They are written after WRITE_EVERY_S or on `flush`."""
        self._waiting.append(table)
        if time.monotonic() - self._written >= WRITE_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write buffered scores. Raises RunFailed if the disk does not take them."""
        if self._waiting:
            self._small.append(self._write_part(self.rows, pa.concat_tables(self._waiting)))
            self.rows += sum(len(table) for table in self._waiting)
            self._waiting = []
        self._written = time.monotonic()
        if len(self._small) >= PARTS_TO_JOIN:
            self._join()

    def tables(self) -> Iterator[pa.Table]:
        """All parts, in input order."""
        for path, _, _ in self._names():
            yield pq.read_table(path)

    def close(self) -> None:
        self._lock.release()

    def remove(self) -> None:
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _set_aside(self, path: Path) -> None:
        (self.folder / ASIDE).mkdir(exist_ok=True)
        os.replace(path, self.folder / ASIDE / path.name)
        self.set_aside.append(path.name)

    def _join(self) -> None:
        first = int(self._small[0].stem.split("-")[1])
        self._write_part(first, pa.concat_tables([pq.read_table(path) for path in self._small]))
        for path in self._small:
            path.unlink()
        self._small = []

    def _write_part(self, start: int, table: pa.Table) -> Path:
        target = self.folder / f"part-{start:012d}-{start + len(table):012d}.parquet"
        try:
            with replacing(target) as temporary:
                pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        except OSError as error:
            raise RunFailed(
                f"-o: can't write {target}: {error.strerror or error}; run the same command to resume"
            ) from error
        return target

    def _names(self) -> list[tuple[Path, int, int]]:
        """Parts sorted by start. At equal starts the longer one is first, as it is the joined one."""
        found = []
        for path in self.folder.glob("part-*.parquet"):
            _, start, end = path.stem.split("-")
            found.append((path, int(start), int(end)))
        return sorted(found, key=lambda part: (part[1], -part[2]))

    def _empty(self) -> None:
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != ".lock":
                path.unlink()


def _whole(path: Path, rows: int) -> bool:
    try:
        return bool(pq.read_table(path, page_checksum_verification=True).num_rows == rows)
    except (pa.ArrowException, OSError):
        return False
