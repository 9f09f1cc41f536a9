"""Thoughts of a model in vLLM: its reasoning parser, and the two parts of what it generated."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from actors.engines.thinking_template import ThinkingMode, thinking_mode
from staragents.base.errors import EngineDead
from staragents.base.generation import Generation, Sampling
from staragents.config import ModelConfig
from staragents.text.special_tokens import special_tokens, without_tokens
from staragents.text.thinking import Thinking, split_thinking

logger = logging.getLogger(__name__)

PARSERS = {
    "bailing_moe_v3": "ling3",
    "cohere2_moe": "cohere_command4",
    "cohere": "cohere_command3",
    "deepseek_v41": "deepseek_v41",
    "deepseek_v4": "deepseek_v4",
    "ernie4_5": "ernie45",
    "gemma4": "gemma4",
    "glm": "glm45",
    "gpt_oss": "openai_gptoss",
    "granite": "granite",
    "hunyuan": "hunyuan_a13b",
    "hy_v3": "hy_v3",
    "hy_v4": "hy_v4",
    "inkling": "inkling",
    "k2_horizon": "k2_horizon",
    "kimi_k2": "kimi_k2",
    "kimi_k3": "kimi_k3",
    "laguna": "poolside_v1",
    "mimo": "mimo",
    "minicpmv": "minicpmv",
    "minimax_m2": "minimax_m2",
    "minimax_m3": "minimax_m3",
    "ministral": "mistral",
    "mistral": "mistral",
    "muse_glimmer": "muse_glimmer",
    "nemotron": "nemotron_v3",
    "olmo3": "olmo3",
    "plamo3": "plamo3",
    "qwen3": "qwen3",
    "seed_oss": "seed_oss",
    "step3p": "step3p5",
    "step3": "step3",
}
"""vLLM's reasoning parser by the beginning of a config's `model_type`; the first that fits."""
DESCRIBED = "response_template"
"""Key of a tokenizer's config that describes its answers, for vLLM's parser `hf`."""
DEFAULT_PARSER = "deepseek_r1"
"""For all other models that have `<think>` and `</think>` as tokens, such as those distilled from R1."""


class VllmThinking:
    """What a model's thoughts need of vLLM. For a model that does not think it changes nothing."""

    def __init__(self, tokenizer: Any, config: ModelConfig, model_type: str) -> None:
        """Raises EngineDead if the chat template or the named parser can't do what the config asks for."""
        self._tokenizer = tokenizer
        self.mode: ThinkingMode = thinking_mode(tokenizer, config)
        self._named = str(config.engine_args.get("reasoning_parser") or "")
        self._parser = self._made(self._named or self._known(model_type)) if self.mode.thinks else None
        self.tokens = config.thinking_tokens if self.mode.thinks else 0
        """Maximum tokens of a thought."""
        self._model = config.model
        self._is_surprised = False
        self.limits_thoughts = False
        """Whether vLLM ends a thought at its maximum; known once the engine has started."""

    @property
    def engine_args(self) -> dict[str, Any]:
        """The parser's name: with it, vLLM applies a JSON schema only to the answer."""
        return {"reasoning_parser": self._parser[0]} if self._parser and not self._named else {}

    def request(self, is_chat: bool) -> dict[str, Any]:
        """Arguments of `AsyncLLM.generate`."""
        if not self._parser and not self._named:
            return {}
        if not (is_chat and self.mode.thinks):
            # Otherwise vLLM would wait for the end of a thought before it applies a schema.
            return {"reasoning_ended": True}
        return {"reasoning_parser_kwargs": {"chat_template_kwargs": dict(self.mode.variables)}}

    def may_have_schema(self, prompt_ids: Sequence[int]) -> bool:
        """Whether vLLM would leave the thought free of a JSON schema. Otherwise the answer is asked for
        without one, and its text is parsed."""
        if not self.mode.thinks:
            return True
        return self._parser is not None and not self._parser[1].is_reasoning_end(list(prompt_ids))

    def answered(self, generation: Generation, token_ids: Sequence[int], sampling: Sampling) -> Generation:
        """The generation of a chat request with thought and answer apart.

        vLLM can't apply the stop strings and max_tokens of the answer, as a thought comes before it.
        """
        split = self._split(generation.text, generation.finish_reason == "length")
        if not split.found and not self.mode.thinks:
            return generation
        if not self.mode.thinks and not self._is_surprised:
            self._is_surprised = True
            logger.warning(
                "%s writes thoughts though none are expected: with reasoning=on they get thinking_tokens",
                self._model,
            )
        thought = self._tokens_before(token_ids, split.start)
        answer, finish = split.answer, generation.finish_reason
        if self.mode.thinks:
            finish = "length" if len(token_ids) - thought > sampling.max_tokens else finish
            ends = [answer.find(stop) for stop in sampling.stop if stop in answer]
            if ends:
                answer, finish = answer[: min(ends)], "stop"
        return replace(
            generation,
            text=answer,
            finish_reason=finish,
            reasoning=split.reasoning,
            reasoning_tokens=thought,
            logprobs=generation.logprobs[thought:],
        )

    def _split(self, text: str, truncated: bool) -> Thinking:
        ours = split_thinking(text, self.mode.opened, truncated)
        if self._parser is not None and not ours.found:
            ours = self._parsed(text) or ours
        if not self.mode.thinks:
            return ours
        # vLLM keeps special tokens in the text of a model that thinks, as they may mark its thoughts.
        answer, reasoning = (without_tokens(part, self._special) for part in (ours.answer, ours.reasoning))
        return replace(ours, answer=answer, reasoning=reasoning)

    def _tokens_before(self, token_ids: Sequence[int], start: int) -> int:
        """The number of tokens before the character `start`."""
        if not start:
            return 0
        ids = list(token_ids)
        return bisect_left(
            range(len(ids)), start + 1, key=lambda count: len(self._text(ids[: count + 1]))
        )  # fmt: skip

    def _text(self, token_ids: list[int]) -> str:
        return str(self._tokenizer.decode(token_ids, skip_special_tokens=False))

    def _parsed(self, text: str) -> Thinking | None:
        """By vLLM's parser, for markup that is unknown here. If it finds no answer, that does not count: most
        parsers take every text without a closing tag for a thought."""
        assert self._parser is not None
        try:
            reasoning, answer = self._parser[1].extract_reasoning(text, SimpleNamespace())
        except Exception as error:  # the parser's own, for text that it does not expect
            logger.warning("vLLM's reasoning parser %s failed: %s", self._parser[0], error)
            return None
        if not reasoning or not answer:
            return None
        return Thinking(reasoning.strip(), answer.lstrip(), max(0, text.rfind(answer.lstrip())), True)

    def _known(self, model_type: str) -> str:
        for beginning, name in PARSERS.items():
            if model_type.startswith(beginning):
                return name
        if model_type.startswith("deepseek") and "thinking" in self.mode.variables:
            return "deepseek_v3"
        if getattr(self._tokenizer, "init_kwargs", {}).get(DESCRIBED):
            return "hf"
        vocab = self._tokenizer.get_vocab()
        return DEFAULT_PARSER if {"<think>", "</think>"} <= vocab.keys() else ""

    def _made(self, name: str) -> tuple[str, Any] | None:
        """Name and parser; None if there is no parser, or it does not suit the tokenizer."""
        if not name:
            return None
        from vllm.reasoning import ReasoningParserManager

        try:
            made = ReasoningParserManager.get_reasoning_parser(name)
            variables = dict(self.mode.variables)
            return name, made(self._tokenizer, chat_template_kwargs=variables)
        except Exception as error:
            if self._named:
                known = ReasoningParserManager.list_registered()
                suits = f"one that suits the tokenizer ({' '.join(str(error).split())})"
                expected = suits if name in known else f"one of {', '.join(known)}"
                raise EngineDead(f"engine_args.reasoning_parser: expected {expected}, got {name}") from error
            logger.warning("vLLM's reasoning parser %s does not suit the tokenizer: %s", name, error)
            return self._made(DEFAULT_PARSER) if name != DEFAULT_PARSER else None

    @cached_property
    def _special(self) -> tuple[str, ...]:
        return special_tokens(self._tokenizer)


def model_type(model_path: str, revision: str | None = None) -> str:
    """`model_type` of the model's config.json; nothing if it can't be read, as vLLM then says why."""
    from transformers import PretrainedConfig

    try:
        found, _ = PretrainedConfig.get_config_dict(model_path, revision=revision or "main")
    except Exception:
        return ""
    return str(found.get("model_type") or "")
