"""Yields what has finished of several tasks, for answers that are streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any


async def as_finished(tasks: Sequence[asyncio.Future[Any]]) -> AsyncIterator[list[int]]:
    """Indices of the tasks as they finish: each time, all that did since the last time, so that a slow one
    holds none of them back."""
    done: asyncio.Queue[int] = asyncio.Queue()
    for index, task in enumerate(tasks):
        task.add_done_callback(lambda _, index=index: done.put_nowait(index))  # type: ignore[misc]
    left = len(tasks)
    while left:
        finished = [await done.get()]
        while not done.empty():
            finished.append(done.get_nowait())
        left -= len(finished)
        yield finished
