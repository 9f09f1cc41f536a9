"""Thoughts in real vLLM: its parsers, its limit for thoughts, and a JSON schema for the answer only."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.engines.vllm_engine import VllmEngine
from actors.engines.vllm_environment import vllm_environment
from actors.engines.vllm_thinking import PARSERS, VllmThinking, model_type
from staragents.agents.order_verdict import parse_verdict
from staragents.base.errors import EngineDead
from staragents.base.generation import Generation, GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import JudgeConfig, ModelConfig, Reasoning
from staragents.text.thinking import split_thinking
from tests.support.gpu_share import GPU_SHARE
from tests.support.loaded_models import tokenizer_of
from tests.support.thinking_model import thinking_model

pytest.importorskip("vllm")
BUDGET = 24
EAGER: dict[str, Any] = {"enforce_eager": True}
VERDICT = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "maxLength": 30},
        "verdict": {"type": "string", "enum": ["A", "B", "tie"]},
    },
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
# Shapes recorded in vLLM's own tests and model cards, with the parser that reads them.
RECORDED = {
    "deepseek_r1": ["<think>\nWe compare.\n</think>\n\nBlue.", "We compare.</think>Blue."],
    "qwen3": ["<think>\nWe compare.\n</think>\n\nBlue.", "We compare.\n</think>\n\nBlue."],
    "glm45": ["<think>We compare.</think>\nBlue."],
    "granite": ["Here is my thought process: We compare. Here is my response: Blue."],
    "ernie45": ["We compare.\n</think>\n\n<response>\nBlue.\n</response>\n", "We compare.\n</think>\nBlue."],
    "olmo3": ["<think>We compare.</think>Blue.", "We compare.</think>Blue."],
    "step3": ["We compare.</think>Blue."],
    "hunyuan_a13b": ["<think>\nWe compare.\n</think>\n<answer>\nBlue.\n</answer>"],
    "seed_oss": ["<seed:think>We compare.</seed:think>Blue."],
    "gemma4": ["<|channel>thought\nWe compare.<channel|>Blue."],
    "mistral": ["[THINK]We compare.[/THINK]Blue."],
    "minimax_m2": ["We compare.\n</think>\n\nBlue."],
    "minimax_m3": ["<mm:think>We compare.</mm:think>Blue."],
    "kimi_k2": ["<think>We compare.</think>Blue."],
    "kimi_k3": [
        "<|open|>think<|sep|>We compare.<|close|>think<|sep|>"
        "<|open|>response<|sep|>Blue.<|close|>response<|sep|>"
    ],
    "k2_horizon": ["<ifm|think>We compare.</ifm|think>Blue."],
    "plamo3": ["<|plamo:begin_think:plamo|>We compare.<|plamo:end_think:plamo|>Blue."],
    "hy_v3": ["<think>We compare.</think>Blue."],
    "nemotron_v3": ["We compare.\n</think>\n\nBlue."],
    "poolside_v1": ["<think>We compare.</think>Blue."],
    "deepseek_v3": ["We compare.</think>Blue."],
}
FAMILIES = (
    "<seed:think>",
    "</seed:think>",
    "<|channel>",
    "<channel|>",
    "<|turn>",
    "<turn|>",
    "[THINK]",
    "[/THINK]",
    "[TOOL_CALLS]",
    "<mm:think>",
    "</mm:think>",
    "<|open|>",
    "<|close|>",
    "<|sep|>",
    "<ifm|think>",
    "</ifm|think>",
    "<|plamo:begin_think:plamo|>",
    "<|plamo:end_think:plamo|>",
    "<assistant>",
    "<tool_call>",
)
"""Tokens of other families, which their parsers need."""
SWITCHED_ON = {"thinking": True, "enable_thinking": True, "reasoning_effort": "high"}


@pytest.fixture(scope="module")
def folder(smollm2: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return thinking_model(Path(smollm2), tmp_path_factory.mktemp("models") / "thinking")


def config_of(folder: Path, **more: Any) -> ModelConfig:
    return ModelConfig(
        model=str(folder),
        max_model_len=1024,
        max_num_seqs=4,
        thinking_tokens=BUDGET,
        num_gpus=GPU_SHARE,
        **more,
    )


@contextmanager
def vllm_variables(config: ModelConfig) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in vllm_environment(config, local_model=True).items():
            if name != "LD_PRELOAD":
                patch.setenv(name, value)
        yield


def test_an_engine_that_does_not_start_says_why(folder: Path, tmp_path: Path) -> None:
    """Its own process fails, and vLLM only refers to the log of that."""
    shutil.copytree(folder, tmp_path / "unfinished", ignore=shutil.ignore_patterns("*.safetensors"))
    config = config_of(tmp_path / "unfinished", engine_args=EAGER)
    with vllm_variables(config), pytest.raises(EngineDead, match=r"Cannot find any model weights"):
        asyncio.run(VllmEngine(config, config.model).start())


@pytest.fixture(scope="module")
def generations(folder: Path) -> Iterator[dict[str, Generation]]:
    """Answers of one engine, by the name of their request."""
    config = config_of(folder, engine_args=EAGER)
    with vllm_variables(config):
        yield asyncio.run(_answers(VllmEngine(config, str(folder))))


async def _answers(engine: VllmEngine) -> dict[str, Generation]:
    turns = (Message("user", "Explain how a rainbow forms."),)
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=16)
    await engine.start()
    try:
        return {
            name: await engine.generate(GenerationRequest(name, seed=1, **request))
            for name, request in {
                "answer": {"sampling": sampling, "messages": turns},
                "stopped": {"sampling": Sampling(1.0, 1.0, 16, stop=("e",)), "messages": turns},
                "verdict": {
                    "sampling": Sampling(1.0, 1.0, 80), "messages": turns,
                    "json_schema": VERDICT, "top_logprobs": 5,
                },
                "raw": {"sampling": sampling, "prompt": "The sky is"},
            }.items()
        }  # fmt: skip
    finally:
        await engine.stop()


def test_a_thought_ends_at_its_limit_and_the_answer_follows(generations: dict[str, Generation]) -> None:
    answer = generations["answer"]
    assert answer.reasoning
    assert BUDGET <= answer.reasoning_tokens <= BUDGET + 2
    assert answer.text
    assert answer.tokens_out - answer.reasoning_tokens <= 16
    assert not any("think>" in part or "<|im_" in part for part in (answer.text, answer.reasoning))


def test_a_stop_string_ends_the_answer_and_not_the_thought(generations: dict[str, Generation]) -> None:
    answer, stopped = generations["answer"], generations["stopped"]
    assert stopped.reasoning == answer.reasoning
    assert stopped.text == answer.text.partition("e")[0]
    assert "e" in stopped.reasoning


def test_a_schema_binds_the_answer_only_and_log_probabilities_begin_with_it(
    generations: dict[str, Generation],
) -> None:
    verdict = generations["verdict"]
    assert verdict.reasoning == generations["answer"].reasoning
    assert verdict.text.startswith('{"reason":')
    assert verdict.logprobs[0].text.startswith("{")
    read = parse_verdict(verdict, JudgeConfig())
    assert read is not None
    assert 0 < read.a_wins < 1


def test_a_raw_prompt_has_no_thought(generations: dict[str, Generation]) -> None:
    raw = generations["raw"]
    assert (raw.reasoning, raw.reasoning_tokens) == ("", 0)
    assert raw.tokens_out <= 16


def test_a_parser_is_found_for_the_tokenizer_and_a_model_without_thoughts_gets_none(
    folder: Path, smollm2: str
) -> None:
    tokenizer = tokenizer_of(str(folder))
    assert VllmThinking(tokenizer, config_of(folder), "llama").engine_args == {
        "reasoning_parser": "deepseek_r1"
    }
    assert VllmThinking(tokenizer, config_of(folder), "qwen3").engine_args == {"reasoning_parser": "qwen3"}
    assert VllmThinking(tokenizer, config_of(folder, reasoning=Reasoning.off), "qwen3").engine_args == {}
    named = config_of(folder, engine_args={"reasoning_parser": "olmo3"})
    assert VllmThinking(tokenizer, named, "llama").engine_args == {}  # the user's own
    quiet = config_of(folder, engine_args={"reasoning_parser": "olmo3"}, reasoning=Reasoning.off)
    assert VllmThinking(tokenizer, quiet, "llama").request(True) == {"reasoning_ended": True}
    assert VllmThinking(tokenizer, quiet, "llama").may_have_schema([1, 2])
    plain = VllmThinking(tokenizer_of(smollm2), ModelConfig(model=smollm2), "llama")
    assert (plain.engine_args, plain.tokens, plain.request(True)) == ({}, 0, {})
    assert model_type(smollm2) == "llama"


def test_unexpected_thoughts_are_apart_and_said_once(smollm2: str, caplog: pytest.LogCaptureFixture) -> None:
    plain = VllmThinking(tokenizer_of(smollm2), ModelConfig(model=smollm2), "llama")
    text = "<think>\nWe compare.\n</think>\n\nBlue."
    for _ in range(2):
        ids = tokenizer_of(smollm2)(text)["input_ids"]
        answer = plain.answered(Generation(text, "stop", 1, len(ids), 0.1), ids, Sampling())
        assert (answer.text, answer.reasoning) == ("Blue.", "We compare.")
        assert 0 < answer.reasoning_tokens < len(ids)
    assert caplog.text.count("with reasoning=on they get thinking_tokens") == 1


@pytest.mark.parametrize(
    ("family", "parser"),
    [("deepseek_v41", "deepseek_v41"), ("deepseek_v4", "deepseek_v4"), ("glm_moe_dsa", "glm45"),
     ("hy_v4", "hy_v4"), ("step3p7", "step3p5"), ("exaone4", "deepseek_r1")],
)  # fmt: skip
def test_a_family_has_its_own_parser(folder: Path, family: str, parser: str) -> None:
    args = VllmThinking(tokenizer_of(str(folder)), config_of(folder), family).engine_args
    assert args == {"reasoning_parser": parser}


@pytest.mark.parametrize(
    ("name", "line"),
    [("nope", "expected one of cohere_command3, .*, got nope"),
     ("minimax_m3", r"expected one that suits the tokenizer \(.*start/end tokens.*\), got minimax_m3")],
)  # fmt: skip
def test_a_parser_that_can_not_be_used_is_one_line(folder: Path, name: str, line: str) -> None:
    config = config_of(folder, engine_args={"reasoning_parser": name})
    with pytest.raises(EngineDead, match=rf"^engine_args\.reasoning_parser: {line}$"):
        VllmThinking(tokenizer_of(str(folder)), config, "llama")


def test_every_parser_that_is_chosen_by_family_exists() -> None:
    from vllm.reasoning import ReasoningParserManager

    assert {*PARSERS.values()} <= {*ReasoningParserManager.list_registered()}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in RECORDED.items() for text in texts]
)
def test_the_parts_are_those_of_vllms_own_parser(folder: Path, name: str, text: str) -> None:
    from transformers import AutoTokenizer
    from vllm.reasoning import ReasoningParserManager

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(list(FAMILIES))
    made = ReasoningParserManager.get_reasoning_parser(name)
    parser = made(tokenizer, chat_template_kwargs=SWITCHED_ON)
    reasoning, answer = parser.extract_reasoning(text, SimpleNamespace())  # type: ignore[arg-type]
    split = split_thinking(text)
    assert split.reasoning == "We compare."
    assert (split.reasoning, split.answer.strip()) == ((reasoning or "").strip(), (answer or "").strip())
