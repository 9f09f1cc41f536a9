"""Parses a raw row in any of the common formats into a conversation."""

from __future__ import annotations

import json
from typing import Any

from staragents.base.messages import Conversation, Message
from staragents.config import ColumnsConfig, RowFormat
from staragents.data.readers.message_tree import best_path
from staragents.data.readers.pair_columns import (
    HISTORIES,
    INPUTS,
    INSTRUCTIONS,
    PROMPTS,
    RESPONSES,
    SYSTEMS,
    PairColumns,
    pair_columns,
    present,
)
from staragents.data.readers.raw_row import InvalidRow, shown, shown_columns
from staragents.data.readers.texts import Texts
from staragents.data.readers.turns import conversation_of, is_sharegpt

TURNS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns")
TURN_FORMATS = (RowFormat.messages, RowFormat.sharegpt)
TREE = "prompt"
REPLIES = "replies"
WHOLE_ROW = "row"
INSTANCES = "instances"
TOOLS = "tools"
MESSAGE_OF_TREE = ("role", REPLIES, "text", "parent_id")
KNOWN_COLUMNS = frozenset(
    (INSTANCES, TOOLS, *INSTRUCTIONS, *PROMPTS, *RESPONSES, *INPUTS, *HISTORIES, *SYSTEMS, *TURNS)
).union(MESSAGE_OF_TREE)
"""All columns that a conversation may use."""
MOST_SHAPES = 1000


class RowReader:
    """Caches the column choice for rows with the same columns. Otherwise rows are independent."""

    def __init__(
        self,
        columns: ColumnsConfig | None = None,
        max_chars: int | None = None,
        may_be_blank: bool = False,
        format: RowFormat = RowFormat.auto,
        rewritable: bool = False,
        setting: str = "seeds.columns.{}",
    ) -> None:
        """`max_chars` limits each text. With `may_be_blank`, a text may be blank or null, and blank turns are
        kept, so that a scorer can report `empty`. `rewritable` requires that the last exchange is between
        user and assistant, without a tool. `setting` is the setting for a column name."""
        self.named = columns or ColumnsConfig()
        self._texts = Texts(max_chars, may_be_blank)
        self._format = format
        self._rewritable = rewritable
        self._setting = setting
        self._pairs: dict[tuple[str, ...], PairColumns | None] = {}

    @property
    def columns(self) -> frozenset[str]:
        """All columns that a conversation may use."""
        named = self.named
        mine = (named.instruction, named.input, named.response, named.messages, named.history, named.system)
        return KNOWN_COLUMNS | {name for name in mine if name is not None}

    def read(self, value: Any) -> tuple[RowFormat, Conversation]:
        """The detected format and a conversation that ends with the assistant's turn. Raises InvalidRow."""
        if not isinstance(value, dict):
            raise InvalidRow(WHOLE_ROW, "expected an object with columns", shown(value))
        names = tuple(value)
        if names not in self._pairs:
            if len(self._pairs) >= MOST_SHAPES:
                self._pairs.clear()
            self._pairs[names] = self._cacheable_pair(value)
        pair = self._pairs[names]
        # A prompt may also be a message tree.
        if pair is None or isinstance(value[pair.instruction], dict):
            return self._any(value)
        return pair.format, self._exchange(value, pair)

    def _cacheable_pair(self, value: dict[str, Any]) -> PairColumns | None:
        """The columns if they are the same for every row with these column names, else None."""
        if self.named.messages or self._format in TURN_FORMATS or self._format is RowFormat.tree:
            return None
        if any(name in value for name in (*TURNS, INSTANCES, REPLIES)) or self._has_alternatives(value):
            return None
        try:
            return pair_columns(value, self._format, self.named, self._setting)
        except InvalidRow:
            return None

    def _has_alternatives(self, value: dict[str, Any]) -> bool:
        """Whether several columns could be the instruction or the response: the one that is not null is."""
        asks = [name for name in value if name in INSTRUCTIONS]
        answers = [name for name in value if name in RESPONSES]
        return (len(asks) > 1 and not self.named.instruction) or (
            len(answers) > 1 and not self.named.response
        )

    def _any(self, value: dict[str, Any]) -> tuple[RowFormat, Conversation]:
        """A row in any format: a list of turns, a pair of columns, a message tree or instances."""
        if (column := self._turns_column(value)) is not None:
            return self._format_of_turns(value[column]), self._turns(value, value[column], column)
        if self._is_pair():
            return self._pair(value)
        if (column := _tree_column(value)) is not None:
            path = best_path(value if column == WHOLE_ROW else value[column], column)
            return RowFormat.tree, self._turns(value, path, column)
        if self._format is not RowFormat.tree and isinstance(value.get(INSTANCES), list):
            return RowFormat.self_instruct, self._instances(value)
        if self._format is RowFormat.auto:
            return self._pair(value)
        name = "prompt with replies" if self._format is RowFormat.tree else INSTANCES
        expected = f"expected {name}, as the format is {self._format}"
        raise InvalidRow(WHOLE_ROW, expected, shown_columns(value))

    def _is_pair(self) -> bool:
        """Whether the settings leave no other format than two columns."""
        if self.named.instruction or self.named.response:
            return True
        return self._format not in (RowFormat.auto, RowFormat.tree, RowFormat.self_instruct)

    def _format_of_turns(self, turns: Any) -> RowFormat:
        if self._format is not RowFormat.auto:
            return self._format
        return RowFormat.sharegpt if is_sharegpt(turns) else RowFormat.messages

    def _turns_column(self, value: dict[str, Any]) -> str | None:
        """The column with a list of turns, or None."""
        name = self.named.messages
        if name is not None:
            return present("messages", value, name, self._setting)
        if self.named.instruction or self.named.response:
            return None
        if self._format in TURN_FORMATS:
            name = next((name for name in TURNS if value.get(name) is not None), None)
            if name is None:
                raise InvalidRow("messages", f"expected {' or '.join(TURNS[:2])}", shown_columns(value))
            return name
        if self._format is not RowFormat.auto:
            return None
        # `turns` and similar columns may contain other data: only a list counts.
        lists = (name for name in TURNS if isinstance(value.get(name), list))
        return next(lists, "messages" if value.get("messages") is not None else None)

    def _pair(self, value: dict[str, Any]) -> tuple[RowFormat, Conversation]:
        pair = pair_columns(value, self._format, self.named, self._setting)
        return pair.format, self._exchange(value, pair)

    def _exchange(self, value: dict[str, Any], pair: PairColumns) -> Conversation:
        texts = self._texts
        asked, answered = value[pair.instruction], value[pair.response]
        if isinstance(asked, list) or isinstance(answered, list):
            return self._listed(value, pair)
        instruction = texts.text(asked, pair.instruction)
        response = texts.text(answered, pair.response)
        given = texts.optional(value[pair.input], pair.input) if pair.input is not None else ""
        last = (Message.with_input(instruction, given), Message("assistant", response))
        if pair.history is None and pair.system is None and TOOLS not in value:
            return last
        return self._prefaced(value, pair.system, (*self._history(value, pair.history), *last))

    def _listed(self, value: dict[str, Any], pair: PairColumns) -> Conversation:
        """Prompt and completion as lists of turns; a chosen answer may repeat the prompt."""
        asked, answered = value[pair.instruction], value[pair.response]
        before = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
        after = answered if isinstance(answered, list) else [{"role": "assistant", "content": answered}]
        for turns, column in ((before, pair.instruction), (after, pair.response)):
            if not all(isinstance(turn, dict) for turn in turns):
                raise InvalidRow(column, "expected text or a list of messages", shown(turns))
        whole = bool(after) and after[0].get("role") in ("user", "system")
        return self._turns(value, after if whole else [*before, *after], pair.response)

    def _turns(self, value: dict[str, Any], turns: Any, column: str) -> Conversation:
        messages = conversation_of(turns, column, self._texts, rewritable=self._rewritable)
        system = next((name for name in SYSTEMS if value.get(name) is not None), None)
        return self._prefaced(value, self.named.system or system, messages)

    def _prefaced(self, value: dict[str, Any], column: str | None, messages: Conversation) -> Conversation:
        """Prepend a system turn: the conversation's own or the column's text, plus the tools."""
        text = ""
        if messages[0].role == "system":
            text, messages = messages[0].content, messages[1:]
        elif column is not None:
            text = self._texts.optional(value.get(column), column)
        tools = value.get(TOOLS)
        if isinstance(tools, list | dict) and tools:
            tools = json.dumps(tools, ensure_ascii=False, default=str)
        if isinstance(tools, str) and tools.strip() not in ("", "[]", "null"):
            tools = self._texts.optional(tools, TOOLS)
            text = f"{text}\n\nTools:\n{tools}" if text else f"Tools:\n{tools}"
        return (Message("system", text), *messages) if text.strip() else messages

    def _history(self, value: dict[str, Any], column: str | None) -> Conversation:
        history = value[column] if column is not None else None
        if not history:
            return ()
        if not isinstance(history, list):
            raise InvalidRow(str(column), "expected a list of exchanges", shown(history))
        messages: list[Message] = []
        for index, exchange in enumerate(history):
            field = f"{column}[{index}]"
            if isinstance(exchange, dict):
                return conversation_of(history, str(column), self._texts, rewritable=False)
            if not isinstance(exchange, list) or len(exchange) != 2:
                raise InvalidRow(field, "expected a question and an answer", shown(exchange))
            for role, position in (("user", 0), ("assistant", 1)):
                text = self._texts.text(exchange[position], f"{field}[{position}]")
                messages.append(Message(role, text))  # type: ignore[arg-type]
        return tuple(messages)

    def _instances(self, value: dict[str, Any]) -> Conversation:
        """The first instance with an answer."""
        instances = [one for one in value[INSTANCES] if isinstance(one, dict)]
        if not instances:
            raise InvalidRow(INSTANCES, "expected instances with an output", shown(value[INSTANCES]))
        one = next((found for found in instances if found.get("output")), instances[0])
        row = {name: one.get(name) for name in ("input", "output")}
        row["instruction"] = value.get("instruction")
        try:
            return self._exchange(row, _INSTANCE)
        except InvalidRow as error:
            problem = error.problem
            field = problem.field if problem.field == "instruction" else f"{INSTANCES}.{problem.field}"
            raise InvalidRow(field, problem.reason, problem.got, problem.hint) from None


_INSTANCE = PairColumns(RowFormat.self_instruct, "instruction", "input", "output", None, None)


def _tree_column(value: dict[str, Any]) -> str | None:
    """The column of a message tree, `row` if the row is the tree's root, or None."""
    prompt = value.get(TREE)
    if isinstance(prompt, dict) and (REPLIES in prompt or REPLIES in value):
        return TREE
    return WHOLE_ROW if REPLIES in value and not isinstance(prompt, dict) else None
