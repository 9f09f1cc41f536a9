"""The models that a server lists, with what it tells about them."""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from typing import Any

import httpx2

from actors.engines.http_client import BadAnswer, HttpClient
from actors.engines.openai_answers import parsed
from staragents.text.printable import printable

MOST_BYTES = 8 << 20
TIMEOUT_S = 10.0
MOST_SHOWN = 6


async def served_models(client: HttpClient) -> dict[str, dict[str, Any]]:
    """The entries of /models by name; empty if the server has no list. Never raises."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reply = await client.get("models", MOST_BYTES)
        content = parsed(reply) if reply.succeeded else None
    except (BadAnswer, httpx2.HTTPError, TimeoutError):
        return {}
    entries = content.get("data") or content.get("models") if isinstance(content, dict) else content
    known: dict[str, dict[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else ():
        entry = entry if isinstance(entry, dict) else {"id": entry}
        name = entry.get("id") or entry.get("name") or entry.get("model")
        if isinstance(name, str):
            known[printable(name)] = entry
    return known


def nearest(name: str, served: list[str]) -> str:
    """The served names most like `name`, and how many more there are."""
    near = get_close_matches(name, served, MOST_SHOWN, cutoff=0.3)
    shown = [*near, *(other for other in served if other not in near)][:MOST_SHOWN]
    more = f" and {len(served) - len(shown)} more" if len(served) > len(shown) else ""
    return ", ".join(shown) + more


def price_of(entry: dict[str, Any]) -> tuple[float, float] | None:
    """Prices of a million prompt tokens and of a million generated ones, if the server tells them."""
    pricing = entry.get("pricing")
    if not isinstance(pricing, dict):
        return None
    for names, tokens in ((("prompt", "completion"), 1e6), (("input", "output"), 1.0)):
        values = [_number(pricing.get(name)) for name in names]
        if values[0] is not None and values[1] is not None and any(values):
            return round(values[0] * tokens, 6), round(values[1] * tokens, 6)
    return None


def context_of(entry: dict[str, Any]) -> int | None:
    """Tokens of the model's context, if the server tells them."""
    meta = entry.get("meta")
    nested = (meta.get("n_ctx"), meta.get("n_ctx_train")) if isinstance(meta, dict) else ()
    known = (entry.get("max_model_len"), entry.get("context_length"), entry.get("context_window"), *nested)
    return next((n for n in known if isinstance(n, int) and 0 < n < 10**8), None)


def _number(value: Any) -> float | None:
    """OpenRouter writes prices as texts."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < 1e6 else None
