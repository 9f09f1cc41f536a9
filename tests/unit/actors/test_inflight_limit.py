"""The in-flight limit holds while it is resized, and no caller waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.inflight_limit import InFlightLimit
from actors.request_queue import Answer, ChangeRequest, RequestQueue, ScaleRequest


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def visitor(
    window: InFlightLimit, leave: asyncio.Event, inside: list[int], peak: list[int]
) -> Callable[[], Awaitable[None]]:
    async def visit() -> None:
        async with window:
            inside[0] += 1
            peak.append(inside[0])
            await leave.wait()
            inside[0] -= 1

    return visit


@given(sizes=st.lists(st.integers(0, 6), min_size=1, max_size=6), visitors=st.integers(1, 12))
def test_in_flight_calls_stay_within_the_limit_and_all_finish(sizes: list[int], visitors: int) -> None:
    async def scenario() -> None:
        window, leave, inside, peak = InFlightLimit(0), asyncio.Event(), [0], [0]
        tasks = [asyncio.ensure_future(visitor(window, leave, inside, peak)()) for _ in range(visitors)]
        largest = 0
        for size in sizes:
            window.resize(size)
            largest = max(largest, size)
            await settle()
            assert inside[0] == window.in_flight == min(visitors, largest)
        leave.set()
        window.resize(1)
        await asyncio.gather(*tasks)
        assert (window.in_flight, inside[0]) == (0, 0)
        assert max(peak) <= max(1, largest)

    asyncio.run(scenario())


@given(cancelled=st.sets(st.integers(0, 7)), let_in_first=st.booleans())
def test_a_cancelled_caller_leaves_no_slot_taken(cancelled: set[int], let_in_first: bool) -> None:
    async def scenario() -> None:
        window, leave, inside, peak = InFlightLimit(0), asyncio.Event(), [0], [0]
        leave.set()
        tasks = [asyncio.ensure_future(visitor(window, leave, inside, peak)()) for _ in range(8)]
        await settle()
        if let_in_first:
            window.resize(3)  # some are let in and have not woken up yet
        for index in cancelled:
            tasks[index].cancel()
        window.resize(3)
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert window.in_flight == 0
        assert sum(result is None for result in done) == 8 - len(cancelled)

    asyncio.run(scenario())


async def test_a_request_waits_for_its_answer() -> None:
    queue = RequestQueue()
    one, other = ScaleRequest("models.writer", 1, 3), ChangeRequest(("run.budget=3",))
    first = asyncio.ensure_future(queue.ask(one))
    second = asyncio.ensure_future(queue.ask(other))
    asked = [await queue.next(), await queue.next()]
    assert [request for _, request in asked] == [one, other]
    queue.answer(asked[1][0], Answer(("no room",), 1))
    assert await second == Answer(("no room",), 1)
    assert not first.done()
    queue.answer(asked[0][0], Answer())
    assert await first == Answer()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(queue.next(), 0.01)


async def test_an_answer_for_a_coordinator_that_died_reaches_no_other_request() -> None:
    died, restarted = RequestQueue(), RequestQueue()
    asking = [asyncio.ensure_future(queue.ask(ChangeRequest(()))) for queue in (died, restarted)]
    (old, _), (new, _) = [await queue.next() for queue in (died, restarted)]
    restarted.answer(old, Answer(("of the other",)))
    restarted.answer(new, Answer(("its own",)))
    assert await asking[1] == Answer(("its own",))
    asking[0].cancel()
