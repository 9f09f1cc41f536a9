"""The requests with which a judge is asked to compare two conversations."""

from __future__ import annotations

import json
from base64 import b32encode
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

from staragents.agents.history_text import history_text
from staragents.agents.order_verdict import LABELS
from staragents.agents.prompt_templates import PROMPTS, PromptTemplate, read_prompt
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Conversation
from staragents.base.records import stable_seed
from staragents.config import JudgeConfig, ModelConfig, Verdicts
from staragents.text.untrusted_text import as_earlier_turns, as_evidence

RECENT = 256
"""Texts of the last judgements that are kept: all candidates of a seed are compared with the same one."""

TOP_LOGPROBS = 20
"""The maximum of OpenAI and of vLLM by default; includes the three verdict labels."""


def judge_requests(
    config: JudgeConfig,
    model: ModelConfig,
    candidate_id: str,
    candidate: Conversation,
    baseline: Conversation,
    attempt: int,
    deadline_s: float,
    run_seed: int,
) -> list[GenerationRequest]:
    """One request per order: candidate as A, then (unless `both_orders` is off) candidate as B.

    The two differ only in position, so that position bias cancels. Each attempt has a new fence, as a greedy
    judge would repeat its answer to the same text.
    """
    fence = _fence(candidate, baseline, f"{run_seed} {candidate_id} {attempt}")
    sides = [_side(conversation, config) for conversation in (candidate, baseline)]
    history = as_earlier_turns(_cut(history_text(candidate[:-2]), config.max_text_chars // 3))
    sampling, schema = _sampling(config, model), _schema(config)
    orders = [("ab", sides)]
    if config.both_orders:
        orders.append(("ba", sides[::-1]))
    requests = []
    for order, (a, b) in orders:
        prompt = _template().render_for(
            model.chat,
            compare=config.compare.value,
            fence=fence,
            history=history,
            a=a,
            b=b,
            reason=config.reason,
        )
        requests.append(
            GenerationRequest(
                request_id=f"{candidate_id}-judge-{order}-{attempt}",
                sampling=sampling,
                seed=stable_seed(str(run_seed), candidate_id, "judge", order, str(attempt)),
                messages=prompt.turns if model.chat else None,
                prompt=None if model.chat else prompt.raw,
                json_schema=schema,
                top_logprobs=TOP_LOGPROBS if config.verdict is Verdicts.soft else 0,
                deadline_s=deadline_s,
            )
        )
    return requests


def _sampling(config: JudgeConfig, model: ModelConfig) -> Sampling:
    """Greedy, with room for the reason at one token per character and for the surrounding JSON."""
    return Sampling(
        temperature=0.0,
        top_p=1.0,
        max_tokens=config.max_reason_chars + 64,
        thinking_tokens=model.thinking_budget,
    )


@cache
def _template() -> PromptTemplate:
    side = {"instruction": "Name a colour.", "response": "Blue."}
    sample = {"compare": "pair", "fence": "data", "history": "", "a": side, "b": side, "reason": True}
    return read_prompt(PROMPTS / "judge.j2", sample)


def _schema(config: JudgeConfig) -> dict[str, Any]:
    """The reason comes first, so that the verdict can build on it."""
    properties: dict[str, Any] = {"verdict": {"type": "string", "enum": list(LABELS)}}
    if config.reason:
        reason = {"type": "string", "maxLength": config.max_reason_chars}
        properties = {"reason": reason, **properties}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _fence(candidate: Conversation, baseline: Conversation, question: str) -> str:
    """A 128-bit delimiter that no fenced text can contain: it is a hash of all texts, so inserting it into
    one changes it. It is the same for both orders and in repeated runs."""
    texts = sorted(map(_fenced, (candidate, baseline)))
    digest = blake2b(json.dumps([question, *texts]).encode(), digest_size=16).digest()
    return "data" + b32encode(digest).decode().rstrip("=").lower()


@lru_cache(RECENT)
def _fenced(conversation: Conversation) -> str:
    return json.dumps([{"role": turn.role, "content": turn.content} for turn in conversation])


def _side(conversation: Conversation, config: JudgeConfig) -> dict[str, str]:
    """A third of the characters is for the instruction and the rest for the response, equally on both
    sides."""
    instruction, response = conversation[-2:]
    third = config.max_text_chars // 3
    return {
        "instruction": _evidence(instruction.content, third),
        "response": _evidence(response.content, config.max_text_chars - third),
    }


@lru_cache(RECENT)
def _evidence(text: str, limit: int) -> str:
    return as_evidence(_cut(text, limit))


def _cut(text: str, limit: int) -> str:
    """The text, without its middle if it is too long. Neutralise it afterwards: joined ends could form a new
    marker."""
    text = text.strip()
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]} [...] {text[len(text) - limit // 2 :]}"
