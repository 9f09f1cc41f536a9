"""A table of recorded agents: the reward of each agent on each instruction."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from staragents.base.errors import BadInput
from staragents.data.readers.content import opened
from staragents.evolution.drawing import FloatArray

MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class RecordedTable:
    """`rewards` has shape (instructions, agents), each in [0, 1]."""

    name: str
    instructions: tuple[str, ...]
    agents: tuple[str, ...]
    rewards: FloatArray

    @classmethod
    def read(cls, path: Path) -> RecordedTable:
        """JSONL, plain or gzip, with `instruction` and `win` {agent: 0 to 1} per row; other keys are ignored.

        Every row must have the agents of the first row: means over different instructions would compare
        instructions, not agents. Raises BadInput with file:row:field for every bad row.
        """
        problems: list[str] = []
        instructions: list[str] = []
        rows: list[dict[str, float]] = []
        try:
            with opened(path, str(path)) as content:
                for number, line in enumerate(content.lines(), 1):
                    if len(problems) >= MAX_PROBLEMS:
                        break
                    try:
                        instruction, win = _row(line, f"{path}:{number}", list(rows[0]) if rows else None)
                    except BadInput as error:
                        problems += error.problems
                        continue
                    instructions.append(instruction)
                    rows.append(win)
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{path}: expected a JSONL file, got {error}") from error
        if problems:
            raise BadInput(problems)
        if not rows:
            raise BadInput(f"{path}: expected at least one row, got an empty file")
        agents = tuple(rows[0])
        rewards = np.array([[row[agent] for agent in agents] for row in rows])
        return cls(path.name, tuple(instructions), agents, rewards)


def _row(line: bytes, location: str, agents: list[str] | None) -> tuple[str, dict[str, float]]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        # Do not quote the line: the user may have named the wrong file.
        raise BadInput(f"{location}: expected a JSON object, got invalid JSON") from None
    if not isinstance(row, dict):
        raise BadInput(f"{location}: expected a JSON object, got {_shown(row)}")
    instruction, win = row.get("instruction"), row.get("win")
    problems = []
    if not isinstance(instruction, str) or not instruction.strip():
        problems.append(f"{location}:instruction: expected a text, got {_shown(instruction)}")
    if not isinstance(win, dict) or not win:
        raise BadInput([*problems, f"{location}:win: expected an object of agents, got {_shown(win)}"])
    for agent, reward in win.items():
        number = isinstance(reward, int | float) and not isinstance(reward, bool)
        if not number or not math.isfinite(reward) or not 0 <= reward <= 1:
            problems.append(f"{location}:win.{agent}: expected a number from 0 to 1, got {_shown(reward)}")
    if agents is not None and win.keys() != set(agents):
        missing, more = [a for a in agents if a not in win], [a for a in win if a not in agents]
        got = f"no {missing[0]}" if missing else f"{more[0]} too"
        problems.append(f"{location}:win: expected the {len(agents)} agents of the first row, got {got}")
    if problems:
        raise BadInput(problems)
    return str(instruction), {agent: float(reward) for agent, reward in win.items()}


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
