"""Builds the conversation of a row whose columns are known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from staragents.base.messages import Conversation, Message
from staragents.config import ColumnsConfig, RowFormat
from staragents.data.readers.answers import answer_message, only_text, reasoning_text
from staragents.data.readers.cell_values import parsed_list
from staragents.data.readers.chat_markup import OPEN_THOUGHTS, marked_turns, without_end
from staragents.data.readers.pair_columns import (
    PairColumns,
    joined_texts,
    present,
    reasoning_columns,
    system_column,
)
from staragents.data.readers.pair_names import DEFINITION, NO_INPUT, PROMPTS, RESPONSES
from staragents.data.readers.raw_row import InvalidRow, shown
from staragents.data.readers.texts import Texts
from staragents.data.readers.transcripts import transcript
from staragents.data.readers.turn_parts import THOUGHT_ROLES, joined, messages_in, role_of
from staragents.data.readers.turns import conversation_of
from staragents.data.readers.whole_conversation import answer_in, are_repeated, earlier_turns

NEXT_TURNS = ("chosen", "response", "output", "completion", "answer")
"""Columns of the answer to a list of turns that ends with the user's."""
WHOLE_TEXTS = ("prompt", "chosen", "completion")
"""Columns whose text may be several turns."""
THOUGHT_CHANNEL = "<|channel|>analysis<|message|>"
OPEN_ENDS = ("Assistant:", "Assistant: ", "Assistant:\n")
"""Ends of an instruction that holds the earlier turns, too."""
INSTANCES = "instances"
TOOLS = ("tools", "functions")
_TOOLS = frozenset(TOOLS)


class RowConversation:
    """From a row and the names of its columns to a conversation. Each method raises InvalidRow."""

    def __init__(self, texts: Texts, named: ColumnsConfig, setting: str, rewritable: bool) -> None:
        """`setting` is the setting for a column name; `rewritable` as for RowReader."""
        self._texts = texts
        self._named = named
        self._setting = setting
        self._rewritable = rewritable

    def exchange(self, value: dict[str, Any], pair: PairColumns) -> Conversation:
        texts = self._texts
        asked, answered = self.as_turns(value, pair.instruction), self.as_turns(value, pair.response)
        if not isinstance(asked, str):
            asked = only_text(asked)
        if not isinstance(answered, str):
            answered = only_text(answered)
        answered = answer_in(asked if isinstance(asked, list) else [asked], answered, value[pair.response])
        if isinstance(asked, list) or isinstance(answered, list):
            return self._listed(value, pair, asked, answered)
        given, history = ("", pair.history) if pair.input is None else self._given(value, pair)
        is_empty = asked is None or (isinstance(asked, str) and not asked.strip())
        if given and is_empty and not texts.may_be_blank:
            # Some rows leave the instruction empty and ask in the input. A scorer keeps them apart, as the
            # published prompts do.
            asked, given = given, ""
        instruction = texts.text(asked, pair.instruction)
        thought = self._thought(value, pair.reasonings) if pair.reasonings else ""
        answer = answer_message(texts, answered, pair.response, thought)
        last = (Message.with_input(instruction, given), answer)
        if history is None and pair.system is None and _TOOLS.isdisjoint(value):
            return last
        return self._prefaced(value, pair.system, (*self._history(value, history), *last))

    def _given(self, value: dict[str, Any], pair: PairColumns) -> tuple[str, str | None]:
        """The text of the input and the column of the earlier turns, which may be one and the same."""
        name = pair.input
        assert name is not None
        cell = value[name]
        if isinstance(cell, str):
            cell = cell if name in PROMPTS else joined_texts(cell) or cell
            return "" if cell.strip().lower() in NO_INPUT else self._texts.optional(cell, name), pair.history
        if isinstance(cell, list) and name not in PROMPTS:
            if cell and pair.history is None and all(role_of(turn) is not None for turn in cell):
                return "", name
            cell = joined_texts(cell) or cell
        if cell and isinstance(cell, list | dict):
            hint = f": set {self._setting.format('input')} to another column, or to nothing"
            raise InvalidRow(name, "expected text", shown(cell), hint)
        return self._texts.optional(cell or None, name), pair.history

    def as_turns(self, value: dict[str, Any], column: str) -> Any:
        """The column's value, or the turns that it holds as one message or as text."""
        cell = value.get(column)
        if isinstance(cell, dict):
            return messages_in(cell) or cell
        if not isinstance(cell, str):
            return cell
        # An answer may be about chat templates.
        if (column in WHOLE_TEXTS or column not in RESPONSES) and (
            marked := marked_turns(cell, is_answer=column in RESPONSES)
        ):
            return marked
        is_open = cell.endswith(OPEN_ENDS) and not value.get("input")
        is_listed = column not in RESPONSES and cell[:2] == "[{"
        if not is_open and column not in WHOLE_TEXTS and not is_listed:
            return cell
        if cell[:1] in ("[", "{"):
            turns = parsed_list(cell if cell[:1] == "[" else f"[{cell}]")
        else:
            turns = transcript(cell, is_loose=is_open or column == "chosen")
        return turns if turns and all(role_of(turn) is not None for turn in turns) else cell

    def _thought(self, value: dict[str, Any], columns: tuple[str, ...]) -> str:
        """The text of the only one of these columns that has one. Raises InvalidRow for several."""
        setting = self._setting.format("reasoning")
        try:
            found = {name: reasoning_text(self._texts, value.get(name), name) for name in columns}
        except InvalidRow as error:
            problem = error.problem
            hint = f": set {setting} to another column, or to nothing"
            raise InvalidRow(problem.field, problem.reason, problem.got, hint) from None
        thoughts = {text: name for name, text in found.items() if text.strip()}
        if len(thoughts) > 1:
            names = list(thoughts.values())
            hint = f": set {setting} to one, or to nothing"
            raise InvalidRow(names[0], f"{', '.join(names)} could each be the reasoning", hint=hint)
        return next(iter(thoughts), "")

    def _listed(self, value: dict[str, Any], pair: PairColumns, asked: Any, answered: Any) -> Conversation:
        """Prompt and completion as lists of turns; a chosen answer may repeat the prompt."""
        before = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
        after = answered if isinstance(answered, list) else [{"role": "assistant", "content": answered}]
        for turns, column in ((before, pair.instruction), (after, pair.response)):
            if not turns or not all(isinstance(turn, dict) for turn in turns):
                raise InvalidRow(column, "expected text or a list of messages", shown(turns))
        if role_of(before[-1]) == "assistant" and before[-1].get("content") in OPEN_THOUGHTS:
            # A prompt as text ends with the name of the speaker to come, or the beginning of a thought.
            *before, begun = before
            if begun.get("channel") in THOUGHT_ROLES and isinstance(answered, str):
                answered = f"{THOUGHT_CHANNEL}{answered}"
        if isinstance(answered, str) and isinstance(value[pair.instruction], str):
            after = [{"role": "assistant", "content": without_end(answered)}]
        for name in filter(None, (pair.input, pair.history)):
            if value[name] and value[name] == value[name]:
                hint = f": set {self._setting.format('messages')} to {pair.instruction} to leave {name} out"
                raise InvalidRow(name, f"expected all turns in {pair.instruction}", shown(value[name]), hint)
        return self._joined(value, before, pair.instruction, after, pair.response)

    def _joined(
        self, value: dict[str, Any], before: list[Any], column: str, after: list[Any], answer: str
    ) -> Conversation:
        """The turns of two columns; those of the second may repeat the first. Raises InvalidRow if they are
        another conversation."""
        if after and role_of(after[0]) in ("user", "system"):
            if not are_repeated(before, after):
                hint = f": set {self._setting.format('messages')} to {answer} to leave {column} out"
                asked = before[-1].get("content") if isinstance(before[-1], dict) else before[-1]
                raise InvalidRow(column, f"expected a text that is part of {answer}", shown(asked), hint)
            system = before[:1] if role_of(before[0]) == "system" != role_of(after[0]) else []
            return self.turns(value, [*system, *after], answer)
        return self.turns(value, [*before, *after], column, (len(before), answer))

    def turns(
        self, value: dict[str, Any], turns: Any, column: str, then: tuple[int, str] | None = None
    ) -> Conversation:
        """The conversation of these turns and the row's other columns. `then`: from which turn on they are
        from which other column."""
        messages = conversation_of(turns, column, self._texts, rewritable=self._rewritable, then=then)
        if messages[-1].reasoning_content is None:
            columns = reasoning_columns(value, None, self._named, self._setting)
            if columns and (thought := self._thought(value, columns)):
                messages = (*messages[:-1], replace(messages[-1], reasoning_content=thought))
        return self._prefaced(value, system_column(value, self._named, self._setting), messages)

    def _prefaced(self, value: dict[str, Any], column: str | None, messages: Conversation) -> Conversation:
        """Prepend a system turn: the conversation's own or the column's text, plus the tools. Raises
        InvalidRow if the two differ."""
        text = "" if column is None else self._system(value.get(column), column)
        if messages[0].role == "system":
            own, messages = messages[0].content, messages[1:]
            if text.strip() not in own:
                hint = f": set {self._setting.format('system')} to nothing to leave it out"
                expected = "expected a text that is part of the conversation's own system prompt"
                raise InvalidRow(str(column), expected, shown(text), hint)
            text = own
        if tools := self._tools(value):
            text = f"{text}\n\nTools:\n{tools}" if text else f"Tools:\n{tools}"
        return (Message("system", text), *messages) if text.strip() else messages

    def _tools(self, value: dict[str, Any]) -> str:
        found: dict[str, str] = {}
        for name in TOOLS:
            cell = value.get(name)
            if isinstance(cell, list | dict) and cell:
                cell = json.dumps(cell, ensure_ascii=False, default=str)
            if isinstance(cell, str) and cell.strip() not in ("", "[]", "null"):
                found.setdefault(self._texts.optional(cell, name), name)
        if len(found) > 1:
            names = ", ".join(found.values())
            raise InvalidRow(TOOLS[0], f"{names} could each be the tools", hint=": leave one of them empty")
        return next(iter(found), "")

    def _system(self, cell: Any, column: str) -> str:
        """A system prompt: text, or a message or the parts of one."""
        if isinstance(cell, dict):
            cell = cell.get("parts") or cell.get("content")
        if isinstance(cell, list) and all(isinstance(part, dict) for part in cell):
            cell = joined(cell, column)[0]
        return self._texts.optional(cell, column)

    def _history(self, value: dict[str, Any], column: str | None) -> Conversation:
        history = earlier_turns(value[column]) if column is not None else None
        if not history:
            return ()
        if not isinstance(history, list):
            raise InvalidRow(str(column), "expected a list of exchanges", shown(history))
        if len(history) % 2 == 0 and all(isinstance(text, str) for text in history):
            history = list(map(list, zip(history[::2], history[1::2], strict=True)))
        messages: list[Message] = []
        for index, exchange in enumerate(history):
            field = f"{column}[{index}]"
            if isinstance(exchange, dict):
                return conversation_of(history, str(column), self._texts, rewritable=False)
            if not isinstance(exchange, list) or len(exchange) != 2:
                raise InvalidRow(field, "expected a question and an answer", shown(exchange))
            messages.append(Message("user", self._texts.text(exchange[0], f"{field}[0]")))
            messages.append(answer_message(self._texts, exchange[1], f"{field}[1]"))
        return tuple(messages)

    def instances(self, value: dict[str, Any]) -> Conversation:
        """The first instance with an answer."""
        instances = [one for one in value[INSTANCES] if isinstance(one, dict)]
        if not instances:
            raise InvalidRow(INSTANCES, "expected instances with an output", shown(value[INSTANCES]))
        one = next((found for found in instances if found.get("output")), instances[0])
        row = {name: one.get(name) for name in ("input", "output")}
        # Of a task of Natural Instructions, whose definition is a list of one text.
        asked = value.get("instruction") or only_text(value.get(DEFINITION))
        row["instruction"] = asked
        try:
            messages = self.exchange(row, _INSTANCE)
        except InvalidRow as error:
            problem = error.problem
            field = problem.field if problem.field == "instruction" else f"{INSTANCES}.{problem.field}"
            raise InvalidRow(field, problem.reason, problem.got, problem.hint) from None
        return self._prefaced(value, system_column(value, self._named, self._setting), messages)

    def answered(self, value: dict[str, Any], turns: Any, column: str) -> Conversation:
        """The turns of a column, with the answer that another column has if they end with the user's."""
        if not isinstance(turns, list) or not turns or role_of(turns[-1]) != "user":
            return self.turns(value, turns, column)
        names = [self._named.response] if self._named.response else [n for n in NEXT_TURNS if value.get(n)]
        if len(names) > 1 and any(value[name] != value[names[0]] for name in names[1:]):
            raise InvalidRow(
                names[0],
                f"{', '.join(names)} could each be the response",
                hint=f": set {self._setting.format('response')}",
            )
        if not names:
            return self.turns(value, turns, column)
        name = names[0]
        cell = value[present("response", value, name, self._setting)]
        answer = answer_in(turns, self.as_turns(value, name), cell)
        after = answer if isinstance(answer, list) else [{"role": "assistant", "content": answer}]
        return self._joined(value, turns, column, after, name)


_INSTANCE = PairColumns(RowFormat.self_instruct, "instruction", "input", "output", None, None)
