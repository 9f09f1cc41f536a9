"""What is sent next after a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from actors.engines.capabilities import FORMS, Capabilities
from actors.engines.openai_request import question
from actors.engines.refusals import Refusal
from actors.engines.request_fallbacks import after_refusal, room_left
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import EngineKind, ModelConfig

MODEL = ModelConfig(kind=EngineKind.openai, model="m")
REQUEST = GenerationRequest(
    "r",
    Sampling(0.0, 1.0, 9000, ("END",)),
    seed=1,
    messages=(Message("system", "Be brief."), Message("user", "Hi.")),
    json_schema={"properties": {"reason": {"maxLength": 9}}},
    top_logprobs=20,
)


def learnt(text: str, parameter: str = "", found: Capabilities | None = None) -> Capabilities | None:
    before = found or Capabilities()
    refusal = Refusal(400, text, parameter, body=text.lower())
    step = after_refusal(
        before, question(MODEL, REQUEST, before)[1], refusal, lambda f: question(MODEL, REQUEST, f)[1]
    )
    return step[0] if step else None


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("temperature is deprecated for this model.", {"temperature": 2}),
        ("invalid temperature: only 1 is allowed for this model", {"temperature": 2}),
        ("Invalid params: temperature must be in range (0, +inf)", {"temperature": 1}),
        ("`max_tokens` must be less than or equal to `8192`", {"most_tokens": 8192}),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", {"most_tokens": 8192}),
        (
            "max_tokens is too large: 9000. This model supports at most 4096 completion tokens",
            {"most_tokens": 4096},
        ),
        ("max_tokens: Extra inputs are not permitted", {"limit": 1}),
        ("Logprobs is not supported for this model.", {"logprobs": 1}),
        ("logprobs, best_of and echo parameters are not available on this model", {"logprobs": 1}),
        ("'top_logprobs' must be between 0 and 5", {"most_logprobs": 5}),
        ("`logprobs` must be between 1 and 5, got 20", {"most_logprobs": 5}),
        ("Input should be less than or equal to 8: top_logprobs", {"most_logprobs": 8}),
        ("response_format.type `json_schema` is unavailable now", {"schema": 2}),
        ("Structured output is not supported by this model", {"schema": 2}),
        ("For 'string' type, property 'maxLength' is not supported in output_format.schema", {"schema": 1}),
        ("Developer instruction is not enabled for models/gemma-3-27b-it", {"system": 1}),
        ("Only user and assistant roles are supported, got system", {"system": 1}),
        ("Only user and assistant roles are supported!", {"system": 1}),
        ("Expected last role User or Tool (or Assistant with prefix True) but got system", {"system": 1}),
        ("`top_n_tokens` must be >= 0 and <= 5. Given: 20", {"most_logprobs": 5}),
        ("Unknown parameter: 'seed'.", {"seed": 1}),
        ("property 'seed' is unsupported", {"seed": 1}),
        ("m does not support parameters: ['stop', 'seed']", {"stop": 1, "seed": 1}),
    ],
)
def test_a_refusal_leads_to_the_next_form(text: str, changes: dict[str, Any]) -> None:
    after = learnt(text)
    assert after is not None
    assert after == Capabilities(**changes)


@pytest.mark.parametrize(
    "text",
    ["Bad Request", "tools is not supported", "the model crashed", "Invalid value: 'messages' is empty", ""],
)
def test_a_refusal_that_names_nothing_teaches_nothing(text: str) -> None:
    assert learnt(text) is None


def test_the_named_parameter_counts_and_not_the_text() -> None:
    after = learnt("seed and temperature are fine, but this is not", parameter="top_p")
    assert after == Capabilities(top_p=1)


@pytest.mark.parametrize("name", FORMS)
def test_steps_end(name: str) -> None:
    """A server that refuses the same thing for ever gets a bounded number of forms."""
    found: Capabilities | None = Capabilities()
    steps = 0
    while (
        found := learnt(f"{name} system role logprobs response_format: unsupported", found=found)
    ) is not None:
        steps += 1
    assert steps <= sum(len(forms) for forms in FORMS.values())


@pytest.mark.parametrize(
    ("text", "asked", "room"),
    [
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's maximum context length "
            "is 4096 tokens and your request has 500 input tokens (4000 > 4096 - 500).",
            4000,
            3596,
        ),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (1000 in "
            "the messages, 4000 in the completion). Please reduce the length of the messages or completion.",
            4000,
            3096,
        ),
        (
            "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested "
            "a total of 5000 tokens: 1000 tokens from the input messages and 4000 tokens for the completion.",
            4000,
            3096,
        ),
        (
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 1000 "
            "`inputs` tokens and 4000 `max_new_tokens`",
            4000,
            3096,
        ),
        (
            "input length and `max_tokens` exceed context limit: 190000 + 21000 > 200000, decrease input",
            21000,
            10000,
        ),
        (
            "This model's maximum context length is 4096 tokens, your request has 5000 input tokens.",
            512,
            None,
        ),
        ("the request exceeds the available context size, try increasing it", 512, None),
    ],
)
def test_the_room_for_new_tokens_is_read_from_a_refusal(text: str, asked: int, room: int | None) -> None:
    assert room_left(Refusal(400, text), asked) == room
