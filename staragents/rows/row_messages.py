"""A raw row as a conversation: Alpaca columns, under whatever names, or `messages`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from staragents.messages import Conversation, Message

LONGEST_SHOWN = 40
MOST_COLUMNS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what. A row with `messages` is read by these; the other names are Alpaca's."""

    instruction: str = "instruction"
    input: str = "input"
    response: str = "output"
    messages: str | None = "messages"


ALPACA = Columns()


class Misfit(Exception):
    """The row is no conversation, because of `field`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class RowReader:
    """`max_chars` bounds each text, in characters. With `may_be_blank`, a text may be blank or null; blank
    turns are kept, so that a scorer can say `empty`."""

    columns: Columns = ALPACA
    max_chars: int | None = None
    may_be_blank: bool = False

    def messages(self, value: Any) -> Conversation:
        """A conversation that ends with the assistant's turn; other columns are ignored. Raises Misfit."""
        if not isinstance(value, dict):
            raise Misfit("row", f"expected an object with columns, got {shown(value)}")
        if self.columns.messages is not None and value.get(self.columns.messages) is not None:
            return self._turns(value[self.columns.messages])
        return self._alpaca(value)

    def _alpaca(self, value: dict[str, Any]) -> Conversation:
        names = self.columns
        missing = [column for column in (names.instruction, names.response) if column not in value]
        if missing:
            columns = ", ".join(shown(name) for name in list(value)[:MOST_COLUMNS_SHOWN])
            more = ", ..." if len(value) > MOST_COLUMNS_SHOWN else ""
            raise Misfit(
                missing[0],
                f"expected the columns {names.instruction} and {names.response} (and {names.input}, if there "
                f"is one) or {names.messages or 'messages'}, got {columns + more if value else 'no column'}",
            )
        instruction = self._text(value[names.instruction], names.instruction)
        response = self._text(value[names.response], names.response)
        given = value.get(names.input)
        if given is not None and (given := self._text(given, names.input, may_be_blank=True)).strip():
            instruction = f"{instruction}\n\n{given}"
        return Message("user", instruction), Message("assistant", response)

    def _turns(self, turns: Any) -> Conversation:
        name = self.columns.messages
        if not isinstance(turns, list) or not turns:
            raise Misfit(str(name), f"expected a list of messages, got {shown(turns)}")
        messages: list[Message] = []
        for index, turn in enumerate(turns):
            field = f"{name}[{index}]"
            if not isinstance(turn, dict) or "role" not in turn or "content" not in turn:
                raise Misfit(field, "expected an object with role and content")
            role = turn["role"]
            if role == "system" and index == 0:
                # Many datasets give an empty system prompt to every row: it says nothing, so it is left out.
                text = self._text(turn["content"], f"{field}.content", may_be_blank=True)
                messages += [Message("system", text)] if text.strip() else []
                continue
            expected = "assistant" if messages and messages[-1].role == "user" else "user"
            if role != expected:
                first = "system or user" if index == 0 else expected
                raise Misfit(f"{field}.role", f"expected {first}, got {shown(role)}")
            messages.append(Message(role, self._text(turn["content"], f"{field}.content")))
        if not messages or messages[-1].role != "assistant":
            raise Misfit(f"{name}[{len(turns) - 1}].role", "expected the last message from assistant")
        return tuple(messages)

    def _text(self, value: Any, field: str, *, may_be_blank: bool = False) -> str:
        if value is None and self.may_be_blank:
            return ""
        if not isinstance(value, str):
            raise Misfit(field, f"expected text, got {shown(value)}")
        if self.max_chars is not None and len(value) > self.max_chars:
            raise Misfit(
                field, f"expected at most {self.max_chars} characters (seeds.max_chars), got {len(value)}"
            )
        if not (may_be_blank or self.may_be_blank or value.strip()):
            raise Misfit(field, "expected text, got only blanks" if value else "expected text, got nothing")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            # JSON can spell half of a UTF-16 pair; no tokenizer and no file could take it.
            half = f"\\u{ord(value[error.start]):04x}"
            raise Misfit(
                field, f"expected text, got the unpaired surrogate {half} at character {error.start + 1}"
            ) from None
        return value


def shown(value: Any) -> str:
    """A value in an error message: short, on one line, printable anywhere."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a huge number"  # may have more digits than Python agrees to print
    # ascii: a name may hold what a terminal or a file can't.
    text = "null" if value is None else ascii(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
