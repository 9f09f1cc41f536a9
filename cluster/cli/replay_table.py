"""The table that `staragents replay` prints."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from staragents.replay.replay import Difference, Replayed

AFTERWARDS = "* known only afterwards, from the whole table: an upper bound, not a policy"


def lines_of(results: Sequence[Replayed]) -> list[str]:
    """One block per table, a line per policy and bound."""
    first = results[0]
    lines = [
        f"{_count(first.draws, 'draw')}, {_count(first.passes, 'pass', 'es')}, "
        f"{_count(first.seeds, 'random order')}; mean reward per draw, intervals 95 % over orders, "
        "differences paired by order"
    ]
    for _, of_table in groupby(results, key=lambda result: (result.table, result.bounds)):
        lines += ["", *_block(list(of_table))]
    return [*lines, "", AFTERWARDS]


def _block(results: list[Replayed]) -> list[str]:
    one = results[0]
    bounds = one.bounds
    with_cost = bounds.fixed_per_cost is not None
    head = ["", "reward", "vs uniform", "vs best fixed *", "memory on - off", "gap closed"]
    rows = [head + (["per 1,000"] if with_cost else [])]
    for result in results:
        rows.append(
            [
                result.policy,
                _plus_minus(f"{result.mean:.4f}", result.half_width),
                _difference(result.beyond_uniform),
                _difference(result.beyond_fixed),
                _difference(result.beyond_no_memory),
                "" if result.gap_closed is None else f"{result.gap_closed:.0%}",
            ]
            + ([_ratio(result.per_cost, result.per_cost_half_width)] if with_cost else [])
        )
    best = "best agent" if one.draws == 1 else f"best {one.draws} agents"
    empty = [""] * 4
    rows += [
        [
            "uniform",
            f"{bounds.uniform:.4f}",
            *empty,
            *([_ratio(bounds.uniform_per_cost)] if with_cost else []),
        ],
        [f"{best}, fixed *", f"{bounds.fixed:.4f}"],
        [f"{best} for each instruction *", f"{bounds.each:.4f}"],
    ]
    if with_cost:
        rows.append([f"{best} per cost, fixed *", "", *empty, _ratio(bounds.fixed_per_cost)])
    title = f"{one.table}: {one.agents} agents, {one.instructions} instructions"
    notes = [f"best fixed: {', '.join(bounds.fixed_agents)}"]
    if with_cost:
        notes.append(f"best per cost: {', '.join(bounds.fixed_agents_per_cost)}")
    notes += [
        f"{result.policy}: {result.hit_rate:.0%} of the draws recalled similar instructions ({result.memory})"
        + ("" if result.memory_slope is None else f", learnt slope {result.memory_slope:.2f}")
        for result in results
        if result.memory != "off"
    ]
    return [title, *(f"  {line}" for line in [*_aligned(rows), *notes])]


def _aligned(rows: list[list[str]]) -> list[str]:
    """Columns of equal width; the first one is aligned to the left."""
    columns = max(map(len, rows))
    full = [row + [""] * (columns - len(row)) for row in rows]
    widths = [max(len(row[column]) for row in full) for column in range(columns)]
    shown = [column for column in range(columns) if any(row[column] for row in full[1:]) or not column]
    return [
        "  ".join(
            row[column].ljust(widths[column]) if not column else row[column].rjust(widths[column])
            for column in shown
        ).rstrip()
        for row in full
    ]


def _difference(difference: Difference | None) -> str:
    return "" if difference is None else _plus_minus(f"{difference.mean:+.4f}", difference.half_width)


def _plus_minus(mean: str, half_width: float | None) -> str:
    return mean if half_width is None else f"{mean} +- {half_width:.4f}"


def _ratio(value: float | None, half_width: float | None = None) -> str:
    if value is None:
        return ""
    shown = f"{1000 * value:.3f}"
    return shown if half_width is None else f"{shown} +- {1000 * half_width:.3f}"


def _count(number: int, one: str, more: str = "s") -> str:
    return f"{number} {one if number == 1 else one + more}"
