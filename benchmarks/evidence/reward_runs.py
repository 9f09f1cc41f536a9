"""What the runs of experiment 2 earned and cost (CLAIMS.md). Needs no text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from reward_arms import DATASET, DEFAULT, IFD, JUDGE, RANDOM, UNIFORM, WIN

from staragents.base.errors import BadInput
from staragents.evaluation.bootstrap import Floats
from staragents.replay.replay import Difference

SHARES = ("replaced", "commonest")
MEASURES = ("reward", "judge_win", "ifd_gap")
PARTS = ("costs", "earned", "pairs", "arms", "choices")

Facts = Sequence[Mapping[str, Any]]
"""Of each replicate, as `facts_of_replicate` returns them."""


def read_facts(path: Path) -> Facts:
    """Raises BadInput if the file is not what `reward.py prepare` writes."""
    try:
        facts = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadInput(f"{path}: expected JSON as `prepare` writes it: {error}") from error
    if not isinstance(facts, list) or not facts:
        raise BadInput(f"{path}: expected a list of replicates as `prepare` writes it")
    for number, one in enumerate(facts):
        missing = [name for name in PARTS if not isinstance(one, dict) or name not in one]
        if missing:
            raise BadInput(f"{path}: replicate {number}: expected {', '.join(PARTS)}, got no {missing[0]}")
    return facts


def show_runs(facts: Facts) -> None:
    """Print what the runs earned and what choosing cost."""
    click.echo(f"{len(facts)} replicates of {len(facts[0]['choices']['prompts'])} seeds\n")
    click.echo(
        f"| run | reward of a draw | minus {UNIFORM}, 95 % | w of the dataset | replaced | of one pair |"
    )
    click.echo("|---|---|---|---|---|---|")
    rewards = {run: np.array([one["earned"][run]["reward"] for one in facts]) for run in facts[0]["earned"]}
    for run, values in rewards.items():
        arm = DATASET if run == DEFAULT else f"{DATASET}:{run}"
        win = np.mean([one["earned"][run]["judge_win"] for one in facts])
        replaced, commonest = (np.mean([one["arms"][arm][name] for one in facts]) for name in SHARES)
        click.echo(
            f"| {run} | {values.mean():.3f} | {_paired(values - rewards[UNIFORM])} | {win:.3f} "
            f"| {replaced:.0%} | {commonest:.0%} |"
        )
    click.echo("\n| pair | reward | w | IFD gap |\n|---|---|---|---|")
    means = {pair: [measured(facts, pair, name) for name in MEASURES] for pair in facts[0]["pairs"]}
    for pair, of_pair in sorted(means.items(), key=lambda item: -(item[1][0] or 0.0)):
        click.echo(f"| {pair} | {' | '.join('-' if one is None else f'{one:.3f}' for one in of_pair)} |")
    _costs(facts)


def _paired(differences: Floats) -> str:
    """The mean difference of replicates with its interval."""
    found = Difference.of(differences)
    if found.half_width is None or not differences.any():
        return "-"
    return f"{found.mean:+.3f} +- {found.half_width:.3f}"


def measured(facts: Facts, pair: str, measure: str) -> float | None:
    """The mean over replicates; None if the pair has no candidate with this measure in one of them."""
    values = [one["pairs"][pair][measure] for one in facts]
    return None if None in values else float(np.mean(values))


def costs_more(facts: Facts) -> float:
    """Words that the learnt policy's run wrote and had judged, over those of the uniform run."""
    spent = {
        name: sum(one["costs"][name]["words_written"] + one["costs"][name]["words_judged"] for one in facts)
        for name in (DEFAULT, UNIFORM)
    }
    return float(spent[DEFAULT] / spent[UNIFORM])


def unreached(facts: Facts) -> float:
    """The share of prompts that the uniform runs did not draw for before their words were spent."""
    prompts = sum(len(one["choices"]["prompts"]) for one in facts)
    reached = sum(one["costs"][UNIFORM]["seeds"] for one in facts)
    return float((prompts - reached) / prompts)


def _costs(facts: Facts) -> None:
    click.echo(
        "\n| run | seeds | candidates | words written | words judged | tokens scored: target | larger |"
    )
    click.echo("|---|---|---|---|---|---|---|")
    names = ("seeds", "candidates", "words_written", "words_judged", "target_tokens", "larger_tokens")
    for run in facts[0]["costs"]:
        means = [np.mean([one["costs"][run][name] for one in facts]) for name in names]
        click.echo(f"| {run} | {' | '.join(f'{one:,.0f}' for one in means)} |")
    click.echo(
        f"\n{DEFAULT} wrote and judged {costs_more(facts):.3f} times the words of {UNIFORM}. {RANDOM} needs "
        f"one candidate a seed; {JUDGE} and {WIN} need no scores; {IFD} needs the target's scores and no "
        "verdict."
    )
