"""One scorer actor: receives packs of rows, returns packs of IFD scores."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import pyarrow as pa

from actors.logs import configure_logs
from actors.working_dir import enter_working_dir
from staragents.base.messages import Conversation, Message
from staragents.config import ScorerModelConfig, ScoringConfig
from staragents.scoring.ifd import Score, ScoreRow, Status
from staragents.scoring.open_model import RowModel, open_model

logger = logging.getLogger(__name__)

_TURN = tuple(field.name for field in fields(Message))
ROW_SCHEMA = pa.schema([("messages", pa.list_(pa.struct([(name, pa.string()) for name in _TURN])))])
"""Conversations with everything that a scoring template may place by itself."""


class Scorer:
    """Holds one of the two models. Undecorated: `cluster.pools.pools` makes the Ray actor."""

    def __init__(self, role: str, model: ScorerModelConfig, scoring: ScoringConfig, model_path: str) -> None:
        configure_logs()
        enter_working_dir()
        self.role = role
        self._model_config = model
        self._scoring = scoring
        self._path = model_path
        # One thread: two concurrent packs would only share the same cores or GPU.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"ifd-{role}")
        self._model: RowModel | None = None

    async def start(self) -> dict[str, Any]:
        """Load the model. Returns its name, tokenizer id and parameter count."""
        model = await asyncio.get_running_loop().run_in_executor(self._thread, self._loaded)
        return {"model": model.model_name, "tokenizer": model.tokenizer_id, "parameters": model.parameters}

    def _loaded(self) -> RowModel:
        # Loaded here because a scorer restarted by Ray gets no `start` call before its next pack.
        if self._model is None:
            started = time.monotonic()
            # Ray hides no GPU from an actor that asked for none.
            device = "auto" if self._model_config.num_gpus else "cpu"
            self._model = open_model(self.role, self._path, self._model_config, self._scoring, device)
            logger.info("scoring.%s loaded in %.1f s: %s", self.role, time.monotonic() - started, self._path)
        return self._model

    async def score(self, pack: bytes) -> bytes:
        """Takes what `pack_rows` made; returns what `unpack_scores` reads, in the same order."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._score, pack)

    def _score(self, pack: bytes) -> bytes:
        return pack_scores(self._loaded().score([ScoreRow(messages) for messages in unpack_rows(pack)]))


def scorer_environment(model: ScorerModelConfig) -> dict[str, str]:
    """Environment variables that the actor needs before it imports torch (for `runtime_env`)."""
    return {
        "OMP_NUM_THREADS": str(max(1, round(model.num_cpus))),
        # Spinning OpenMP threads take cores from the engine on the same machine: 2.8 (passive) against
        # 0.8 rows/s for SmolLM2 on two busy cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
    }


# Arrow bytes instead of tables: Ray serialises a table in Python, which costs the coordinator a few
# milliseconds per pack. It sends bytes with the call or, if large, through the object store.


def pack_rows(conversations: Sequence[Conversation]) -> bytes:
    """Rows of ROW_SCHEMA as an Arrow stream."""
    rows = [
        {"messages": [{name: getattr(turn, name) for name in _TURN} for turn in turns]}
        for turns in conversations
    ]
    return _bytes(pa.Table.from_pylist(rows, schema=ROW_SCHEMA))


def unpack_rows(pack: bytes) -> list[Conversation]:
    return [tuple(Message(**turn) for turn in turns) for turns in _table(pack).column("messages").to_pylist()]


def pack_scores(scores: list[Score]) -> bytes:
    """Scores as an Arrow stream."""
    return _bytes(
        pa.table(
            {
                "nll_cond": pa.array([s.nll_cond for s in scores], pa.float64()),
                "nll_direct": pa.array([s.nll_direct for s in scores], pa.float64()),
                "tokens": pa.array([s.tokens for s in scores], pa.int32()),
                "tokens_total": pa.array([s.tokens_total for s in scores], pa.int32()),
                "answer_bytes": pa.array([s.answer_bytes for s in scores], pa.int32()),
                "status": pa.array([s.status.value for s in scores], pa.string()),
            }
        )
    )


def unpack_scores(pack: bytes) -> list[Score]:
    return [Score(**{**row, "status": Status(row["status"])}) for row in _table(pack).to_pylist()]


def _bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _table(pack: bytes) -> pa.Table:
    with pa.ipc.open_stream(pack) as stream:
        return stream.read_all()
