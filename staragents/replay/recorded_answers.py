"""The texts in a table of recorded agents and the judge's verdicts on them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.data.readers.content import opened
from staragents.text.storable import storable
from staragents.text.thinking import split_thinking
from staragents.text.untrusted_text import as_evidence

MAX_PROBLEMS = 20


@dataclass(slots=True)
class RecordedAnswers:
    """JSONL, plain or .gz, with `instruction` and `response` {agent: text} in each row. Verdicts also need
    `win` {agent: probability that its response beats the reference} and `reference`.

    Look-ups ignore differences in white space and in the escaping that prompts apply. A row may lack agents.
    """

    agents: set[str] = field(default_factory=set)
    _texts: dict[tuple[str, str], str] = field(default_factory=dict)
    _wins: dict[tuple[str, str], float] = field(default_factory=dict)
    _references: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def read(cls, path: str | Path) -> RecordedAnswers:
        """Raises BadInput with file:row:field for every bad row."""
        answers, problems = cls(), []
        with opened(Path(os.path.expanduser(path)), str(path)) as content:
            for number, line in enumerate(content.lines(), 1):
                problems += [f"{path}:{number}{problem}" for problem in answers._add(line)]
                if len(problems) >= MAX_PROBLEMS:
                    break
        if not problems and not answers.agents:
            problems.append(f"{path}: expected at least one row, got an empty file")
        if problems:
            raise BadInput(problems)
        return answers

    def text(self, instruction: str, agent: str) -> str | None:
        """This agent's recorded response."""
        return self._texts.get((_plain(instruction), agent))

    def win(self, instruction: str, response: str) -> float | None:
        """The probability in [0, 1] that this response beats the reference."""
        return self._wins.get((_plain(instruction), _plain(response)))

    def is_reference(self, instruction: str, response: str) -> bool:
        return (_plain(instruction), _plain(response)) in self._references

    def _add(self, line: bytes) -> list[str]:
        """Add a row; returns its problems."""
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            return [": expected a JSON object"]
        instruction, responses, wins = row.get("instruction"), row.get("response"), row.get("win") or {}
        if not isinstance(instruction, str) or not instruction.strip():
            return [":instruction: expected a text"]
        if not isinstance(responses, dict) or not all(isinstance(text, str) for text in responses.values()):
            return [":response: expected an object {agent: text}"]
        if not isinstance(wins, dict) or not all(_is_probability(win) for win in wins.values()):
            return [":win: expected an object {agent: 0 to 1}"]
        key = _plain(instruction)
        self.agents |= responses.keys()
        for agent, text in responses.items():
            self._texts[key, agent] = text
            if agent in wins:
                self._wins |= dict.fromkeys(((key, shown) for shown in _shown(text)), float(wins[agent]))
        if isinstance(row.get("reference"), str):
            self._references |= {(key, shown) for shown in _shown(row["reference"])}
        return []


def _shown(text: str) -> set[str]:
    """The text as a judge may see it: as recorded, or without a thought before it."""
    return {_plain(text), _plain(split_thinking(text).answer)}


def _plain(text: str) -> str:
    # Engines return storable texts, and the judge's prompt escapes them with `as_evidence`.
    return " ".join(as_evidence(storable(text).strip()).split())


def _is_probability(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
