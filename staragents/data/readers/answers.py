"""An assistant's message: the answer, and what was thought before it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from staragents.base.messages import Message
from staragents.data.readers.cell_values import parsed_list
from staragents.data.readers.raw_row import InvalidRow, shown
from staragents.data.readers.texts import Texts
from staragents.data.readers.thinking import spoken

REASONINGS = (
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "reasoning_text",
    "reasoning_trace",
    "reasoning_process",
    "response_reasoning",
    "model_reasoning",
    "thinking",
    "thinking_content",
    "thinking_process",
    "thinking_trace",
    "thinking_trajectories",
    "think",
    "thought",
    "thoughts",
    "thought_process",
    "complex_cot",
    "cot",
    "chain_of_thought",
    "scratchpad",
    "deepseek_reasoning",
    "r1_reasoning",
)
"""Names of what was thought before an answer: a key of its turn, or a column of its row."""
SWITCHES = frozenset(
    ("on", "off", "true", "false", "yes", "no", "none", "null", "n/a", "auto", "adaptive", "hybrid",
     "default", "minimal", "low", "medium", "high", "xhigh", "max", "enabled", "disabled", "detailed",
     "brief", "short", "long", "deep", "think", "no_think", "/think", "/no_think", "thinking", "non-thinking",
     "detailed thinking on", "detailed thinking off")
)  # fmt: skip
"""Values of a column `reasoning` that says how a model was asked to think, not what it thought."""
THOUGHT_PARTS = ("thinking", "reasoning", "redacted_thinking")


def answer_message(texts: Texts, value: Any, field: str, reasoning: str = "") -> Message:
    """The answer without the thought in it, which becomes its `reasoning_content`, as does `reasoning`, which
    the row had in a place of its own. Raises InvalidRow, also if the thought has no end."""
    if not isinstance(value, str):
        return Message("assistant", texts.text(value, field), reasoning or None)
    said = spoken(value)
    if not reasoning and said.reasoning is None and not said.is_cut:
        return Message("assistant", texts.text(said.content, field))
    if said.is_cut:
        raise InvalidRow(field, "expected an answer after the thought", "a thought without an end")
    thought = united((reasoning, said.reasoning or ""))
    if thought and not texts.may_be_blank and not said.content.strip():
        raise InvalidRow(field, "expected an answer after the thought", "nothing")
    return Message("assistant", texts.text(said.content, field), texts.optional(thought, field) or None)


def united(thoughts: Iterable[str]) -> str:
    """Thoughts in order, each text once: many rows hold the same one in two places."""
    return "\n\n".join(dict.fromkeys(filter(None, (thought.strip() for thought in thoughts))))


def reasoning_text(texts: Texts, value: Any, field: str) -> str:
    """What was thought, or an empty string for a switch, a number or anything else that is not a text.

    A list may hold one text or the parts of one. Raises InvalidRow for several texts.
    """
    if isinstance(value, str) and value.startswith(('["', "['")):
        value = parsed_list(value) or value  # a list in a cell of CSV
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], str):
            return texts.optional(value[0], field)
        if value and all(isinstance(part, dict) for part in value):
            return united(texts.optional(part_text(part), field) for part in value)
        several = [text for text in value if isinstance(text, str) and text.strip()]
        if len(several) > 1:
            raise InvalidRow(field, "expected one thought", shown(value))
        return texts.optional(several[0], field) if several else ""
    if isinstance(value, dict):
        return texts.optional(part_text(value), field).strip()
    if not isinstance(value, str) or value.strip().lower() in SWITCHES:
        return ""
    # Some columns keep the tags around the thought.
    said = spoken(value)
    return texts.optional(said.reasoning if said.reasoning and not said.content else value, field).strip()


def only_text(cell: Any) -> Any:
    """The text of a list with one text, or the same one several times, as of annotators; else `cell`."""
    texts = cell.get("text") if isinstance(cell, dict) else cell
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return cell
    different = {text.strip(): text for text in reversed(texts)}
    if isinstance(cell, dict) and not texts:
        return ""
    return next(iter(different.values())) if len(different) == 1 else texts


def part_text(part: dict[str, Any]) -> str:
    """The text of a part of a message's content, or of the parts in it."""
    for name in ("text", "thinking", "reasoning", "summary", "content"):
        inner = part.get(name)
        if isinstance(inner, str):
            return inner
        if isinstance(inner, list):
            return "\n".join(part_text(one) for one in inner if isinstance(one, dict))
    return ""
