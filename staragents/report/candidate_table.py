"""The candidates of a run for the table in report.html: columns to sort and filter by, and texts."""

from __future__ import annotations

import base64
import gzip
import heapq
import math
from dataclasses import dataclass, field
from typing import Any

import msgspec

from staragents.config import Config
from staragents.explanation.reasons import outcome, reason
from staragents.printable import printable
from staragents.records import stable_seed
from staragents.report.rows import Row, instruction_of, response_of

MAX_ROWS = 100_000
MAX_TEXT_MIB = 64
# Beyond it one seed could take the room of a thousand others.
MAX_SEED_BYTES = 2**20
MAX_CHARS = 20_000
START_CHARS = 90
# The page unpacks as many at a time: when one is opened, or one after the other in a search.
SEEDS_A_BLOCK = 64

MEASURES = ("reward", "judge_win", "target_ifd", "larger_ifd", "ifd_gap")
_DETAILS = (
    "propensity", "difficulty", "judge_win_first", "judge_win_second", "neighbours",
    "tokens_in", "tokens_out",
)  # fmt: skip


@dataclass(slots=True)
class _Seed:
    """A seed of the table. `facts` and `texts` are JSON; no texts if there is no room."""

    place: int
    columns: list[dict[str, Any]]
    facts: bytes
    texts: bytes | None


@dataclass(slots=True)
class CandidateTable:
    """Takes every seed of a run and keeps what fits into the page.

    If not all do, the seeds to keep are drawn by a hash of their ids: a random sample, the same each time.
    In memory are at most `max_rows` rows and `max_text_mib` of their texts.
    """

    config: Config
    max_rows: int = MAX_ROWS
    max_text_mib: float = MAX_TEXT_MIB
    seen: int = 0
    """Candidates that passed by."""
    _rows: int = 0
    _text_bytes: int = 0
    _places: int = 0
    # Both with the seed on top that is the first to go, which is the same order in both.
    _kept: list[tuple[int, int, _Seed]] = field(default_factory=list)
    _with_texts: list[tuple[int, int, _Seed]] = field(default_factory=list)

    def add(self, rows: list[Row]) -> None:
        """The candidates of the next seed."""
        self.seen += len(rows)
        self._places += 1
        rank = (-stable_seed("report", rows[0]["seed_id"]), -self._places)
        full = self._rows + len(rows) > self.max_rows
        if full and (not self._kept or rank < self._kept[0][:2]):
            return  # it would be the first to go
        shown = _Seed(self._places, [self._columns(row) for row in rows], self._facts(rows), _texts(rows))
        heapq.heappush(self._kept, (*rank, shown))
        self._rows += len(rows)
        if shown.texts is not None:
            heapq.heappush(self._with_texts, (*rank, shown))
            self._text_bytes += len(shown.texts)
        while self._rows > self.max_rows:
            *_, last = heapq.heappop(self._kept)
            self._rows -= len(last.columns)
            if last.texts is not None:
                self._drop_texts()
        while self._text_bytes > self.max_text_mib * 2**20:
            self._drop_texts()

    def _drop_texts(self) -> None:
        *_, last = heapq.heappop(self._with_texts)
        assert last.texts is not None
        self._text_bytes -= len(last.texts)
        last.texts = None

    @property
    def note(self) -> str:
        """What of the run is in the table and what is not."""
        said = f"All {self.seen:,} candidates of the run."
        if self._rows < self.seen:
            said = (
                f"{self._rows:,} of the {self.seen:,} candidates, those of seeds drawn at random; "
                "`staragents report RUN --rows N` shows more or fewer."
            )
        without = sum(len(shown.columns) for *_, shown in self._kept if shown.texts is None)
        if without:
            said += (
                f" The texts of {without:,} are left out but for their first words, as they would make this "
                f"page too large; `--text-mib N` raises the limit of {self.max_text_mib:g} MiB."
            )
        return said

    def payload(self) -> dict[str, Any]:
        """`index`: columns of all rows. `blocks`: facts and texts of `SEEDS_A_BLOCK` seeds each, in order.

        Each is JSON, gzipped, as base64: markup can't survive in it, and a page of 100,000 rows stays small.
        """
        seeds = sorted((shown for *_, shown in self._kept), key=lambda shown: shown.place)
        rows = [row for shown in seeds for row in shown.columns]
        names = {name: sorted({row[name] for row in rows}) for name in ("pair", "outcome")}
        numbers = {name: {value: n for n, value in enumerate(values)} for name, values in names.items()}
        index = {
            "seedsABlock": SEEDS_A_BLOCK,
            "candidates": [len(shown.columns) for shown in seeds],
            "names": names,
            **{name: [numbers[name][row[name]] for row in rows] for name in names},
            **{name: [row[name] for row in rows] for name in ("seed_row", "start", *MEASURES)},
        }
        blocks = [seeds[start : start + SEEDS_A_BLOCK] for start in range(0, len(seeds), SEEDS_A_BLOCK)]
        return {"index": _packed(_json(index)), "blocks": [_packed(_block(block)) for block in blocks]}

    def _columns(self, row: Row) -> dict[str, Any]:
        text = instruction_of(row["messages"] or row["seed_messages"])
        return {
            "seed_row": row["seed_row"],
            "pair": printable(row["pair"]),
            "outcome": printable(self._outcome(row)),
            "start": printable(" ".join(text[: 2 * START_CHARS].split())[:START_CHARS]),
            **{name: _shown(row[name]) for name in MEASURES},
        }

    def _outcome(self, row: Row) -> str:
        """A group or `group: kind`, to filter by; `reason` says more."""
        if row["failed_stage"] is not None:
            return f"failed: {row['failed_stage']}"
        if row["reject_reason"] is not None:
            return f"rejected: {row['reject_reason'].replace('_', ' ')}"
        if row["selected"]:
            return "chosen"
        if row["judge_win"] is None:
            return "not chosen: no verdict"
        lost = self.config.reward.require_win and row["judge_win"] <= 0.5
        return f"not chosen: {'judge' if lost else 'reward'}"

    def _facts(self, rows: list[Row]) -> bytes:
        first = rows[0]
        seed = {
            "id": first["seed_id"],
            "row": first["seed_row"],
            "target_ifd": _shown(first["seed_target_ifd"]),
            "larger_ifd": _shown(first["seed_larger_ifd"]),
            "outcome": printable(outcome(rows, self.config)),
        }
        candidates = [
            {
                "id": row["candidate_id"],
                "base": row["base"],
                "why": _cut(reason(row, rows, self.config)),
                "agreement": row["judge_agreement"],
                **{name: _shown(row[name]) for name in _DETAILS},
            }
            for row in rows
        ]
        return _json({"seed": seed, "candidates": candidates})


def _texts(rows: list[Row]) -> bytes | None:
    """The seed's conversation and what the candidates put in place of its last exchange."""
    seed = rows[0]["seed_messages"]
    texts = {
        "context": [[_cut(message["role"]), _cut(message["content"])] for message in seed[:-2]],
        "seed": _exchange(seed),
        "candidates": [
            {
                "exchange": _exchange(row["messages"]) if row["messages"] else None,
                "rejected": _cut(row["rejected_text"] or ""),
                "judge": _cut(row["judge_reason"] or ""),
            }
            for row in rows
        ],
    }
    packed = _json(texts)
    return packed if len(packed) <= MAX_SEED_BYTES else None


def _exchange(messages: list[dict[str, str]]) -> list[str]:
    return [_cut(instruction_of(messages)), _cut(response_of(messages))]


def _cut(text: str) -> str:
    more = len(text) - MAX_CHARS
    return printable(text) if more <= 0 else f"{printable(text[:MAX_CHARS])} [{more:,} more characters]"


def _shown(value: float | None) -> float | None:
    """With the digits that `staragents explain` shows."""
    return round(value, 3) if value is not None and math.isfinite(value) else None


def _block(seeds: list[_Seed]) -> bytes:
    return b"[" + b",".join(b"[%b,%b]" % (shown.facts, shown.texts or b"null") for shown in seeds) + b"]"


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _packed(content: bytes) -> str:
    # Without the time of day, so that the same run gives the same page.
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")
