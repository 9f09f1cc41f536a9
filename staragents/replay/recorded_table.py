"""A table of recorded agents: the reward of each agent on each instruction, and what it cost."""

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
COSTS = ("tokens", "cost")
"""Objects {agent: number} of a row; the first one present counts."""


@dataclass(frozen=True, slots=True)
class RecordedTable:
    """`rewards` and `costs` have shape (instructions, agents); rewards are in [0, 1].

    Costs are those of the objects `tokens` or `cost`, else the words of the texts in `response`; None if an
    agent has neither in some row.
    """

    name: str
    instructions: tuple[str, ...]
    agents: tuple[str, ...]
    rewards: FloatArray
    costs: FloatArray | None = None

    @classmethod
    def read(cls, path: Path) -> RecordedTable:
        """JSONL, plain or gzip, with `instruction` and `win` {agent: 0 to 1} per row; other keys are ignored.

        Every row must have the agents of the first row: means over different instructions would compare
        instructions, not agents. Raises BadInput with file:row:field for every bad row.
        """
        problems: list[str] = []
        instructions: list[str] = []
        rows: list[dict[str, float]] = []
        costs: list[dict[str, float]] = []
        try:
            with opened(path, str(path)) as content:
                for number, line in enumerate(content.lines(), 1):
                    if len(problems) >= MAX_PROBLEMS:
                        break
                    try:
                        instruction, win, cost = _row(
                            line, f"{path}:{number}", list(rows[0]) if rows else None
                        )
                    except BadInput as error:
                        problems += error.problems
                        continue
                    instructions.append(instruction)
                    rows.append(win)
                    costs.append(cost)
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{path}: expected a JSONL file, got {error}") from error
        if problems:
            raise BadInput(problems)
        if not rows:
            raise BadInput(f"{path}: expected at least one row, got an empty file")
        agents = tuple(rows[0])
        rewards = np.array([[row[agent] for agent in agents] for row in rows])
        known = all(cost.keys() >= set(agents) for cost in costs) and all(
            any(cost.values()) for cost in costs
        )
        paid = np.array([[cost[agent] for agent in agents] for cost in costs]) if known else None
        return cls(path.name, tuple(instructions), agents, rewards, paid)


def _row(
    line: bytes, location: str, agents: list[str] | None
) -> tuple[str, dict[str, float], dict[str, float]]:
    """Instruction, rewards and known costs. Raises BadInput."""
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
        if not _is_number(reward) or not 0 <= reward <= 1:
            problems.append(f"{location}:win.{agent}: expected a number from 0 to 1, got {_shown(reward)}")
    if agents is not None and win.keys() != set(agents):
        missing, more = [a for a in agents if a not in win], [a for a in win if a not in agents]
        got = f"no {missing[0]}" if missing else f"{more[0]} too"
        problems.append(f"{location}:win: expected the {len(agents)} agents of the first row, got {got}")
    costs, wrong = _costs(row, location)
    problems += wrong
    if problems:
        raise BadInput(problems)
    return str(instruction), {agent: float(reward) for agent, reward in win.items()}, costs


def _costs(row: dict[str, Any], location: str) -> tuple[dict[str, float], list[str]]:
    """Known costs and problems."""
    name = next((name for name in COSTS if row.get(name) is not None), None)
    if name is None:
        texts = row.get("response")
        texts = texts if isinstance(texts, dict) else {}
        return {agent: float(len(text.split())) for agent, text in texts.items() if isinstance(text, str)}, []
    given = row[name]
    if not isinstance(given, dict):
        return {}, [f"{location}:{name}: expected an object {{agent: number}}, got {_shown(given)}"]
    problems = [
        f"{location}:{name}.{agent}: expected a number of at least 0, got {_shown(cost)}"
        for agent, cost in given.items()
        if not _is_number(cost) or cost < 0
    ]
    return {agent: float(cost) for agent, cost in given.items() if _is_number(cost)}, problems


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
