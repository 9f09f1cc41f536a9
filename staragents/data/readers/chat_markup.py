"""A conversation as one text in a chat template: `<|im_start|>user ...`, `[INST] ...`, `### Human: ...`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_OPENING = (
    r"(?:<s>|<bos>|<\|begin_of_text\|>|<\|endoftext\|>|<\|startoftext\|>|\[gMASK\]|<sop>"
    r"|<\uff5cbegin\u2581of\u2581sentence\uff5c>|\s)*"
)
_BEGIN = re.compile(_OPENING)
_ENDS = (
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|eot|>", "<|end|>", "<|return|>", "<|end_of_text|>",
    "<|endoftext|>", "<|call|>", "<end_of_turn>", "<eos>", "### End",
    "[/SYSTEM_PROMPT]", "</s>", "<s>", "<\uff5cend\u2581of\u2581sentence\uff5c>",
)  # fmt: skip
_TURN_END = re.compile(r"<\|(?:im_end|eot_id|eot|end|return|call)\|>|<end_of_turn>|</s>")
_DEEPSEEK = re.compile(r"<\uff5c(?P<role>System|User|Assistant)\uff5c>")
_DEEPSEEK_BEGIN = "<\uff5cbegin\u2581of\u2581sentence\uff5c>"
"""The system prompt follows it without a token of its own."""
_TOKENS = (
    re.compile(r"<\|im_start\|>\s*(?P<role>\w+)[^\S\n]*(?:\n|\Z)"),
    re.compile(r"<\|start_header_id\|>\s*(?P<role>\w+)\s*<\|end_header_id\|>\s*"),
    re.compile(r"<\|header_start\|>\s*(?P<role>\w+)\s*<\|header_end\|>\s*"),
    re.compile(r"<\|start_of_role\|>(?P<role>\w+)<\|end_of_role\|>"),
    re.compile(r"<start_of_turn>(?P<role>\w+)(?:\n|\Z)"),
    re.compile(
        r"<\|start\|>(?P<role>[\w.]+)(?: to=(?P<to>[\w.]+))?"
        r"(?:<\|channel\|>(?P<channel>\w+)(?: to=(?P<called>[\w.]+))?[^\S\n]*(?:<\|constrain\|>\w+)?)?"
        r"(?:<\|message\|>|\Z)"
    ),
    re.compile(r"<\|(?P<role>system|user|assistant|observation)\|>\s*"),
    _DEEPSEEK,
    re.compile(r"(?P<role>\[/?INST\]|\[SYSTEM_PROMPT\])"),
)
"""What begins a turn: tokens, which no other text contains."""
_UNKNOWN = re.compile(r"\[(?:TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\]|<\|(?:start|channel|constrain)\|>")
"""Tokens of templates whose turns are not told apart."""
_HEADINGS = (
    re.compile(
        r"(?:\A|(?<=\s)|(?=### ))(?<!#)### ?"
        r"(?P<role>Instruction|Input|Response|Human|User|Assistant|System):\s*"
    ),
    re.compile(r"(?:\A|(?<=\s)|(?<=</s>))(?P<role>SYSTEM|USER|ASSISTANT|FUNCTION RESPONSE): ?"),
)
"""What begins a turn and may also be a line of any other text."""
_PREAMBLE = re.compile(r"\s*(?:Below is an instruction|A chat between)\b")
_ALPACA = "Below is an instruction"
_SYS, _SYS_END = "<<SYS>>", "<</SYS>>"
_ROLES = {
    "[system_prompt]": "system",
    "[inst]": "user",
    "[/inst]": "assistant",
    "instruction": "user",
    "response": "assistant",
}
_ASKING, _ANSWERING = ("instruction", "human", "user"), ("response", "assistant")
_MAY_BEGIN = re.compile(
    rf"{_OPENING}(?:<[|\uff5cs]|\[INST\]|\[SYSTEM_PROMPT\]|### ?[A-Z]|Below is an i|A chat b|USER:|SYSTEM:)"
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
        if pattern.match(body) or (pattern is _DEEPSEEK and _DEEPSEEK_BEGIN in text[: len(text) - len(body)]):
            turns = _token_turns(pattern, body)
            return _with_system(turns) if _has_user(turns) or (is_answer and turns) else None
    for pattern in _HEADINGS:
        turns = _heading_turns(pattern, body) if pattern.match(body) or _PREAMBLE.match(body) else []
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


def _token_turns(pattern: re.Pattern[str], text: str) -> list[dict[str, Any]]:
    """The turns between tokens; none if a turn goes on behind its end, as in a text about the template."""
    turns = []
    for one, said in _pieces(list(pattern.finditer(text)), text):
        content = without_end(said)
        if _UNKNOWN.search(content) or (content == said.rstrip() and _TURN_END.search(content)):
            return []
        parts = one.groupdict() if one else {"role": "system"}
        role = parts["role"].lower()
        turn = {"role": _ROLES.get(role, role), "content": content}
        if "." in role:  # Harmony names the function that answers.
            turn["role"] = "observation"
        elif called := parts.get("to") or parts.get("called"):
            turn = {"role": "tool_call", "content": f"{called} {content}"}
        elif channel := parts.get("channel"):
            turn["channel"] = channel
        turns.append(turn)
    return turns


def _heading_turns(pattern: re.Pattern[str], text: str) -> list[dict[str, Any]]:
    """The turns between headings; none if they can't be told from those of an answer about templates."""
    found: list[re.Match[str]] = []
    names: list[str] = []
    for heading in pattern.finditer(text):
        if _is_turn(name := _name(heading), names):
            found.append(heading)
            names.append(name)
    is_open = bool(found) and not text[found[-1].end() :].strip()
    turns: list[dict[str, Any]] = []
    is_ended = True
    for one, said in _pieces(found, text):
        name = _name(one) if one else "system"
        content = without_end(said)
        if one is None and content.startswith(_ALPACA):
            continue
        if name == "input":
            turns[-1]["content"] += f"\n\n{content}" if content else ""
            continue
        is_again = name == "instruction" and any(turn["role"] == "assistant" for turn in turns)
        if is_again and not is_ended and not is_open:
            return []  # Alpaca's template has one exchange: a second one may be quoted.
        is_ended = content != said.rstrip()
        turns.append({"role": _ROLES.get(name, name), "content": content})
    return turns


def _is_turn(name: str, before: list[str]) -> bool:
    """Whether a heading begins a turn after those before: an answer may have headings of its own."""
    if name == "input":
        return bool(before) and before[-1] in _ASKING
    if name == "system":
        return not before
    speaker = next((names for names in (_ASKING, _ANSWERING) if name in names), ())
    return all(other == name for other in before if other in speaker)


def _name(heading: re.Match[str]) -> str:
    return heading["role"].lower().replace(" ", "_")


def _pieces(found: list[re.Match[str]], text: str) -> Iterator[tuple[re.Match[str] | None, str]]:
    """Each mark and the text behind it, after the text before the first one."""
    if found and (before := text[: found[0].start()].strip()):
        yield None, before
    ends = [*(one.start() for one in found[1:]), len(text)]
    for one, end in zip(found, ends[: len(found)], strict=True):
        yield one, text[one.end() : end].lstrip()


def _with_system(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the system prompt that Llama 2 has within the first user turn as a turn of its own."""
    first = turns[0]["content"] if turns else ""
    if first.startswith(_SYS) and _SYS_END in first:
        system, _, asked = first.removeprefix(_SYS).partition(_SYS_END)
        said = [{"role": "system", "content": system.strip()}, {**turns[0], "content": asked.strip()}]
        return [*said, *turns[1:]]
    return turns
