"""The files of experiment 2's runs: a weak recorded agent answered the seeds, the others answer them anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from scipy.special import expit, logit

from staragents.base.errors import BadInput
from staragents.base.records import stable_seed
from staragents.data.readers.content import opened
from staragents.files.atomic_file import write_text
from staragents.replay.recorded_table import RecordedTable

FLOOR = 5e-6
"""Recorded probabilities have five decimals, so that 0 says no more than this."""
REWRITER = "keep"
TABLE, CONFIG = "table.jsonl", "config.yaml"
TARGET, LARGER = "packaged:gemma-3-270m", "packaged:smollm2-135m-instruct"
"""Not the other way around: nine in ten gaps would be negative, and difficulties 0 (CLAIMS.md)."""


def against(win: float, other: float) -> float:
    """The probability that a response beats another one, from those that each beats the same reference.

    By Bradley and Terry's model: the log-odds of the first less those of the second.
    """
    first, second = (logit(min(max(one, FLOOR), 1 - FLOOR)) for one in (win, other))
    return float(expit(first - second))


@dataclass(frozen=True)
class Weak:
    """Recorded prompts whose seed's response is that of one agent.

    `name` is that agent, `agents` are the others, in the order of the table. A row has `instruction`,
    `reference` (the seed's response), `response` and `win` of the others, as recorded engines read them.
    """

    name: str
    agents: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, path: Path, weak: str, prompts: int | None = None) -> Weak:
        """`prompts`: how many to take, always the same ones first. Raises BadInput for a bad row, and
        if the table lacks the agent."""
        table = RecordedTable.read(path)
        if weak not in table.agents:
            raise BadInput(f"--weak: expected one of {', '.join(table.agents)}, got {weak}")
        with opened(path, str(path)) as content:
            rows = [json.loads(line) for line in content.lines()]
        for number, row in enumerate(rows, 1):
            said = row.get("response")
            for agent in table.agents:
                if not isinstance(said, dict) or not isinstance(said.get(agent), str):
                    raise BadInput(f"{path}:{number}:response.{agent}: expected a text")
        others = tuple(agent for agent in table.agents if agent != weak)
        answered = [row for row in rows if row["response"][weak].strip()]
        answered.sort(key=lambda row: stable_seed("reward", row["instruction"]))
        return cls(weak, others, tuple(_row(row, weak, others) for row in answered[:prompts]))

    def pair(self, agent: str) -> str:
        """The name of an agent's pair in the config; names of models are no keys there."""
        return f"{REWRITER}+{_name(self.agents.index(agent))}"

    def write(self, folder: Path, replicates: int, settings: dict[str, Any]) -> None:
        """The table, the config, and for every replicate the seeds in an order of its own."""
        write_text(folder / TABLE, _lines(self.rows))
        write_text(folder / CONFIG, yaml.safe_dump(self._config(folder, settings), sort_keys=False))
        for replicate in range(replicates):
            ordered = sorted(
                self.rows, key=lambda row: stable_seed("order", str(replicate), row["instruction"])
            )
            seeds = [{"instruction": row["instruction"], "output": row["reference"]} for row in ordered]
            write_text(self.seeds_file(folder, replicate), _lines(seeds))

    def seeds_file(self, folder: Path, replicate: int) -> Path:
        """Where `write` writes the seeds of a replicate."""
        return folder / f"seeds-{replicate}.jsonl"

    def _config(self, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
        recorded = {"kind": "recorded", "table": str((folder / TABLE).absolute()), "num_cpus": 0}
        names = {_name(number): agent for number, agent in enumerate(self.agents)}
        config: dict[str, Any] = {
            "models": {
                **{name: {**recorded, "model": agent} for name, agent in names.items()},
                "judge": {**recorded, "model": "judge"},
            },
            "agents": {
                "instruction": {REWRITER: {"prompt": REWRITER}},
                "response": {name: {"model": name, "prompt": "direct"} for name in names},
                "keep_language": False,
            },
            # A shortened text has no recorded verdict.
            "judge": {"model": "judge", "max_text_chars": 1_000_000},
            "run": {"admitted_seeds": 4},
        }
        return config | settings


def _row(row: dict[str, Any], weak: str, others: Sequence[str]) -> dict[str, Any]:
    seed = row["response"][weak]
    return {
        "instruction": row["instruction"],
        "reference": seed,
        "response": {agent: row["response"][agent] for agent in others},
        "win": {
            agent: 0.5
            if row["response"][agent].split() == seed.split()
            else against(row["win"][agent], row["win"][weak])
            for agent in others
        },
    }


def _name(number: int) -> str:
    return f"agent{number}"


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
