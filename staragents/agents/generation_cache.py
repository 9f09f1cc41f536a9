"""A persistent cache of generations, keyed by everything that determines them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.base.generation import Generation, GenerationRequest, TokenLogprobs
from staragents.config import ModelConfig

_BUSY_S = 60.0
_NOT_IN_KEY = ("request_id", "deadline_s")
"""Request fields that do not affect the text."""
_LATER_IN_TURNS = ("reasoning_content", "input")


class GenerationCache:
    """Caches the first answer to each request (model, prompt, sampling, random seed, schema).

    An SQLite file that processes may share. Failures are not cached. Raises BadInput if the file can't be
    used.
    """

    def __init__(self, path: str | Path, models: Mapping[str, ModelConfig]) -> None:
        self._models = {name: _facts_among(name, models) for name in models}
        try:
            self._database = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            with self._database:
                self._database.execute(
                    "CREATE TABLE IF NOT EXISTS generations "
                    "(key BLOB PRIMARY KEY, value TEXT NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID"
                )
        except sqlite3.Error as error:
            raise BadInput(f"{path}: can't be used as a generation cache: {error}") from error

    def get(self, model: str, request: GenerationRequest) -> Generation | None:
        """The cached answer, with the tokens and seconds of its original generation, or None."""
        key = self._key(model, request)
        with self._database:
            found = self._database.execute(
                "UPDATE generations SET uses = uses + 1 WHERE key = ? RETURNING value", (key,)
            ).fetchone()
        if found is None:
            return None
        value: dict[str, Any] = json.loads(found[0])
        logprobs = tuple(TokenLogprobs(**token) for token in value.pop("logprobs"))
        return Generation(**value, logprobs=logprobs)

    def put(self, model: str, request: GenerationRequest, generation: Generation) -> None:
        """Store an answer unless there is one already."""
        with self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO generations VALUES (?, ?, 1)",
                (self._key(model, request), json.dumps(asdict(generation))),
            )

    def counts(self) -> tuple[int, int]:
        """The number of generations and the number of their uses, including the first."""
        made, uses = self._database.execute("SELECT count(*), sum(uses) FROM generations").fetchone()
        return made, uses or 0

    def close(self) -> None:
        self._database.close()

    def _key(self, model: str, request: GenerationRequest) -> bytes:
        asked = {name: value for name, value in asdict(request).items() if name not in _NOT_IN_KEY}
        # The budget is one of the model's settings. Fields of later versions keep the keys of earlier ones.
        asked["sampling"].pop("thinking_tokens")
        for turn in asked["messages"] or ():
            for name in _LATER_IN_TURNS:
                if turn[name] is None:
                    del turn[name]
        text = json.dumps([self._models[model], asked], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _facts_among(name: str, models: Mapping[str, ModelConfig]) -> dict[str, Any]:
    """The facts of an entry, with its name if an entry for another server has the same: servers may call any
    model `default`. The address itself does not count, as a server's port may change between runs."""
    facts = model_facts(models[name])
    is_shared = any(
        model_facts(other) == facts and other.base_url != models[name].base_url for other in models.values()
    )
    return {**facts, "entry": name} if is_shared else facts


def model_facts(model: ModelConfig) -> dict[str, Any]:
    """The model settings that determine its texts; pool sizes and speed do not."""
    default = ModelConfig()
    later = ("reasoning", "thinking_tokens", "chat_template_kwargs", "extra_body")
    changed = {name: getattr(model, name) for name in later if getattr(model, name) != getattr(default, name)}
    if model.fake.thinks:
        changed["thinks"] = True
    return {
        "kind": model.kind.value,
        "model": model.model,
        "table": model.table,
        "dtype": model.dtype,
        "max_model_len": model.max_model_len,
        "engine_args": model.engine_args,
        "chat": model.chat,
        "refusal_rate": model.fake.refusal_rate,
        **changed,
    }
