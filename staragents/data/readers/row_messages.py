"""Parses a raw row in any of the common formats into a conversation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from staragents.base.messages import Conversation
from staragents.config import ColumnsConfig, RowFormat
from staragents.data.readers.column_names import respelled
from staragents.data.readers.conversation_columns import ConversationColumns
from staragents.data.readers.labels import LABELS, check_label, labels_in
from staragents.data.readers.message_tree import REPLIES, WHOLE_ROW, best_path, tree_column
from staragents.data.readers.one_message import message_columns
from staragents.data.readers.pair_columns import PairColumns, depends_on_values, pair_columns, present
from staragents.data.readers.pair_names import INSTRUCTIONS, PAIR_NAMES, PROMPTS, REJECTED, RESPONSES
from staragents.data.readers.preferences import SIDES, WINNER
from staragents.data.readers.raw_row import InvalidRow, shown, shown_columns
from staragents.data.readers.row_conversation import INSTANCES, TOOLS, RowConversation
from staragents.data.readers.row_objects import inner_row, row_object
from staragents.data.readers.texts import Texts
from staragents.data.readers.turn_parts import CONTENTS, ROLE_KEYS, is_sharegpt, role_of
from staragents.data.readers.turns_column import (
    QUESTIONS_ALONE,
    TURN_FORMATS,
    TURNS,
    WHOLE_TEXT,
    TurnsColumn,
    whole_text,
)
from staragents.data.readers.whole_conversation import (
    FINISHED,
    check_continues_none,
    check_is_answer,
    check_is_chosen,
    check_is_only,
    check_is_whole,
)

SERVER_ROW = "row_idx"
"""Beside a row as the hub's dataset viewer serves it."""
PARENT = "parent_id"
MESSAGE_OF_TREE = ("role", REPLIES, "text", PARENT)
KNOWN_COLUMNS = PAIR_NAMES.union(
    (INSTANCES, *TOOLS, *TURNS, *MESSAGE_OF_TREE, *LABELS, *REJECTED, *ROLE_KEYS, *CONTENTS, *SIDES.values()),
    (WINNER,),
)
"""All columns that a conversation may use."""
MOST_SHAPES = 1000


@dataclass(frozen=True, slots=True)
class _Shape:
    """What rows with the same columns share. Without `pair`, their format depends on their values."""

    respelled: dict[str, str]
    labels: tuple[str, ...]
    pair: PairColumns | None


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
        self._build = RowConversation(self._texts, self.named, setting, rewritable)
        self._setting = setting
        self._turns = TurnsColumn(self.named, format, setting)
        self._columns = self.columns
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    @property
    def columns(self) -> ConversationColumns:
        """All columns that a conversation may use, in any spelling."""
        return ConversationColumns(KNOWN_COLUMNS | self._own)

    @property
    def _own(self) -> set[str]:
        """The names that the user gave."""
        named = self.named
        mine = (named.instruction, named.input, named.response, named.messages, named.history, named.system)
        return {name for name in (*mine, named.reasoning, named.label, named.conversation) if name}

    def read(self, value: Any) -> tuple[RowFormat, Conversation]:
        """The detected format and a conversation that ends with the assistant's turn. Raises InvalidRow."""
        if not isinstance(value, dict):
            found = row_object(value)
            if found is None:
                raise InvalidRow(WHOLE_ROW, "expected an object with columns", shown(value))
            value = found
        if SERVER_ROW in value and isinstance(value.get("row"), dict):
            value = value["row"]
        value = inner_row(value, self._columns)
        names = tuple(value)
        shape = self._shapes.get(names) or self._shape(names, value)
        if not shape.respelled:
            return self._read(value, shape)
        try:
            return self._read(_respelled(value, shape), shape)
        except InvalidRow as error:
            raise _with_spelling(error, shape) from None

    def _shape(self, names: tuple[str, ...], value: dict[str, Any]) -> _Shape:
        own = self._own
        other = respelled([name for name in names if name not in own], KNOWN_COLUMNS)
        shape = _Shape(other, (), None)
        value = _respelled(value, shape)
        shape = _Shape(other, labels_in(value, self.named.label), self._cacheable_pair(value))
        if len(self._shapes) >= MOST_SHAPES:
            self._shapes.clear()
        self._shapes[names] = shape
        return shape

    def _read(self, value: dict[str, Any], shape: _Shape) -> tuple[RowFormat, Conversation]:
        pair = shape.pair
        # A prompt may also be a message tree, or empty beside columns of other formats.
        if pair is None or not value[pair.instruction] or isinstance(value[pair.instruction], dict):
            found, messages = self._any(value)
        else:
            found, messages = pair.format, self._build.exchange(value, pair)
            if value.get(PARENT) and not (self.named.instruction and self.named.response):
                check_continues_none(value[PARENT], PARENT, self._setting)
        # Last, as a row that is no exchange at all has a class, not a label.
        for name in shape.labels:
            present("label", value, name, self._setting)
            if self.named.label is not None or not isinstance(value[name], list):
                check_label(value[name], name, self.named.label is not None, self._setting)
        return found, messages

    def _cacheable_pair(self, value: dict[str, Any]) -> PairColumns | None:
        """The columns if they are the same for every row with these column names, else None."""
        if self.named.messages or self._format in TURN_FORMATS or self._format is RowFormat.tree:
            return None
        if any(name in value for name in (*TURNS, INSTANCES, REPLIES, WINNER)):
            return None
        if depends_on_values(value, self.named):
            return None
        try:
            return pair_columns(value, self._format, self.named, self._setting)
        except InvalidRow:
            return None

    def _any(self, value: dict[str, Any]) -> tuple[RowFormat, Conversation]:
        """A row in any format: a list of turns, a pair of columns, a message tree or instances."""
        value = self._turns.with_lists(value)
        named = self.named.instruction or self.named.response or self.named.messages
        if self._format is RowFormat.auto and not named and (turns := whole_text(value)) is not None:
            check_is_whole(value, WHOLE_TEXT, turns, self.named, self._setting)
            return RowFormat.messages, self._build.turns(value, turns, WHOLE_TEXT)
        if (column := self._turns.of(value)) is not None:
            return self._turns_of(value, column)
        if (turns := self._whole_choice(value)) is not None:
            check_is_whole(value, "chosen", turns, self.named, self._setting)
            return RowFormat.preference, self._build.turns(value, turns, "chosen")
        if self._is_pair():
            return self._pair(value)
        if (column := tree_column(value)) is not None:
            path = best_path(value if column == WHOLE_ROW else value[column], column)
            return RowFormat.tree, self._build.turns(value, path, column)
        if self._format is not RowFormat.tree and isinstance(value.get(INSTANCES), list):
            return RowFormat.self_instruct, self._build.instances(value)
        if self._format is RowFormat.auto:
            self._check_is_more_than_a_message(value)
            return self._pair(value)
        name = "prompt with replies" if self._format is RowFormat.tree else INSTANCES
        expected = f"expected {name}, as the format is {self._format}"
        raise InvalidRow(WHOLE_ROW, expected, shown_columns(value))

    def _check_is_more_than_a_message(self, value: dict[str, Any]) -> None:
        others = (*TURNS, INSTANCES, REPLIES, PARENT, *INSTRUCTIONS, *PROMPTS, *RESPONSES)
        if message_columns(value, others) is not None:
            hint = ": join the rows of a conversation to a list of messages"
            if self._rewritable:
                name = self._setting.format("conversation")
                hint = f": set {name} to the column that is the same for all messages of a conversation"
            raise InvalidRow(WHOLE_ROW, "expected a whole conversation", "one message", hint)

    def _is_pair(self) -> bool:
        """Whether the settings leave no other format than two columns."""
        if self.named.instruction or self.named.response:
            return True
        return self._format not in (RowFormat.auto, RowFormat.tree, RowFormat.self_instruct)

    def _whole_choice(self, value: dict[str, Any]) -> list[Any] | None:
        """The turns of `chosen` if it holds the question too, and no other column does."""
        if self.named.instruction or self._format not in (RowFormat.auto, RowFormat.preference):
            return None
        if any(value.get(name) is not None for name in (*INSTRUCTIONS, *PROMPTS)):
            return None
        chosen = self._build.as_turns(value, "chosen")
        is_whole = isinstance(chosen, list) and chosen and role_of(chosen[0]) in ("user", "system")
        return chosen if is_whole else None

    def _format_of_turns(self, turns: Any) -> RowFormat:
        if self._format is not RowFormat.auto:
            return self._format
        return RowFormat.sharegpt if is_sharegpt(turns) else RowFormat.messages

    def _turns_of(self, value: dict[str, Any], column: str) -> tuple[RowFormat, Conversation]:
        turns = value[column]
        is_named = self.named.messages is not None
        if column == QUESTIONS_ALONE and not is_named and turns and all(isinstance(t, str) for t in turns):
            if any(name in value for name in RESPONSES):
                return self._pair(value)
            name = self._setting.format("messages")
            hint = f": set {name} to {column} if they are of user and assistant in turn"
            raise InvalidRow(column, "expected turns that name their speaker", f"{len(turns)} texts", hint)
        if not is_named:
            check_is_whole(value, column, turns, self.named, self._setting)
            if "chosen" in value:
                check_is_chosen(value, column, self._build.as_turns(value, "chosen"), self._setting)
            for name in (self.named.response,) if self.named.response else FINISHED:
                if value.get(name):
                    answer = self._build.as_turns(value, name)
                    check_is_answer(value, column, name, answer, self._setting)
            check_is_only(value, column, TURNS, self._setting)
        return self._format_of_turns(turns), self._build.answered(value, turns, column)

    def _pair(self, value: dict[str, Any]) -> tuple[RowFormat, Conversation]:
        try:
            pair = pair_columns(value, self._format, self.named, self._setting)
        except InvalidRow as error:
            raise self._with_hint(error, value) from None
        return pair.format, self._build.exchange(value, pair)

    def _with_hint(self, error: InvalidRow, value: dict[str, Any]) -> InvalidRow:
        """The error of unknown columns, with the name of one that may be a conversation."""
        problem = error.problem
        if problem.hint or not problem.reason.startswith("expected the columns"):
            return error
        if (
            problem.field == INSTRUCTIONS[0]
            and isinstance(text := value.get(WHOLE_TEXT), str)
            and text.strip()
        ):
            hint = f"; '{WHOLE_TEXT}' holds no conversation in a known chat template"
            return InvalidRow(problem.field, problem.reason, problem.got, hint)
        is_asked = any(name in value for name in (*INSTRUCTIONS, *PROMPTS))
        for name, cell in value.items():
            are_turns = isinstance(cell, list) and len(cell) > 1 and all(_may_be_turn(one) for one in cell)
            if (
                are_turns
                and not shown(name).lower().startswith("'reject")
                and (role_of(cell[0]) is not None or not is_asked)
            ):
                hint = f"; is {shown(name)} a conversation? then set {self._setting.format('messages')} to it"
                return InvalidRow(problem.field, problem.reason, problem.got, hint)
        return error


def _respelled(value: dict[str, Any], shape: _Shape) -> dict[str, Any]:
    other = shape.respelled
    return {other.get(name, name): cell for name, cell in value.items()} if other else value


def _with_spelling(error: InvalidRow, shape: _Shape) -> InvalidRow:
    """The error with the column's name as the file has it."""
    problem = error.problem
    root, rest = re.fullmatch(r"([^.\[]*)(.*)", problem.field, re.DOTALL).groups()  # type: ignore[union-attr]
    spelled = {known: name for name, known in shape.respelled.items()}.get(root)
    if spelled is None:
        return error
    field = ascii(spelled).strip("'")
    return InvalidRow(f"{field}{rest}", problem.reason, problem.got, problem.hint)


def _may_be_turn(one: Any) -> bool:
    return isinstance(one, str) or role_of(one) is not None
