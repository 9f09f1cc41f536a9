"""Checks the names of arms that a command asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from staragents.base.errors import BadInput
from staragents.evaluation.cell import BASE
from staragents.evaluation.choices import OF_RUNS, PAIR, SEEDS
from staragents.evaluation.run_rows import RunRows
from staragents.validation.message_parts import nearest, shown

SETTING = "evaluation.arms"


def check_names(names: Sequence[str]) -> None:
    """Raises BadInput for a name of an arm that no run has, and for a repeated one."""
    known = [SEEDS, *OF_RUNS]
    for number, name in enumerate(names):
        if name not in known and not (name.startswith(PAIR) and len(name) > len(PAIR)):
            near = nearest(name, known)
            instead = f", did you mean {near}?" if near else ""
            expected = f"one of {', '.join(known)}, {PAIR}NAME"
            raise BadInput(f"{SETTING}[{number}]: expected {expected}, got {shown(name)}{instead}")
        if name in names[:number]:
            raise BadInput(f"{SETTING}[{number}]: expected each arm once, got {shown(name)} again")


def check_file_names(names: Iterable[str]) -> None:
    """Raises BadInput for a name of a file's arm that belongs to another one: to the untrained student, to an
    arm of a run, even if it was not asked for, or, with a colon, to a pair or one of several runs."""
    reserved = (BASE, SEEDS, *OF_RUNS)
    for name in names:
        if name in reserved or ":" in name:
            expected = f"a name without a colon and none of {', '.join(reserved)}"
            raise BadInput(f"--arm: expected {expected}, got {shown(name)}")


def check_pair(run: RunRows, name: str) -> None:
    """Raises BadInput for an arm `pair:NAME` of a pair that the run does not have."""
    pair = name.removeprefix(PAIR)
    if pair not in run.pairs:
        near = nearest(pair, run.pairs)
        instead = f", did you mean {PAIR}{near}?" if near else ""
        raise BadInput(f"{SETTING}: expected a pair of {run.name}, got {shown(name)}{instead}")
