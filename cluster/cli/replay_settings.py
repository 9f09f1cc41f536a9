"""The settings that `staragents replay` evaluates."""

from __future__ import annotations

from dataclasses import replace

from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.validation.plain_overrides import plain_overrides

SECTIONS = ("evolution.", "memory.", "reward.cost=")
PAPER = (
    "evolution.credit=winner",
    "evolution.floor=0",
    "memory.keep=winners",
    "memory.neighbours=10",
    "memory.min_similarity=0.5",
)
"""What the policy `paper` is replayed with, unless a setting says otherwise (configs/paper.yaml)."""


def settings(
    overrides: tuple[str, ...], policy: str | None, memory: bool = True, own: Config | None = None
) -> Config:
    """The default settings, or a run's `own`, with the given overrides of evolution, memory and reward.cost.

    What a policy learns from (evolution.credit) belongs to the policy: another one does not get the run's.
    """
    problems = [
        f"{one}: expected evolution.KEY=VALUE, memory.KEY=VALUE or reward.cost=VALUE"
        for one in overrides
        if not one.startswith(SECTIONS)
    ]
    problems += [
        f"{one}: expected --draws for a table, and nothing for a run, whose draws are recorded"
        for one in overrides
        if one.startswith("evolution.draws=")
    ]
    asked = [*overrides, *([f"evolution.policy={policy}"] if policy else [])]
    given = {one.partition("=")[0] for one in overrides}
    before = own.evolution.policy if own is not None else Config().evolution.policy
    named = [one.partition("=")[2] for one in asked if one.startswith("evolution.policy=")]
    if named and named[-1] != before:
        rules = PAPER if named[-1] == "paper" else (f"evolution.credit={Config().evolution.credit}",)
        asked += [rule for rule in rules if rule.partition("=")[0] not in given]
    config, _ = plain_overrides(asked, problems, own)
    if (problem := config.evolution.credit_problem()) is not None:
        raise BadInput(problem)
    return config if memory else replace(config, memory=replace(config.memory, enabled=False))
