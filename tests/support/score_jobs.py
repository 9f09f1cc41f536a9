"""Runs score commands on small files with fake models."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from staragents.base.messages import Message
from staragents.score_file.local_scorers import LocalScorers
from staragents.score_file.score_job import ScoreJob
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import Score, ScoreRow, ifd_gap


class Silent:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scored = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, rows: int, done: int) -> None: ...

    def advance(self, rows: int) -> None:
        self.scored += rows


class Stops(FakeIfdModel):
    """Scores some rows, then the user presses Ctrl-C."""

    def __init__(self, role: str, rows: int) -> None:
        super().__init__(role)
        self._left = rows

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
        self._left -= len(rows)
        if self._left < 0:
            raise KeyboardInterrupt
        return super().score(rows)


def row(n: int, **more: Any) -> dict[str, Any]:
    return {"instruction": f"Say {n}.", "input": "", "output": f"It is {n}, and no other number.", **more}


def jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.write_bytes(b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in rows))
    return path


def job(
    data: Path | str, output: Path, load: Callable[..., Any] | None = None, watch: Any = None, **more: Any
) -> dict[str, Any]:
    options = {"target": "fake", "larger": "fake", **more}
    command = ScoreSettings(data=str(data), output=output, **options)
    load = load or (lambda role, path, s: FakeIfdModel(role))

    @contextmanager
    def scorers(paths: dict[str, str], s: ScoreSettings) -> Iterator[LocalScorers]:
        yield LocalScorers({role: load(role, path, s) for role, path in paths.items()})

    return ScoreJob(command, watch or Silent(), scorers).run()


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


def expected(messages: Sequence[Message]) -> dict[str, Any]:
    (target,) = FakeIfdModel("target").score([ScoreRow(tuple(messages))])
    (larger,) = FakeIfdModel("larger").score([ScoreRow(tuple(messages))])
    values: dict[str, Any] = {}
    for role, score in (("target", target), ("larger", larger)):
        values |= {
            f"{role}_nll_cond": score.nll_cond,
            f"{role}_nll_direct": score.nll_direct,
            f"{role}_ifd": score.ifd,
            f"{role}_ifd_loss_ratio": score.ifd_loss,
            f"{role}_ifd_bytes": score.ifd_bytes,
            f"{role}_tokens": score.tokens,
            f"{role}_status": score.status.value,
        }
    return values | {"answer_bytes": target.answer_bytes, "ifd_gap": ifd_gap(target, larger, True)}
