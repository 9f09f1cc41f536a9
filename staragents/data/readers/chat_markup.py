"""A conversation as one text in a chat template: `<|im_start|>user ...`, `[INST] ...`, `### Human: ...`."""

from __future__ import annotations

import re
from typing import Any

_OPENING = (
    r"(?:<s>|<bos>|<\|begin_of_text\|>|<\|endoftext\|>|<\|startoftext\|>|\[gMASK\]|<sop>"
    r"|<\uff5cbegin\u2581of\u2581sentence\uff5c>|\s)*"
)
_BEGIN = re.compile(_OPENING)
_ENDS = (
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|eot|>", "<|end|>", "<|return|>", "<|end_of_text|>",
    "<|endoftext|>", "<end_of_turn>", "<eos>", "</s>", "<s>", "<\uff5cend\u2581of\u2581sentence\uff5c>",
)  # fmt: skip
_TOKENS = (
    re.compile(r"<\|im_start\|>\s*(?P<role>\w+)[^\S\n]*\n"),
    re.compile(r"<\|start_header_id\|>\s*(?P<role>\w+)\s*<\|end_header_id\|>\s*"),
    re.compile(r"<\|header_start\|>\s*(?P<role>\w+)\s*<\|header_end\|>\s*"),
    re.compile(r"<start_of_turn>(?P<role>\w+)\n"),
    re.compile(r"<\|start\|>(?P<role>\w+)(?:<\|channel\|>(?P<channel>\w+))?<\|message\|>"),
    re.compile(r"<\|(?P<role>system|user|assistant|observation)\|>\s*"),
    re.compile(r"<\uff5c(?P<role>System|User|Assistant)\uff5c>"),
    re.compile(r"(?P<role>\[/?INST\])"),
)
"""What begins a turn: tokens, which no other text contains."""
_HEADINGS = (
    re.compile(
        r"(?:\A|\s|(?<=\S)(?=### ))### ?(?P<role>Instruction|Input|Response|Human|User|Assistant|System):\s*"
    ),
    re.compile(r"(?:\A|\s|(?<=</s>))(?P<role>SYSTEM|USER|ASSISTANT|FUNCTION RESPONSE): ?"),
)
"""What begins a turn and may also be a line of any other text."""
_PREAMBLE = re.compile(r"\s*(?:Below is an instruction|A chat between)\b")
_ALPACA = "Below is an instruction"
_SYS, _SYS_END = "<<SYS>>", "<</SYS>>"
_ROLES = {"[inst]": "user", "[/inst]": "assistant", "instruction": "user", "response": "assistant"}
_MAY_BEGIN = re.compile(
    rf"{_OPENING}(?:<[|\uff5cs]|\[INST\]|### ?[A-Z]|Below is an i|A chat b|USER:|SYSTEM:)"
)
OPEN_THOUGHTS = ("", "<think>")
"""The text of the last turn if the template has only opened it."""


def marked_turns(text: str, is_answer: bool = False) -> list[dict[str, Any]] | None:
    """The turns of a text that begins with the marks of a chat template and has a user's turn, which one that
    `is_answer` may lack; else None.

    The last turn is empty if the text ends where the assistant is to answer. Headings without one are those
    of any text.
    """
    if not _MAY_BEGIN.match(text):
        return None
    start = _BEGIN.match(text)
    body = text[start.end() :] if start else text
    for pattern in _TOKENS:
        if pattern.match(body):
            turns = _turns(pattern, body)
            return _with_system(turns) if _has_user(turns) or (is_answer and turns) else None
    for pattern in _HEADINGS:
        turns = _turns(pattern, body) if pattern.match(body) or _PREAMBLE.match(body) else []
        if turns and turns[-1]["role"] == "assistant" and _has_user(turns):
            return turns
    return None


def without_end(text: str) -> str:
    """An answer without the token that ends it."""
    at = len(text)
    # A loop without copies: a pattern would need quadratic time for many spaces.
    while at:
        if text[at - 1].isspace():
            at -= 1
        elif end := next((end for end in _ENDS if text.endswith(end, 0, at)), None):
            at -= len(end)
        else:
            break
    return text[:at]


def _has_user(turns: list[dict[str, Any]]) -> bool:
    return any(turn["role"] in ("user", "human") for turn in turns)


def _turns(pattern: re.Pattern[str], text: str) -> list[dict[str, Any]]:
    found = list(pattern.finditer(text))
    if not found:
        return []
    before = text[: found[0].start()].strip()
    turns = [{"role": "system", "content": before}] if before and not before.startswith(_ALPACA) else []
    ends = [*(one.start() for one in found[1:]), len(text)]
    for one, end in zip(found, ends, strict=True):
        named = one["role"].lower().replace(" ", "_")
        content = without_end(text[one.end() : end].lstrip())
        if named == "input" and turns:
            turns[-1]["content"] += f"\n\n{content}" if content else ""
            continue
        turns.append({"role": _ROLES.get(named, named), "content": content})
        if channel := one.groupdict().get("channel"):
            turns[-1]["channel"] = channel
    return turns


def _with_system(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the system prompt that Llama 2 has within the first user turn as a turn of its own."""
    first = turns[0]["content"] if turns else ""
    if first.startswith(_SYS) and _SYS_END in first:
        system, _, asked = first.removeprefix(_SYS).partition(_SYS_END)
        said = [{"role": "system", "content": system.strip()}, {**turns[0], "content": asked.strip()}]
        return [*said, *turns[1:]]
    return turns
