"""The bank's file: whatever is torn off or altered, an intact beginning is read and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staragents.memory.outcome_log import (
    VERSION,
    Evicted,
    Opening,
    OutcomeLog,
    Record,
    Remembered,
    Reused,
    size_of,
)

RECORDS: list[Record] = [
    Opening(VERSION, 2, "outcomes"),
    Reused(),
    Remembered(0, "s\u00e9ed \U0001f980", ("a+b", "c+d"), (0.1, 1.0), (True, False), 0.9, bytes(8)),
    Evicted(0, [0]),
    Remembered(1, "", (), (), (), 0.0, b""),
]


def written(path: Path, records: list[Record] = RECORDS) -> bytes:
    log = OutcomeLog(path)
    list(log.read())
    log.append(records[:2])
    for record in records[2:]:
        log.append([record])
    log.close()
    return path.read_bytes()


def read(path: Path) -> list[Record]:
    log = OutcomeLog(path, read_only=True)
    try:
        return [record for _, record in log.read()]
    finally:
        log.close()


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    written(tmp_path / "log")
    assert read(tmp_path / "log") == RECORDS
    assert size_of(tmp_path / "log") == 2
    assert size_of(tmp_path / "missing") is None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255), cut=st.booleans())
def test_damage_costs_the_records_from_there_on(tmp_path: Path, place: float, change: int, cut: bool) -> None:
    path = tmp_path / "log"
    path.unlink(missing_ok=True)
    data = bytearray(written(path))
    index = int(place * len(data))
    if cut:
        del data[index:]
    else:
        data[index] ^= change
    path.write_bytes(data)
    log = OutcomeLog(path)
    starts = [start for start, _ in log.read()]
    intact = read(path)
    assert intact == RECORDS[: len(intact)]
    assert len(intact) < len(RECORDS)
    assert log.end <= index, "nothing that begins after the damage is read"
    assert len(starts) == len(intact)
    # The next record replaces what follows.
    log.cut(log.end)
    log.append([Reused()])
    assert read(path) == [*intact, Reused()]
    log.close()


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(tmp_path / "log")
    log = OutcomeLog(tmp_path / "log")
    list(log.read())
    write, limit = log._file.write, len(before) + 10

    class Full:
        """A file on a disk with room for ten more bytes."""

        def __getattr__(self, name: str) -> object:
            return getattr(file, name)

        def write(self, data: memoryview) -> int:
            room = limit - file.tell()
            if room <= 0:
                raise OSError(28, "No space left on device")
            return write(data[:room]) or 0

    file = log._file
    log._file = Full()  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space left"):
        log.append(RECORDS[2:3])
    assert (tmp_path / "log").read_bytes() == before
    log._file = file
    log.append(RECORDS[2:3])
    log.close()
    assert read(tmp_path / "log") == [*RECORDS, RECORDS[2]]
