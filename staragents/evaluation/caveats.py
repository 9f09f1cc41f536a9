"""Caveats for reading an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from staragents.evaluation.arm_row import LOSS, WINS, ArmRow
from staragents.evaluation.arms import Arms
from staragents.evaluation.bootstrap import LEAST
from staragents.evaluation.by_pair import ByPair
from staragents.evaluation.choices import RANDOM, SEEDS
from staragents.evaluation.grid import POOLED, Grid, Grids
from staragents.evaluation.judge_facts import JudgeFacts
from staragents.evaluation.references import families_of

FEW_CONVERSATIONS = 30
UNEQUAL_TOKENS = 0.05
UNEQUAL_FILLED = 0.25
UNEQUAL_PASSES = 1.1
"""Of the arm that is read most often over the one that is read least."""


def warnings_for(
    rows: Sequence[ArmRow],
    grid: Grid,
    grids: Grids,
    gains: ByPair | None,
    references: Sequence[str],
    arms: Arms,
    judge: JudgeFacts | None,
) -> list[str]:
    """One line for each reason to doubt the table. `grid`: of the losses on all answers; `grids`: of all
    measures; `judge`: None if nobody compared answers."""
    found = []
    if len(grid.training_seeds) == 1:
        found.append(
            "one training seed: the intervals leave out how much students of the same arm differ and are too "
            "narrow"
        )
    found += _about_students(grid, references[0], arms)
    if len(grid.units) < FEW_CONVERSATIONS:
        found.append(
            f"{len(grid.units)} held-out conversations are few: the intervals are too narrow below about "
            f"{FEW_CONVERSATIONS}"
        )
    found += _about_writers(grid, grids)
    if grid.dropped:
        found.append(f"{grid.dropped} held-out conversations lack a loss in some arm and are left out")
    if judge is not None:
        found += _about_wins(grid, grids[WINS, POOLED], judge)
    found += [
        f"{row.filled} of the {row.rows} rows of {row.name} are unchanged seeds, as it has no row for them"
        for row in rows
        if row.rows and row.filled > row.rows / 2
    ]
    tokens = [row.trained_tokens for row in rows]
    if min(tokens) < (1 - UNEQUAL_TOKENS) * max(tokens):
        least = min(rows, key=lambda row: row.trained_tokens)
        most = max(rows, key=lambda row: row.trained_tokens)
        found.append(
            f"unequal training: {least.name} was trained on {least.trained_tokens:,.0f} answer tokens, "
            f"{most.name} on {most.trained_tokens:,.0f}"
        )
    found += _about_passes(rows)
    if not any(name == RANDOM or name.endswith(f":{RANDOM}") for name in references):
        found.append(f"without the arm {RANDOM}, a gain over {SEEDS} does not show that choosing helped")
    return found + _about_pairs(rows, gains)


def _about_students(grid: Grid, reference: str, arms: Arms) -> list[str]:
    """Of each family of arms: one or two degrees of freedom tell little about the variance between training
    seeds."""
    others = [name for name in grid.arms if name != reference]
    distinct = {
        tuple(family): {arms.trained_as(name) for name in family} - {arms.trained_as(reference)}
        for family in families_of(others, arms.pairs)
    }
    return [
        f"few students{' of pairs' if family[0] in arms.pairs else ''}: if students of the same arm differ "
        "much, the intervals hold in fewer than 95 % of repeats; more training seeds or arms make them exact"
        for family, trained in distinct.items()
        if len(trained) * (len(grid.training_seeds) - 1) in (1, 2)
    ]


def _about_writers(grid: Grid, grids: Grids) -> list[str]:
    """Beside the note on few conversations of all writers together."""
    few = [
        f"{of} {len(one.units)}"
        for (measure, of), one in grids.items()
        if measure == LOSS and one is not None and len(one.units) < FEW_CONVERSATIONS <= len(grid.units)
    ]
    if not few:
        return []
    return [
        f"few conversations of a writer ({', '.join(few)}): the intervals on these answers are too narrow "
        f"below about {FEW_CONVERSATIONS}, and there are none below {LEAST}"
    ]


def _about_wins(losses: Grid, wins: Grid | None, judge: JudgeFacts) -> list[str]:
    """What a judge that failed meanwhile, or could not be read, leaves out."""
    if wins is None:
        return ["wins are not compared: no training seed has verdicts on every arm"]
    found = []
    if without := [arm for arm in losses.arms if arm not in wins.arms]:
        found.append(f"no wins of {', '.join(without)}: there is no verdict on these students")
    if len(wins.training_seeds) < len(losses.training_seeds):
        found.append(
            f"wins count training seeds {', '.join(map(str, wins.training_seeds))} only: the others lack "
            "verdicts on some arm"
        )
    if left_out := judge.prompts - len(wins.units):
        found.append(
            f"{left_out} of {judge.prompts} prompts lack the verdict on some student that counts and are "
            "left out"
        )
    return found


def _about_passes(rows: Sequence[ArmRow]) -> list[str]:
    """Answers that are read again teach less than new ones, so that length decides."""
    passes = {
        row.name: row.trained_tokens / (row.rows * row.answer_tokens)
        for row in rows
        if row.rows and row.answer_tokens
    }
    if not passes:
        return []
    least, most = min(passes, key=lambda name: passes[name]), max(passes, key=lambda name: passes[name])
    if passes[most] <= 1 or passes[most] < UNEQUAL_PASSES * passes[least]:
        return []
    return [
        f"the answers of {most} are read {passes[most]:.1f} times, those of {least} {passes[least]:.1f} "
        "times, as they are shorter: a difference may be one of length; lower evaluation.tokens or "
        "evaluation.epochs"
    ]


def _about_pairs(rows: Sequence[ArmRow], gains: ByPair | None) -> list[str]:
    if gains is None:
        return []
    arms = {one.arm for one in gains.pairs}
    shares = [row.filled / row.rows for row in rows if row.name in arms and row.rows]
    if shares and max(shares) - min(shares) > UNEQUAL_FILLED:
        return [
            f"the pairs' arms are unchanged seeds in {min(shares):.0%} to {max(shares):.0%} of their rows: a "
            "pair that was drawn more often can gain more; evolution.policy=uniform or more draws make them "
            "alike"
        ]
    return []
