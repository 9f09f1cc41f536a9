"""The fake servers of tests/support/server_modes.py: what is sent after the start, what the user reads."""

from __future__ import annotations

from aiohttp import web

from staragents.config import Reasoning
from tests.support.peer_server import Peer
from tests.support.server_modes import (
    Mode,
    all_of,
    forbids,
    honest,
    in_lists,
    in_parts,
    no_json_schema,
    no_lengths,
    no_system,
    only_at,
    refuses,
    silent,
    streamed,
    thinking,
    top_logprobs_at_most,
    unless,
    web_page,
    with_choice,
)

NO_VALUE = (
    "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is"
)
BOTH = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
USE_OTHER = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. "
    "Use 'max_completion_tokens' instead."
)
AT_LEAST = (
    "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 64, but got 16 instead."
)
NO_LOGPROBS = "This model does not support the 'logprobs' parameter."
NO_STOP = {
    "code": "Client specified an invalid argument",
    "error": "Argument not supported on this model: stop",
}
OFF = {"reasoning": Reasoning.off}

MODES = {
    "takes everything": Mode(
        lambda body, path: None, has={"temperature": 0.0, "top_p": 1.0, "top_logprobs": 20}
    ),
    "no temperature (OpenAI's reasoning models)": Mode(
        refuses("temperature", f"{NO_VALUE} supported.", param="temperature", code="unsupported_value"),
        ("no temperature is sent: the model samples at its own", "Only the default (1) value"),
        lacks=("temperature",),
        has={"top_p": 1.0},
    ),
    "temperature above 0 only (TGI)": Mode(
        unless(lambda body: body.get("temperature", 1) > 0, "`temperature` must be strictly positive", 422),
        ("temperature is sent within 0.01 to 1",),
        has={"temperature": 0.01},
    ),
    "top_p below 1 only (TGI)": Mode(
        unless(lambda body: body.get("top_p", 0.5) < 1, "`top_p` must be > 0.0 and < 1.0", 422),
        ("top_p is left out where it is 1",),
        has={"temperature": 0.0, "top_p": None},
    ),
    "temperature or top_p (Anthropic)": Mode(
        unless(lambda body: not {"temperature", "top_p"} <= set(body), BOTH),
        ("no top_p is sent",),
        lacks=("top_p",),
        has={"temperature": 0.0},
    ),
    "max_completion_tokens (OpenAI)": Mode(
        refuses("max_tokens", USE_OTHER, param="max_tokens", code="unsupported_parameter"),
        ("max_completion_tokens is sent instead of max_tokens",),
        lacks=("max_tokens",),
        has={"max_completion_tokens": 264},
    ),
    "a minimum of tokens (Azure)": Mode(
        unless(lambda body: body["max_tokens"] >= 64, AT_LEAST, code="integer_below_min_value"),
        has={"max_tokens": 264},
    ),
    "no seed (Mistral)": Mode(
        forbids("seed"), ("no seed is sent: a repeated run gets other texts", "seed: Extra inputs"), ("seed",)
    ),
    "no seed, no logprobs, at once": Mode(
        forbids("seed", "logprobs", "top_logprobs"),
        ("no seed is sent", "no log-probabilities: verdicts use only their label"),
        lacks=("seed", "logprobs", "top_logprobs"),
    ),
    "no stop (xAI)": Mode(
        lambda body, path: web.json_response(NO_STOP, status=400) if "stop" in body else None,
        ("no stop is sent: answers are cut here",),
        lacks=("stop",),
    ),
    "top_logprobs up to 5 (Azure)": Mode(
        top_logprobs_at_most(5, "Invalid value for 'top_logprobs': must be less than or equal to 5."),
        ("top_logprobs is at most 5", "less than or equal to 5"),
        has={"top_logprobs": 5, "logprobs": True},
    ),
    "top_logprobs up to 8 (vLLM)": Mode(
        top_logprobs_at_most(8, "Requested sample logprobs of 20, which is greater than max allowed: 8"),
        ("top_logprobs is at most 8",),
        has={"top_logprobs": 8},
    ),
    "no log-probabilities": Mode(
        refuses("logprobs", NO_LOGPROBS, param="logprobs"),
        ("no log-probabilities: verdicts use only their label",),
        lacks=("logprobs", "top_logprobs"),
    ),
    "log-probabilities left out without a word": Mode(
        with_choice(logprobs=None), ("returns no log-probabilities; verdicts use only the label",)
    ),
    "no json_schema (DeepSeek)": Mode(
        no_json_schema,
        ("JSON mode is used instead of the schema",),
        has={"response_format": {"type": "json_object"}},
    ),
    "no lengths in a schema (OpenAI)": Mode(no_lengths, ("the schema is sent without lengths",)),
    "no response_format": Mode(
        refuses("response_format", "Unrecognized request argument supplied: response_format"),
        ("neither schema nor JSON mode is used",),
        lacks=("response_format",),
    ),
    "no system role (Gemma)": Mode(
        no_system("System role not supported"), ("system text is put before the first user turn",)
    ),
    "no system role (o1-mini)": Mode(
        no_system(
            "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
            param="messages[0].role",
        ),
        ("system text is put before the first user turn",),
    ),
    "no system role (Mistral's template, status 500)": Mode(
        no_system("Only user, assistant and tool roles are supported, got system.", 500),
        ("system text is put before the first user turn",),
    ),
    "refuses without a reason": Mode(
        silent("seed", "logprobs"),
        ("no seed is sent", "no log-probabilities", "Bad Request"),
        lacks=("seed", "logprobs"),
        has={"temperature": 0.0, "top_p": 1.0},
    ),
    "an error with status 200": Mode(
        lambda body, path: web.json_response({"error": "unsupported: seed"}) if "seed" in body else None,
        ("no seed is sent",),
        lacks=("seed",),
    ),
    "log-probabilities with status 403 (OpenAI)": Mode(
        refuses("logprobs", "You are not allowed to request logprobs from this model", 403),
        ("no log-probabilities: verdicts use only their label", "You are not allowed"),
        lacks=("logprobs", "top_logprobs"),
    ),
    "parameters refused with status 404 (OpenRouter)": Mode(
        refuses("logprobs", "No endpoints found that can handle the requested parameters.", 404),
        ("no log-probabilities: verdicts use only their label",),
        lacks=("logprobs", "top_logprobs"),
        has={"temperature": 0.0, "seed": 4},
    ),
    "JSON that needs more tokens than a probe has (Groq)": Mode(
        unless(
            lambda body: "response_format" not in body or body["max_tokens"] > 16,
            "Failed to generate JSON. See 'failed_generation' for more details.",
            code="json_validate_failed",
            failed_generation="max completion tokens reached before generating a valid document",
        ),
        has={"max_tokens": 264},
    ),
    "top_n_tokens up to 5 (TGI)": Mode(
        top_logprobs_at_most(5, "Input validation error: `top_n_tokens` must be >= 0 and <= 5. Given: 20"),
        ("top_logprobs is at most 5",),
        has={"top_logprobs": 5},
    ),
    "fewer log-probabilities, without a reason": Mode(
        top_logprobs_at_most(5, "Bad Request"),
        ("top_logprobs is at most 5 (the server: Bad Request)",),
        has={"top_logprobs": 5},
    ),
    "an error of the server for what it does not take": Mode(
        refuses("logprobs", "Internal Server Error", 500),
        ("no log-probabilities: verdicts use only their label (the server: Internal Server Error)",),
        lacks=("logprobs", "top_logprobs"),
        is_seen_later=False,
    ),
    "no system role (llama.cpp, status 500)": Mode(
        no_system("Only user and assistant roles are supported!", 500),
        ("system text is put before the first user turn",),
    ),
    "no reasoning to switch off (Ollama)": Mode(
        refuses("chat_template_kwargs", '"m" does not support thinking'),
        ("no switch for reasoning is sent",),
        settings=OFF,
        lacks=("chat_template_kwargs", "reasoning_effort", "thinking", "enable_thinking"),
    ),
    "reasoning off by enable_thinking (DashScope)": Mode(
        unless(
            lambda body: body.get("enable_thinking") is False,
            "parameter.enable_thinking must be set to false for non-streaming calls",
        ),
        ("reasoning is switched by enable_thinking; auto means off",),
        settings=OFF,
        has={"enable_thinking": False},
    ),
    "log-probabilities in lists (Together)": Mode(in_lists),
    "finish_reason FINISH_REASON_STOP": Mode(with_choice(finish_reason="FINISH_REASON_STOP")),
    "finish_reason with a token (SGLang)": Mode(with_choice(finish_reason={"type": "stop", "matched": 2})),
    "an unknown finish_reason": Mode(
        with_choice(finish_reason="OTHER"), ("gives an unknown finish_reason, read as",)
    ),
    "many at once (a reasoning model)": Mode(
        all_of(
            refuses("temperature", f"{NO_VALUE} supported.", param="temperature"),
            refuses("top_p", "Unsupported parameter: 'top_p' is not supported with this model."),
            refuses("max_tokens", USE_OTHER, param="max_tokens"),
            refuses("logprobs", "Unsupported parameter: 'logprobs' is not supported with this model."),
            refuses("stop", "Unsupported parameter: 'stop' is not supported with this model."),
        ),
        ("no temperature", "no top_p", "max_completion_tokens", "no log-probabilities", "no stop"),
        lacks=("temperature", "top_p", "max_tokens", "logprobs", "stop"),
        has={"max_completion_tokens": 264},
    ),
    "finish_reason eos_token (TGI)": Mode(with_choice(finish_reason="eos_token")),
    "finish_reason end_turn": Mode(with_choice(finish_reason="end_turn")),
    "finish_reason STOP (Gemini)": Mode(with_choice(finish_reason="STOP")),
    "no finish_reason": Mode(with_choice(finish_reason=None)),
    "an empty finish_reason": Mode(with_choice(finish_reason="")),
    "base_url without /v1": Mode(
        only_at("/v1", detail="Not Found"), ("as no API answers at base_url",), path=""
    ),
    "base_url without /v1, status 200": Mode(
        only_at("/v1", status=200, detail="Not Found"), ("as no API answers at base_url",), path=""
    ),
    "base_url without /v1 (LM Studio)": Mode(
        only_at("/v1", status=200, error="Unexpected endpoint or method. (POST /chat/completions)"),
        ("as no API answers at base_url",),
        path="",
    ),
    "base_url of a web page": Mode(web_page, ("as no API answers at base_url",), path="/"),
    "base_url of Ollama's own API": Mode(only_at("/v1"), ("as no API answers at base_url",), path="/api"),
    "base_url with the whole path": Mode(only_at("/v1"), path="/v1/chat/completions"),
    "base_url with a slash": Mode(only_at("/v1"), path="/v1/"),
    "an API at the root": Mode(only_at(""), path=""),
    "events although none were asked for": Mode(streamed),
    "content in parts": Mode(in_parts),
    "reasoning_content": Mode(thinking("reasoning_content", lambda body: True)),
    "reasoning": Mode(thinking("reasoning", lambda body: True)),
    "reasoning off by the template (vLLM)": Mode(
        thinking(
            "reasoning_content",
            lambda body: body.get("chat_template_kwargs", {}).get("enable_thinking", True),
        ),
        settings=OFF,
        has={"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
    ),
    "reasoning off by reasoning_effort": Mode(
        all_of(
            forbids("chat_template_kwargs"),
            thinking("reasoning", lambda body: body.get("reasoning_effort") != "none"),
        ),
        ("reasoning is switched by reasoning_effort",),
        settings=OFF,
        has={"reasoning_effort": "none"},
    ),
    "reasoning_effort without none (OpenAI)": Mode(
        all_of(
            forbids("chat_template_kwargs", "thinking"),
            unless(
                lambda body: body.get("reasoning_effort") != "none", "Unsupported value: 'reasoning_effort'"
            ),
            thinking("reasoning", lambda body: True),
        ),
        ("reasoning_effort is low", "reasoning=off, but the model thinks"),
        settings=OFF,
        has={"reasoning_effort": "low"},
    ),
    "reasoning off by thinking.type, others ignored": Mode(
        thinking("reasoning_content", lambda body: body.get("thinking") != {"type": "disabled"}),
        ("reasoning is switched by thinking.type",),
        settings=OFF,
        has={"thinking": {"type": "disabled"}},
    ),
    "reasoning can't be switched off": Mode(
        thinking("reasoning_content", lambda body: True),
        (
            "reasoning_effort is low",
            "has no switch for reasoning that works: reasoning=off, but the model thinks",
        ),
        settings=OFF,
        has={"reasoning_effort": "low"},
    ),
}


def serve(peer: Peer, mode: Mode) -> str:
    """Make the peer behave like `mode`; returns the base_url to set."""

    def reply(request: web.Request) -> web.Response:
        answer = mode.answer(peer.asked[-1], request.path)
        return answer if answer is not None else web.json_response(honest(peer.asked[-1]))

    peer.reply = reply
    return str(peer.server.make_url(mode.path or "/")).rstrip("/") + ("/" if mode.path.endswith("/") else "")
