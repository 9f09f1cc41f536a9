"""Equal requests share one answer across processes and runs; another request has its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from staragents.agents.generation_cache import GenerationCache
from staragents.base.errors import BadInput
from staragents.base.generation import Generation, GenerationRequest, Sampling, TokenLogprobs
from staragents.base.messages import Message
from staragents.config import EngineKind, ModelConfig, Reasoning
from staragents.validation.loading import load_config
from tests.support.local_run import decided, local_handles, local_run
from tests.support.paths import ROOT

MODELS = {"a": ModelConfig(model="org/a"), "b": ModelConfig(model="org/b")}
REQUEST = GenerationRequest("id-0", Sampling(), seed=1, messages=(Message("user", "Name a colour.\ud800"),))
ANSWER = Generation("Blue.", "stop", 5, 2, 0.3, (TokenLogprobs("Blue", {"Blue": -0.1, "Red": -2.5}),))


def test_another_process_finds_the_same_cached_answer(tmp_path: Path) -> None:
    first = GenerationCache(tmp_path / "g.sqlite", MODELS)
    assert first.get("a", REQUEST) is None
    first.put("a", REQUEST, ANSWER)
    again = GenerationCache(tmp_path / "g.sqlite", MODELS)
    assert again.get("a", replace(REQUEST, request_id="id-1", deadline_s=1.0)) == ANSWER
    assert first.counts() == again.counts() == (1, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"sampling": Sampling(temperature=0.1)},
        {"sampling": Sampling(stop=("x",))},
        {"messages": (Message("system", "Name a colour.\ud800"),)},
        {"messages": None, "prompt": "Name a colour.\ud800"},
        {"json_schema": {"type": "object"}},
        {"top_logprobs": 5},
    ],
)
def test_every_field_that_affects_the_text_makes_another_request(tmp_path: Path, change: dict) -> None:
    cache = GenerationCache(tmp_path / "g.sqlite", MODELS)
    cache.put("a", REQUEST, ANSWER)
    assert cache.get("a", replace(REQUEST, **change)) is None
    assert cache.get("b", REQUEST) is None


def test_another_model_under_the_same_name_makes_another_request(tmp_path: Path) -> None:
    GenerationCache(tmp_path / "g.sqlite", MODELS).put("a", REQUEST, ANSWER)
    other = {"a": ModelConfig(model="org/a", kind=EngineKind.openai)}
    bigger = {"a": ModelConfig(model="org/a", max_replicas=4, num_gpus=2)}
    assert GenerationCache(tmp_path / "g.sqlite", other).get("a", REQUEST) is None
    assert GenerationCache(tmp_path / "g.sqlite", bigger).get("a", REQUEST) == ANSWER


def served(port: int, **more: object) -> ModelConfig:
    address = f"http://127.0.0.1:{port}/v1"
    return ModelConfig(kind=EngineKind.openai, model="default", base_url=address, **more)  # type: ignore[arg-type]


def test_servers_that_name_their_models_alike_do_not_share_answers(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path / "g.sqlite", {"own": served(8000), "big": served(9000)})
    cache.put("own", REQUEST, ANSWER)
    assert cache.get("big", REQUEST) is None
    assert cache.get("own", REQUEST) == ANSWER
    moved = GenerationCache(tmp_path / "g.sqlite", {"own": served(8001), "big": served(9000)})
    assert moved.get("own", REQUEST) == ANSWER
    assert moved.get("big", REQUEST) is None


def test_a_server_at_another_port_is_the_same_model(tmp_path: Path) -> None:
    other = ModelConfig(model="org/b")
    GenerationCache(tmp_path / "g.sqlite", {"own": served(8000), "b": other}).put("own", REQUEST, ANSWER)
    moved = GenerationCache(tmp_path / "g.sqlite", {"own": served(8001), "b": other})
    assert moved.get("own", REQUEST) == ANSWER


def test_entries_of_one_server_share_answers(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path / "g.sqlite", {"a": served(8000), "b": served(8000, max_num_seqs=2)})
    cache.put("a", REQUEST, ANSWER)
    assert cache.get("b", REQUEST) == ANSWER


def test_a_file_that_is_not_a_cache_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "g.sqlite").write_text("no database, but text that is long enough to be looked at" * 9)
    with pytest.raises(BadInput, match=r"g\.sqlite"):
        GenerationCache(tmp_path / "g.sqlite", MODELS)


async def test_runs_that_share_a_cache_generate_only_new_requests(tmp_path: Path) -> None:
    """Cached answers are those the engine would give, so the second run equals one without a cache."""

    def config(name: str, policy: str):
        fixed = ["memory.enabled=false", "seeds.limit=20", f"output.dir={tmp_path / name}"]
        return load_config(ROOT / "configs/fake.yaml", [*fixed, f"evolution.policy={policy}"])

    first, second = config("first", "thompson"), config("second", "uniform")
    path = tmp_path / "g.sqlite"
    await local_run(first, cache=GenerationCache(path, first.models))
    handles = await local_handles(second)
    await local_run(second, handles=handles, cache=GenerationCache(path, second.models))
    await local_run(config("alone", "uniform"))
    assert decided(tmp_path / "second") == decided(tmp_path / "alone")
    drawn = {name: {row["candidate_id"] for row in decided(tmp_path / name)} for name in ("first", "second")}
    new = [row for row in decided(tmp_path / "second") if row["candidate_id"] not in drawn["first"]]
    assert 0 < len(new) < len(drawn["second"])
    # A rewrite unless the instruction is kept, an answer, and two verdicts on each that passed the checks.
    assert handles["writer"].requests == sum(2 - (row["instruction_agent"] == "keep") for row in new)
    assert handles["judge"].requests == sum(2 * (row["judge_win"] is not None) for row in new)


def test_thoughts_are_cached_and_their_settings_are_part_of_the_model(tmp_path: Path) -> None:
    cache = GenerationCache(tmp_path / "g.sqlite", MODELS)
    thought = replace(ANSWER, reasoning="A colour.", reasoning_tokens=3)
    cache.put("a", REQUEST, thought)
    assert cache.get("a", REQUEST) == thought
    for change in ({"reasoning": Reasoning.off}, {"thinking_tokens": 9}, {"chat_template_kwargs": {"a": 1}}):
        other = {"a": ModelConfig(model="org/a", **change)}  # type: ignore[arg-type]
        assert GenerationCache(tmp_path / "g.sqlite", other).get("a", REQUEST) is None


def test_generations_that_were_cached_before_models_could_think_are_found(tmp_path: Path) -> None:
    """The key of a request as an earlier version computed it."""
    cache = GenerationCache(tmp_path / "g.sqlite", MODELS)
    thinking = replace(REQUEST, sampling=Sampling(thinking_tokens=2048))
    assert cache._key("a", REQUEST) == cache._key("a", thinking)
    assert cache._key("a", REQUEST).hex().startswith("7e676b58f07680ef")
