"""Which scorer gets which rows, and what happens to them when it dies. Actors are fakes with real packs."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError

from actors import scorer_pool
from actors.scorer import Scorer, pack_rows, unpack_rows
from actors.scorer_pool import ScorerPool
from staragents.base.errors import EngineError
from staragents.base.messages import Conversation, Message
from staragents.config import ScorerModelConfig, ScoringConfig
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import ScoreRow


def test_a_pack_keeps_every_field_of_a_turn() -> None:
    rows = [
        (Message.with_input("Translate.", "Moin."), Message("assistant", "Hi.", "A greeting.")),
        (Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello")),
    ]
    unpacked = unpack_rows(pack_rows(rows))
    assert unpacked == rows
    assert unpacked[0][0].input == "Moin."


class Call:
    """A method with Ray's `.remote`."""

    def __init__(self, method: Any) -> None:
        self.remote = method


class FakeActor:
    """A Scorer with a fake model behind Ray's call syntax. Packs wait for `go`; `errors` come first. A kill
    fails those that wait."""

    def __init__(self, *errors: Exception, back: list[Exception] | None = None) -> None:
        scorer = Scorer("target", ScorerModelConfig("fake"), ScoringConfig(), "fake")
        self._scorer = scorer
        self._errors = list(errors)
        self._back = back or []
        self.loaded = asyncio.Event()
        self.loaded.set()
        self.go = asyncio.Event()
        self.go.set()
        self.packs: list[int] = []
        self.starts = 0
        self.kills = 0
        self._killed = asyncio.Event()
        self.score, self.start = Call(self._score), Call(self._start)

    async def _score(self, pack: bytes) -> bytes:
        await self.loaded.wait()
        scores = await self._scorer.score(pack)
        self.packs.append(len(scorer_pool.unpack_scores(scores)))
        going, killed = (asyncio.ensure_future(event.wait()) for event in (self.go, self._killed))
        await asyncio.wait([going, killed], return_when=asyncio.FIRST_COMPLETED)
        if killed.done():
            raise unavailable()
        if self._errors:
            raise self._errors.pop(0)
        return scores

    def kill(self) -> None:
        self.kills += 1
        self._killed.set()
        self._killed = asyncio.Event()

    async def _start(self) -> dict[str, Any]:
        self.starts += 1
        await asyncio.sleep(0.01)
        if self._back:
            raise self._back.pop(0)
        await self.loaded.wait()
        return {}


def unavailable() -> RayActorError:
    return ActorUnavailableError("it restarts", None)


def conversation(n: int, characters: int = 10) -> Conversation:
    return (Message("user", f"{n}"), Message("assistant", f"{n}".ljust(characters - len(f"{n}"), "x")))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer_pool, "RESTART_POLL_S", 0.01)
    monkeypatch.setattr(scorer_pool, "PACK_DELAY_S", 0.01)
    monkeypatch.setattr(scorer_pool, "restart", FakeActor.kill)


async def scored(pool: ScorerPool, conversations: list[Conversation]) -> None:
    """Score all rows concurrently and compare each with its expected score."""
    found = await asyncio.wait_for(asyncio.gather(*(pool.score(c) for c in conversations)), 20)
    assert [score for score, _ in found] == FakeIfdModel("target").score([ScoreRow(c) for c in conversations])


async def test_rows_share_packs_up_to_the_budget_and_return_in_order() -> None:
    actor = FakeActor()
    await scored(ScorerPool([actor], 100, 3, 60), [conversation(n) for n in range(35)])
    assert actor.packs == [10, 10, 10, 5]


async def test_a_row_beyond_the_budget_has_its_own_pack() -> None:
    actor = FakeActor()
    rows = [conversation(0), conversation(1, 500), conversation(2)]
    await scored(ScorerPool([actor], 100, 3, 60), rows)
    assert actor.packs == [1, 1, 1]


async def test_an_actor_has_two_packs_and_no_more() -> None:
    actor = FakeActor()
    actor.go.clear()
    work = asyncio.ensure_future(scored(ScorerPool([actor], 10, 3, 60), [conversation(n) for n in range(6)]))
    while len(actor.packs) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert actor.packs == [1, 1]
    actor.go.set()
    await work


async def test_the_next_pack_goes_to_the_least_loaded_actor() -> None:
    actors = [FakeActor(), FakeActor()]
    for actor in actors:
        actor.go.clear()
    pool = ScorerPool(actors, 1000, 3, 60)
    work = []
    for n, characters in enumerate((900, 10, 20)):
        work.append(asyncio.ensure_future(pool.score(conversation(n, characters))))
        while sum(len(actor.packs) for actor in actors) <= n:
            await asyncio.sleep(0.01)
        if n == 0:
            (with_long_row,) = (actor for actor in actors if actor.packs)
    assert len(with_long_row.packs) == 1
    assert sum(len(actor.packs) for actor in actors) == 3
    for actor in actors:
        actor.go.set()
    await asyncio.gather(*work)


async def test_packs_that_are_sent_at_once_go_to_different_actors() -> None:
    actors = [FakeActor(), FakeActor()]
    await scored(ScorerPool(actors, 100, 3, 60), [conversation(n, 100) for n in range(2)])
    assert [actor.packs for actor in actors] == [[1], [1]]


async def test_a_dead_actor_gets_no_rows_until_it_is_back() -> None:
    """Its rows go to the other one, and the pool keeps calling its start."""
    dying, living = FakeActor(unavailable(), back=[unavailable() for _ in range(1000)]), FakeActor()
    pool = ScorerPool([dying, living], 50, 3, 60)
    await scored(pool, [conversation(n) for n in range(40)])
    assert len(dying.packs) <= 2
    starts = dying.starts
    await scored(pool, [conversation(n) for n in range(40, 50)])
    await asyncio.sleep(0.1)
    assert dying.starts > starts
    dying._back.clear()
    await asyncio.sleep(0.1)
    before = len(dying.packs)
    await scored(pool, [conversation(n) for n in range(50, 90)])
    assert len(dying.packs) > before


async def test_the_pool_waits_for_its_only_actor_without_using_up_attempts() -> None:
    actor = FakeActor(unavailable(), back=[unavailable() for _ in range(10)])
    await scored(ScorerPool([actor], 1000, 2, 60), [conversation(n) for n in range(5)])
    assert actor.starts == 11
    # Rows present at its death are sent one at a time: one of them may have killed it.
    assert actor.packs == [5, 1, 1, 1, 1, 1]


async def test_a_row_that_kills_every_time_is_given_up_and_the_others_are_scored() -> None:
    actor = FakeActor()
    score = actor.score.remote

    async def deadly(pack: bytes) -> bytes:
        if b"poison" in pack:
            raise unavailable()
        return await score(pack)

    actor.score = Call(deadly)
    pool = ScorerPool([actor], 1000, 3, 60)
    poison = asyncio.ensure_future(pool.score((Message("user", "poison"), Message("assistant", "x" * 9))))
    await scored(pool, [conversation(n) for n in range(4)])
    with pytest.raises(EngineError, match=r"scoring failed 3 times: .*it restarts"):
        await poison


async def test_a_permanently_dead_actor_is_skipped() -> None:
    gone, living = FakeActor(ActorDiedError(), back=[ActorDiedError() for _ in range(9)]), FakeActor()
    await scored(ScorerPool([gone, living], 50, 3, 60), [conversation(n) for n in range(60)])
    assert len(gone.packs) <= 2


async def test_without_any_actor_rows_fail_in_one_line() -> None:
    pool = ScorerPool([FakeActor(ActorDiedError(), back=[ActorDiedError()])], 1000, 3, 60)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"^all scorers died and can't be restarted$"):
            await asyncio.wait_for(pool.score(conversation(1)), 20)


async def test_without_actors_rows_wait_for_the_next_one() -> None:
    first, second, dead = FakeActor(), FakeActor(), FakeActor(ActorDiedError(), back=[ActorDiedError()])
    pool = ScorerPool([first], 1000, 3, 60)
    await pool.remove(first)
    waiting = pool.score(conversation(1))
    await asyncio.sleep(3 * scorer_pool.PACK_DELAY_S)
    assert not waiting.done()
    pool.add(second)
    await asyncio.wait_for(waiting, 20)
    # An actor that died and was removed is not one of those that live.
    pool.add(dead)
    await pool.remove(second)
    with pytest.raises(EngineError, match="all scorers died"):
        await asyncio.wait_for(pool.score(conversation(2)), 20)
    await pool.remove(dead)
    pool.add(first)
    await asyncio.wait_for(pool.score(conversation(3)), 20)


async def test_the_pool_does_not_wait_for_a_silent_actor_beyond_the_timeout() -> None:
    silent = FakeActor()
    silent.go.clear()
    with pytest.raises(EngineError, match=r"scoring failed 2 times: no answer within 0\.1 s"):
        await asyncio.wait_for(ScorerPool([silent], 1000, 2, 0.1).score(conversation(1)), 20)


async def test_a_scorer_that_hangs_is_restarted_once_for_all_its_packs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = FakeActor()
    silent.go.clear()

    def restart(actor: FakeActor) -> None:
        actor.kill()
        actor.go.set()

    monkeypatch.setattr(scorer_pool, "restart", restart)
    await scored(ScorerPool([silent], 50, 2, 0.2), [conversation(n) for n in range(10)])
    assert silent.kills == 1
    assert silent.packs[:2] == [5, 5]


async def test_a_scorer_that_loads_for_longer_than_the_deadline_is_not_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would begin anew each time, and never come back. Once it has answered, it is killed if it hangs."""
    actor = FakeActor()
    loading: list[asyncio.TimerHandle] = []

    def restart(actor: FakeActor) -> None:
        actor.kill()
        actor.go.set()
        actor.loaded.clear()
        for load in loading:
            load.cancel()
        loading.append(asyncio.get_running_loop().call_later(0.5, actor.loaded.set))

    monkeypatch.setattr(scorer_pool, "restart", restart)
    pool = ScorerPool([actor], 1000, 99, 0.2)
    for kills in (1, 2):
        actor.go.clear()
        await scored(pool, [conversation(n) for n in range(3)])
        assert actor.kills == kills


async def test_a_scorer_that_hangs_while_it_loads_is_killed_again_after_twice_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    actor = FakeActor()
    actor.go.clear()
    killed_at: list[float] = []

    def restart(actor: FakeActor) -> None:
        actor.kill()
        actor.go.set()
        actor.loaded.clear()
        killed_at.append(time.monotonic())
        if len(killed_at) == 3:
            actor.loaded.set()

    monkeypatch.setattr(scorer_pool, "restart", restart)
    await scored(ScorerPool([actor], 50, 99, 0.05), [conversation(n) for n in range(10)])
    first, second, third = killed_at
    assert second - first >= 4 * 0.05
    assert third - second > 7 * 0.05, "eight deadlines, less what a kill itself takes"


async def test_rows_do_not_return_to_a_scorer_that_hangs_again_and_again() -> None:
    silent, good = FakeActor(), FakeActor()
    silent.go.clear()
    await scored(ScorerPool([silent, good], 1000, 3, 0.1), [conversation(n) for n in range(400)])
    assert silent.kills > 0


async def test_a_row_waits_for_another_actor_than_the_one_on_which_it_failed() -> None:
    dying, busy = FakeActor(*(unavailable() for _ in range(9))), FakeActor()
    busy.go.clear()
    rows = [conversation(n, 50) for n in range(4)]
    work = asyncio.ensure_future(scored(ScorerPool([dying, busy], 50, 3, 60), rows))
    await asyncio.sleep(0.3)
    assert [actor.packs for actor in (dying, busy)] == [[1, 1], [1, 1]]
    busy.go.set()
    await work
    assert dying.packs == [1, 1]


async def test_rows_do_not_wait_behind_one_that_waits_for_another_actor() -> None:
    failing, busy = FakeActor(*(unavailable() for _ in range(2))), FakeActor()
    busy.go.clear()
    pool = ScorerPool([failing, busy], 50, 3, 60)
    first = asyncio.ensure_future(scored(pool, [conversation(n, 50) for n in range(4)]))
    while failing.starts < 2:
        await asyncio.sleep(0.01)
    assert [actor.packs for actor in (failing, busy)] == [[1, 1], [1, 1]]
    await scored(pool, [conversation(n, 50) for n in range(4, 8)])
    assert not first.done()
    busy.go.set()
    await first
    assert failing.packs == [1] * 6, "the two that failed here went to the other"
