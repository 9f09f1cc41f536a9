"""The candidate table of report.html: columns to sort and filter by, and texts."""

from __future__ import annotations

import base64
import gzip
import heapq
import math
from dataclasses import dataclass, field
from typing import Any

import msgspec

from staragents.analysis.reasons import group, outcome, reason
from staragents.base.messages import Conversation, last_exchange
from staragents.base.records import Candidate, stable_seed
from staragents.config import Config
from staragents.text.printable import printable

MAX_ROWS = 100_000
MAX_TEXT_MIB = 64
# A larger seed could take the space of a thousand others.
MAX_SEED_BYTES = 2**20
MAX_CHARS = 20_000
START_CHARS = 90
# The page unpacks one block at a time: when a seed is opened, or block by block in a search.
SEEDS_PER_BLOCK = 64

MEASURES = ("reward", "judge_win", "target_ifd", "larger_ifd", "ifd_gap")
_DETAILS = (
    "propensity", "difficulty", "judge_win_first", "judge_win_second", "neighbours",
    "tokens_in", "tokens_out",
)  # fmt: skip


@dataclass(slots=True)
class _Seed:
    """A seed of the table. `facts` and `texts` are JSON; `texts` is None if they exceed the limit."""

    position: int
    columns: list[dict[str, Any]]
    facts: bytes
    texts: bytes | None


@dataclass(slots=True)
class CandidateTable:
    """Receives every seed of a run and keeps as many as fit into the page.

    If not all fit, a hash of the seed ids selects a reproducible random sample. At most `max_rows` rows and
    `max_text_mib` of texts are in memory.
    """

    config: Config
    max_rows: int = MAX_ROWS
    max_text_mib: float = MAX_TEXT_MIB
    seen: int = 0
    """Number of candidates received."""
    _rows: int = 0
    _text_bytes: int = 0
    _seeds: int = 0
    # Heaps with the next seed to evict on top; both use the same order.
    _kept: list[tuple[int, int, _Seed]] = field(default_factory=list)
    _with_texts: list[tuple[int, int, _Seed]] = field(default_factory=list)

    def add_seed(self, candidates: list[Candidate]) -> None:
        """The candidates of the next seed."""
        self.seen += len(candidates)
        self._seeds += 1
        rank = (-stable_seed("report", candidates[0].seed_id), -self._seeds)
        full = self._rows + len(candidates) > self.max_rows
        if full and (not self._kept or rank < self._kept[0][:2]):
            return  # it would be evicted first
        columns = [self._columns(candidate) for candidate in candidates]
        shown = _Seed(self._seeds, columns, self._facts(candidates), _texts(candidates))
        heapq.heappush(self._kept, (*rank, shown))
        self._rows += len(candidates)
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
        """Which part of the run the table contains."""
        said = f"All {self.seen:,} candidates of the run."
        if self._rows < self.seen:
            said = (
                f"{self._rows:,} of the {self.seen:,} candidates, from a random sample of seeds; "
                "`staragents report RUN --rows N` shows more or fewer."
            )
        without = sum(len(shown.columns) for *_, shown in self._kept if shown.texts is None)
        if without:
            said += (
                f" For {without:,} candidates only the first words are included, because full texts would "
                f"make this page too large; `--text-mib N` raises the limit of {self.max_text_mib:g} MiB."
            )
        return said

    def payload(self) -> dict[str, Any]:
        """`index`: columns of all rows. `blocks`: facts and texts of `SEEDS_PER_BLOCK` seeds each, in order.

        Each is gzipped JSON in base64: it can't contain markup, and a page of 100,000 rows stays small.
        """
        seeds = sorted((shown for *_, shown in self._kept), key=lambda shown: shown.position)
        rows = [row for shown in seeds for row in shown.columns]
        names = {name: sorted({row[name] for row in rows}) for name in ("pair", "outcome")}
        numbers = {name: {value: n for n, value in enumerate(values)} for name, values in names.items()}
        index = {
            "seedsABlock": SEEDS_PER_BLOCK,
            "candidates": [len(shown.columns) for shown in seeds],
            "names": names,
            **{name: [numbers[name][row[name]] for row in rows] for name in names},
            **{name: [row[name] for row in rows] for name in ("seed_row", "start", *MEASURES)},
        }
        blocks = [seeds[start : start + SEEDS_PER_BLOCK] for start in range(0, len(seeds), SEEDS_PER_BLOCK)]
        return {"index": _packed(_json(index)), "blocks": [_packed(_block(block)) for block in blocks]}

    def _columns(self, candidate: Candidate) -> dict[str, Any]:
        text, _ = last_exchange(candidate.messages or candidate.seed_messages)
        return {
            "seed_row": candidate.seed_row,
            "pair": printable(candidate.pair),
            "outcome": printable(group(candidate, self.config)),
            "start": printable(" ".join(text[: 2 * START_CHARS].split())[:START_CHARS]),
            **{name: _shown(getattr(candidate, name)) for name in MEASURES},
        }

    def _facts(self, candidates: list[Candidate]) -> bytes:
        first = candidates[0]
        seed = {
            "id": first.seed_id,
            "row": first.seed_row,
            "target_ifd": _shown(first.seed_target_ifd),
            "larger_ifd": _shown(first.seed_larger_ifd),
            "outcome": printable(outcome(candidates, self.config)),
        }
        facts = [
            {
                "id": candidate.candidate_id,
                "base": candidate.base,
                "why": _cut(reason(candidate, candidates, self.config)),
                "agreement": candidate.judge_agreement,
                **{name: _shown(getattr(candidate, name)) for name in _DETAILS},
            }
            for candidate in candidates
        ]
        return _json({"seed": seed, "candidates": facts})


def _texts(candidates: list[Candidate]) -> bytes | None:
    """The seed's conversation and the candidates' replacements of its last exchange."""
    seed = candidates[0].seed_messages
    texts: dict[str, Any] = {
        "context": [[_cut(message.role), _cut(message.content)] for message in seed[:-2]],
        "seed": _exchange(seed),
        **_reasoning(seed),
        "candidates": [
            {
                "exchange": _exchange(candidate.messages) if candidate.messages else None,
                **_reasoning(candidate.messages),
                "rejected": _cut(candidate.rejected_text or ""),
                "judge": _cut(candidate.judge_reason or ""),
            }
            for candidate in candidates
        ],
    }
    packed = _json(texts)
    return packed if len(packed) <= MAX_SEED_BYTES else None


def _exchange(messages: Conversation) -> list[str]:
    return [_cut(text) for text in last_exchange(messages)]


def _reasoning(messages: Conversation) -> dict[str, str]:
    reasoning = messages[-1].reasoning_content if messages else None
    return {"reasoning": _cut(reasoning)} if reasoning else {}


def _cut(text: str) -> str:
    more = len(text) - MAX_CHARS
    return printable(text) if more <= 0 else f"{printable(text[:MAX_CHARS])} [{more:,} more characters]"


def _shown(value: float | None) -> float | None:
    """Rounded as in `staragents explain`."""
    return round(value, 3) if value is not None and math.isfinite(value) else None


def _block(seeds: list[_Seed]) -> bytes:
    return b"[" + b",".join(b"[%b,%b]" % (shown.facts, shown.texts or b"null") for shown in seeds) + b"]"


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _packed(content: bytes) -> str:
    # Without a timestamp, so that the same run gives the same page.
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")
