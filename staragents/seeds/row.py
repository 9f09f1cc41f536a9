"""One row of the dataset: a seed, or what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from staragents.messages import Conversation, Message, as_dicts
from staragents.records import Seed, stable_id

LONGEST_SHOWN = 40
MOST_COLUMNS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no seed. `field` is a column, `messages[2].content`, or `row` for the row as a whole."""

    row: int
    field: str
    message: str


class _Misfit(Exception):
    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message


def parse_line(line: bytes, row: int, max_chars: int) -> Seed | BadRow:
    """A line of JSONL. Never raises, whatever the bytes."""
    try:
        return parse_row(json.loads(line.decode("utf-8")), row, max_chars)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        return BadRow(row, "row", f"expected UTF-8, got the byte {byte:#04x} at position {error.start + 1}")
    except json.JSONDecodeError as error:
        return BadRow(row, "row", f"not JSON: {error.msg} at character {error.pos + 1}")
    except (ValueError, RecursionError):
        # A number of thousands of digits, or brackets nested as deep.
        return BadRow(row, "row", "not JSON that can be read: a number too long or nesting too deep")


def parse_row(value: Any, row: int, max_chars: int) -> Seed | BadRow:
    """A decoded row with Alpaca columns or `messages`; other columns are ignored.

    `max_chars` bounds each text, in characters.
    """
    try:
        if not isinstance(value, dict):
            raise _Misfit("row", f"expected an object with columns, got {_shown(value)}")
        if "messages" in value:
            messages = _conversation(value["messages"], max_chars)
        else:
            messages = _alpaca(value, max_chars)
    except _Misfit as misfit:
        return BadRow(row, misfit.field, misfit.message)
    return Seed(stable_id(json.dumps(as_dicts(messages))), row, messages)


def _alpaca(value: dict[str, Any], max_chars: int) -> Conversation:
    missing = [column for column in ("instruction", "output") if column not in value]
    if missing:
        columns = ", ".join(_shown(name) for name in list(value)[:MOST_COLUMNS_SHOWN])
        more = ", ..." if len(value) > MOST_COLUMNS_SHOWN else ""
        raise _Misfit(
            missing[0],
            "expected the columns instruction and output (and input, if there is one) or messages, "
            f"got {columns + more if value else 'no column'}",
        )
    instruction = _text(value["instruction"], "instruction", max_chars)
    response = _text(value["output"], "output", max_chars)
    given = value.get("input")
    if given is not None and (given := _text(given, "input", max_chars, may_be_blank=True)).strip():
        instruction = f"{instruction}\n\n{given}"
    return Message("user", instruction), Message("assistant", response)


def _conversation(turns: Any, max_chars: int) -> Conversation:
    if not isinstance(turns, list) or not turns:
        raise _Misfit("messages", f"expected a list of messages, got {_shown(turns)}")
    messages: list[Message] = []
    for index, turn in enumerate(turns):
        field = f"messages[{index}]"
        if not isinstance(turn, dict) or "role" not in turn or "content" not in turn:
            raise _Misfit(field, "expected an object with role and content")
        role = turn["role"]
        if role == "system" and index == 0:
            # Many datasets give an empty system prompt to every row: it says nothing, so it is left out.
            text = _text(turn["content"], f"{field}.content", max_chars, may_be_blank=True)
            messages += [Message("system", text)] if text.strip() else []
            continue
        expected = "assistant" if messages and messages[-1].role == "user" else "user"
        if role != expected:
            first = "system or user" if index == 0 else expected
            raise _Misfit(f"{field}.role", f"expected {first}, got {_shown(role)}")
        messages.append(Message(role, _text(turn["content"], f"{field}.content", max_chars)))
    if not messages or messages[-1].role != "assistant":
        raise _Misfit(f"messages[{len(turns) - 1}].role", "expected the last message from assistant")
    return tuple(messages)


def _text(value: Any, field: str, max_chars: int, *, may_be_blank: bool = False) -> str:
    if not isinstance(value, str):
        raise _Misfit(field, f"expected text, got {_shown(value)}")
    if len(value) > max_chars:
        raise _Misfit(field, f"expected at most {max_chars} characters (seeds.max_chars), got {len(value)}")
    if not may_be_blank and not value.strip():
        raise _Misfit(field, "expected text, got only blanks" if value else "expected text, got nothing")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        # JSON can spell half of a UTF-16 pair; no tokenizer and no file could take it.
        half = f"\\u{ord(value[error.start]):04x}"
        raise _Misfit(
            field, f"expected text, got the unpaired surrogate {half} at character {error.start + 1}"
        ) from None
    return value


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a huge number"  # may have more digits than Python agrees to print
    # ascii: a name may hold what a terminal or a file can't.
    text = "null" if value is None else ascii(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
