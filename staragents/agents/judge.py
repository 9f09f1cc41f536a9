"""Builds judge prompts and parses verdicts. Independent of engines."""

from __future__ import annotations

import json
import math
import re
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any, Literal, cast

from staragents.agents.history_text import history_text
from staragents.agents.prompt_templates import PROMPTS, PromptTemplate, read_prompt
from staragents.base.generation import Generation, GenerationRequest, Sampling, TokenLogprobs
from staragents.base.messages import Conversation
from staragents.base.records import stable_seed
from staragents.config import JudgeConfig, ModelConfig, Verdicts
from staragents.text.storable import storable
from staragents.text.untrusted_text import as_earlier_turns, as_evidence

Label = Literal["A", "B", "tie"]
LABELS: tuple[Label, ...] = ("A", "B", "tie")
_VALUE: dict[Label, float] = {"A": 1.0, "B": 0.0, "tie": 0.5}

RECENT = 256
"""Texts of the last judgements that are kept: all candidates of a seed are compared with the same one."""

TOP_LOGPROBS = 20
"""The maximum of OpenAI and of vLLM by default; includes the three verdict labels."""


@dataclass(frozen=True, slots=True)
class OrderVerdict:
    """The verdict for one order, in terms of the sample shown as A.

    `a_wins` is P(A) + P(tie) / 2 over the verdict's tokens; without probabilities 1, 0.5 or 0 by label.
    """

    label: Label
    a_wins: float
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The combined verdict, in terms of the candidate: 1 better, 0 worse, 0.5 a tie.

    `win_first` and `reason` are from the order that shows the candidate as A. `win_second` and `agreement`
    are None if only one order was judged.
    """

    win: float
    agreement: bool | None
    win_first: float
    win_second: float | None
    reason: str


STILL_THINKING = "the judge was still thinking at its token limit"
"""Begins the message about a verdict that never came."""

TIE = Verdict(0.5, True, 0.5, 0.5, "both texts are the same")
"""The verdict on identical texts, without a judge call."""


def is_identical(candidate: Conversation, baseline: Conversation) -> bool:
    """Whether the last exchanges differ at most in white space, so that there is nothing to compare."""
    return all(
        ours.content.split() == theirs.content.split()
        # The responses first: candidates that keep the instruction differ in these.
        for ours, theirs in zip(reversed(candidate[-2:]), reversed(baseline[-2:]), strict=True)
    )


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


# A label, not the article in "a tie" or "a better answer", nor one of several in "A or B" or "A, B or tie".
_ARTICLE = (
    r"[ ]+(?:tie|draw|clear|close|better|best|more|strong|slight|narrow|marginal|bit|little|good|fair|mixed)"
)
_MORE = r"""["'*`\s]*(?:[/|]|or\b|and\b|vs\b)"""
_NOT_ONE = rf"""(?:{_MORE}|["'*`\s]*,["'*`\s]*(?:A|B|tie){_MORE})["'*`\s]*(?:A|B|tie)\b"""
_LABEL = (
    r"(?:an?[ ]+(?=tie)|(?:the[ ]+)?(?:sample|response|answer|option|assistant|candidate)[ ]+)?"
    rf"(?P<{{0}}>(?:A(?!{_ARTICLE})|B|tie)\b)(?!{_NOT_ONE})"
)
_WRITTEN_VERDICT = re.compile(
    rf"""verdict["'*_`]*\s*[:=\uff1a]["'*_`\s]*{_LABEL.format("json")}"""
    r"|\[\[\s*(?P<square>A|B|C|tie)\s*\]\]",
    re.IGNORECASE,
)
# Quotes within a JSON string are escaped, so this matches a key of the answer and not quoted text.
_JSON_VERDICT = re.compile(rf"""(?<!\\)"verdict"\s*:\s*"{_LABEL.format("json")}""", re.IGNORECASE)
_BARE_VERDICT = re.compile(rf"\W*(?:boxed\W+)?(?:text\W+)?{_LABEL.format('bare')}\W*", re.IGNORECASE)


def parse_verdict(generation: Generation, config: JudgeConfig) -> OrderVerdict | None:
    """Parse the verdict from the judge's output, JSON or not; None if there is none. Never raises.

    Uses the `verdict` key of a JSON object, else the last mention, as the reason may quote labels before it.
    """
    text = generation.text
    found = _written(text)
    if found is None:
        return None
    label = _label(found)
    a_wins = _soft(generation.logprobs, text, found) if config.verdict is Verdicts.soft else None
    reason = _reason(text, found)[: config.max_reason_chars]
    return OrderVerdict(label, _VALUE[label] if a_wins is None else a_wins, reason)


def combine(verdicts: Sequence[OrderVerdict | None], config: JudgeConfig) -> Verdict | None:
    """Combine the verdicts of both orders, in terms of the candidate; None (invalid) if one is missing.

    `verdicts` are in the order of `judge_requests`. soft: mean of the probabilities; a constant position
    bias b, (w + b) and (w - b), cancels. hard: mean of the label values. conservative (MT-bench,
    arXiv 2306.05685, section 3.4): a win only if both orders agree, else a tie.
    """
    if not verdicts or any(verdict is None for verdict in verdicts):
        return None
    first, *others = cast("Sequence[OrderVerdict]", verdicts)
    label_values = [_VALUE[first.label], *(1 - _VALUE[other.label] for other in others)]
    soft = config.verdict is Verdicts.soft
    wins = [first.a_wins, *(1 - other.a_wins for other in others)] if soft else label_values
    agree = len(set(label_values)) == 1
    win = sum(wins) / len(wins)
    if config.verdict is Verdicts.conservative and not agree:
        win = 0.5
    return Verdict(win, agree if others else None, wins[0], wins[1] if others else None, first.reason)


def _written(text: str) -> re.Match[str] | None:
    is_object = text.lstrip().startswith("{")
    mentions = list(_JSON_VERDICT.finditer(text)) if is_object else []
    mentions = mentions or list(_WRITTEN_VERDICT.finditer(text))
    return mentions[-1] if mentions else _BARE_VERDICT.fullmatch(text)


def _label(found: re.Match[str]) -> Label:
    word = found[_group(found)].lower()
    return "A" if word == "a" else "B" if word == "b" else "tie"


def _group(found: re.Match[str]) -> str:
    return found.lastgroup or "bare"


def _reason(text: str, found: re.Match[str]) -> str:
    try:
        answer = json.loads(text)
        if isinstance(answer, dict) and isinstance(answer.get("reason"), str):
            # JSON escapes can produce characters that are not storable.
            return storable(answer["reason"]).strip()
    except (ValueError, RecursionError):
        pass
    return text[: found.start()].strip(" \n{\"',")


def _soft(logprobs: tuple[TokenLogprobs, ...], answer: str, verdict: re.Match[str]) -> float | None:
    """P(A) + P(tie) / 2 at the verdict's token, over the tokens that begin a label; None if unknown.

    vLLM 0.32 applies the grammar mask before it computes log-probabilities, other servers do not: normalising
    over the labels makes both equal.
    """
    text = "".join([token.text for token in logprobs])
    found = verdict if text == answer else _written(text)
    if found is None or _label(found) != _label(verdict):
        return None
    position, end = found.start(_group(found)), 0
    for token in logprobs:
        end += len(token.text)
        if end > position:
            return _renormalised(token.top)
    return None


def _renormalised(top: dict[str, float]) -> float | None:
    mass = dict.fromkeys(LABELS, 0.0)
    for text, logprob in top.items():
        word = text.strip(" \t\n\"'[]{},:")
        if word in ("A", "B"):
            mass[cast("Label", word)] += math.exp(min(logprob, 0.0))
        elif word and "tie".startswith(word.lower()):
            mass["tie"] += math.exp(min(logprob, 0.0))
    total = sum(mass.values())
    return (mass["A"] + mass["tie"] / 2) / total if total > 0 else None
