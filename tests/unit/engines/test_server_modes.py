"""Servers that refuse something: what is found at start, what is sent afterwards, what the user reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors import generator_client
from actors.engines import openai_engine
from actors.engines.openai_engine import OpenAIEngine
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Message
from tests.support.paths import ROOT
from tests.support.peer_server import Peer, config
from tests.support.server_failures import AT_TIMES, FAILURES, NO_QUOTA
from tests.support.server_mode_run import SEEDS, run_against
from tests.support.server_mode_table import MODES, serve
from tests.support.server_modes import TEXT, VERDICT

PROBES = (
    GenerationRequest(
        "p",
        Sampling(0.2, 0.95, 512, ("END",)),
        seed=3,
        messages=(Message("system", "Be brief."), Message("user", "Name a river.")),
    ),
    GenerationRequest(
        "j",
        Sampling(0.0, 1.0, 264),
        seed=4,
        messages=(Message("system", "Compare A and B."), Message("user", "Reply in JSON.")),
        json_schema={"type": "object", "properties": {"reason": {"type": "string", "maxLength": 200}}},
        top_logprobs=20,
    ),
)


TABLE = (ROOT / "benchmarks" / "servers.md").read_text(encoding="utf-8").splitlines()


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_engine, "PROBE_PAUSE_S", 0.0)
    monkeypatch.setattr(generator_client, "backoff", lambda request_id, attempt: 0.0)


@pytest.mark.parametrize("name", MODES)
async def test_what_a_server_refuses_is_found_at_start_and_said(name: str, peer: Peer) -> None:
    mode = MODES[name]
    engine = OpenAIEngine(config(serve(peer, MODES[name]), **mode.settings), PROBES)
    await engine.start()
    asked = len(peer.asked)
    answers = [await engine.generate(probe) for probe in PROBES]
    assert len(peer.asked) == asked + 2, "after the start, every request is taken at once"
    assert [answer.text for answer in answers] == [TEXT, VERDICT]
    sent = peer.asked[-1]
    assert not set(mode.lacks) & {*sent, *peer.asked[-2]}
    assert {field: sent.get(field) for field in mode.has} == mode.has
    remarks = " | ".join(engine.remarks)
    for part in mode.says:
        assert part in remarks
    if not mode.says:
        assert remarks == ""
    await engine.stop()


@pytest.mark.parametrize(
    "name",
    [name for name, mode in MODES.items() if mode.path == "/v1" and not mode.settings and mode.is_seen_later],
)
async def test_what_a_server_no_longer_takes_is_learnt_during_the_run(name: str, peer: Peer) -> None:
    engine = OpenAIEngine(config(serve(peer, MODES["takes everything"])), PROBES)
    await engine.start()
    serve(peer, MODES[name])
    for _ in range(2):
        answers = [await engine.generate(probe) for probe in PROBES]
        assert [answer.text for answer in answers] == [TEXT, VERDICT]
    assert not set(MODES[name].lacks) & set(peer.asked[-1])
    await engine.stop()


@pytest.mark.slow
@pytest.mark.parametrize("name", MODES)
async def test_a_run_on_any_of_them_fails_no_candidate(name: str, peer: Peer, tmp_path: Path) -> None:
    found = await run_against(peer, name, MODES[name], tmp_path / "run")
    assert found.summary is not None
    assert found.summary["run"]["finished"]
    assert [one.error_message for one in found.candidates if one.failed] == []
    written = [one for one in found.candidates if one.written]
    assert written
    assert all(one.judge_win is not None for one in written if one.messages != one.seed_messages)
    assert found.row() in TABLE, "run benchmarks/servers.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILURES)
async def test_what_a_run_shows_of_a_server_that_does_not_answer(
    name: str, peer: Peer, tmp_path: Path
) -> None:
    found = await run_against(peer, name, FAILURES[name](), tmp_path / "run")
    assert (found.summary is not None) is (name in AT_TIMES)
    if name in AT_TIMES or "after the start" in name:
        # The order of requests decides how many are met.
        if name in AT_TIMES:
            assert len(found.candidates) >= SEEDS
            assert any(one.written for one in found.candidates)
            assert all(one.written or one.failed or one.rejected for one in found.candidates)
        else:
            (line,) = found.said
            assert line.startswith("error: ")
            assert NO_QUOTA in line
        return
    assert found.row() in TABLE, "run benchmarks/servers.py"
