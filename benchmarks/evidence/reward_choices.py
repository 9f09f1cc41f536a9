"""Whose response each arm of experiment 2 has for each prompt: numbers without text, to be published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weak_agent import Weak

from staragents.base.digest import digest_of
from staragents.base.errors import BadInput
from staragents.base.messages import with_exchange
from staragents.evaluation.arm import Arm, TrainingRow
from staragents.evaluation.cell import BASE, Cell
from staragents.evaluation.choices import PAIR

SEED = -1
"""In the place of an agent: the seed's own response."""


def choices_of(arms: Sequence[Arm], weak: Weak) -> dict[str, Any]:
    """`prompts`: numbers of rows of the recorded table, in the order of the run's seeds. `arms`: for each of
    them an index of `agents` or `SEED`. `texts`: checksum of these rows."""
    numbers = {_words(row["instruction"]): number for number, row in enumerate(weak.rows)}
    prompts = [numbers[_words(row.messages[-2].content)] for row in arms[0].rows]
    return {
        "weak": weak.name,
        "agents": weak.agents,
        "prompts": prompts,
        "texts": _digest(weak, prompts),
        "arms": {
            arm.name: [
                _chosen(weak.rows[number], row.messages[-1].content, weak.agents)
                for number, row in zip(prompts, arm.rows, strict=True)
            ]
            for arm in arms
        },
    }


def arms_from(choices: dict[str, Any], weak: Weak) -> list[Arm]:
    """The arms that `choices_of` described, then an arm `pair:AGENT` with all responses of each agent.

    Raises BadInput if `weak` is of another table.
    """
    agents, prompts = choices["agents"], choices["prompts"]
    if (
        list(weak.agents) != agents
        or max(prompts) >= len(weak.rows)
        or _digest(weak, prompts) != choices["texts"]
    ):
        raise BadInput(f"DATA: expected the recorded responses of {', '.join(agents)}, got others")
    chosen = choices["arms"] | {
        f"{PAIR}{agent}": [index] * len(prompts) for index, agent in enumerate(agents)
    }
    return [
        Arm(name, tuple(_row(weak, number, agent) for number, agent in zip(prompts, of_arm, strict=True)))
        for name, of_arm in chosen.items()
    ]


def choices_checksum(choices: Mapping[str, Any], arm: str) -> str:
    """Of one arm of a replicate. A pair's arm has all responses of its agent, whatever was chosen."""
    return digest_of([choices["texts"], choices["prompts"], arm, choices["arms"].get(arm)])


def known_checksum(replicates: Sequence[Mapping[str, Any]], cell: Cell) -> str | None:
    """`choices_checksum` of a student; None if it is untrained or of no replicate."""
    if cell.arm == BASE or cell.training_seed >= len(replicates):
        return None
    return choices_checksum(replicates[cell.training_seed], cell.arm)


def _digest(weak: Weak, prompts: Sequence[int]) -> str:
    rows = [weak.rows[number] for number in prompts]
    return digest_of([[row["instruction"], row["reference"], row["response"]] for row in rows])


def _chosen(row: dict[str, Any], response: str, agents: Sequence[str]) -> int:
    said = [row["reference"], *(row["response"][agent] for agent in agents)]
    return [_words(one) for one in said].index(_words(response)) - 1


def _row(weak: Weak, number: int, agent: int) -> TrainingRow:
    row = weak.rows[number]
    response = row["reference"] if agent == SEED else row["response"][weak.agents[agent]]
    return TrainingRow(str(number), with_exchange((), row["instruction"], response), agent == SEED)


def _words(text: str) -> str:
    """The text as runs and table share it: readers may change white space."""
    return " ".join(text.split())
