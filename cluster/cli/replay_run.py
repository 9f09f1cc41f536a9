"""What `staragents replay` estimates from a finished run."""

from __future__ import annotations

from pathlib import Path

from cluster.cli.replay_settings import settings
from cluster.terminal.terminal import say
from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput
from staragents.replay.off_policy import OffPolicy, estimate


def check_for_runs(overrides: tuple[str, ...]) -> None:
    """Raises BadInput for settings that a finished run can't be evaluated with."""
    problems = [
        f"{one}: expected settings of evolution alone for a run directory, whose rewards and what it "
        "recalled are recorded (--no-memory leaves out what it recalled)"
        for one in overrides
        if one.startswith(("memory.", "reward."))
    ]
    if problems:
        raise BadInput(problems)


def estimated(source: Path, overrides: tuple[str, ...], policy: str | None, memory: bool) -> OffPolicy:
    """Off-policy estimates for a run directory, for the run's own settings with these changes."""
    run = SavedRun.open(source)
    config = settings(overrides, policy, own=run.config) if overrides or policy else run.config
    total = run.summary["funnel"]["seeds"]
    return estimate(run.folder.seeds(), config, total, run.drawn_pairs, run.config, memory)


def show_estimate(source: Path, result: OffPolicy) -> None:
    """Print estimates for a run directory."""
    say(
        f"{source}: {result.seeds} seeds, {result.draws} draws without base pairs, {result.missing} without "
        f"a reward; policy {result.policy}, with what the run recalled for {result.recalled} seeds"
    )
    for one in (result.logged, *result.estimates):
        say(f"{one.name:<34}{one.mean:8.4f} +- {one.half_width:.4f}")
    say(f"{'effective draws':<34}{result.effective_draws:8.0f}")
    if result.warning:
        say(f"warning: {result.warning}", err=True)
