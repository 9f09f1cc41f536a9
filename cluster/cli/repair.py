"""`staragents repair`: keep the intact parts of a damaged run directory, and redo the lost ones."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from cluster.terminal.terminal import say, say_json
from staragents.base.errors import INTERRUPTED, BadInput
from staragents.run.repair import Repair
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("config", required=False, type=click.Path())
@click.argument("overrides", nargs=-1)
@click.option("--no-run", is_flag=True, help="Only repair; the run's own command redoes lost seeds.")
@click.option("--dry-run", is_flag=True, help="Only show what is damaged. Exits with 2 if anything is.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found and done as JSON.")
def repair(
    run_dir: Path, config: str | None, overrides: tuple[str, ...], no_run: bool, dry_run: bool, as_json: bool
) -> int:
    """Keep the intact parts of a damaged run, redo the rest.

    Damaged files are moved to RUN/damaged; nothing is deleted. Finished candidates in intact files are
    committed again without any model. Seeds whose candidates were lost are run again. Missing or damaged
    results (dataset, report, card) are written again from the candidates.

    The settings are those that the run saved. CONFIG is what the run was started with; it is only needed if
    both saved copies are damaged.

    \b
    Examples:
      staragents repair runs/mine --dry-run
      staragents repair runs/mine
      staragents repair runs/mine --no-run
    """
    from staragents.run.inspection import check_whole
    from staragents.run.repair import repair as repaired

    run = RunDirectory(run_dir)
    if not run_dir.is_dir():
        raise BadInput(f"RUN: expected a run directory, got {run_dir}")
    run.check_ours()
    if dry_run:
        check_whole(run)
        if as_json:
            say_json({"damage": []})
        else:
            say(f"{run_dir}: nothing is damaged")
        return 0
    settings = load_config(config, overrides) if config is not None else None
    with run.claimed():
        done = repaired(run, settings)
    lines = told(run_dir, done)
    if as_json:
        say_json(as_dict(done))
    else:
        for line in lines:
            say(line)
    if not done.restarted or no_run:
        if done.restarted and not as_json:
            command = shlex.join(["staragents", "run", config or str(run_dir / "config.yaml"), *overrides])
            say(f"next: run the same command to resume, or: {command} output.dir={run_dir}")
        return 0
    from cluster.driver.optimise import optimise
    from cluster.terminal.console import make_console
    from cluster.terminal.long_work import begin_long_work
    from cluster.terminal.watcher import Watcher

    begin_long_work()
    outcome = optimise(done.config, Watcher(make_console(to_stderr=as_json)))
    return INTERRUPTED if outcome.stopped else 0


def told(run_dir: Path, done: Repair) -> list[str]:
    """What was found and done, one item per line."""
    if not done.damage:
        lines = [f"{run_dir}: nothing is damaged"]
    else:
        lines = [f"{run_dir / one.file}: {one.what}" for one in done.damage]
    if done.moved:
        lines.append(f"moved: {', '.join(str(run_dir / name) for name in done.moved)}")
    if done.restarted:
        lost = "" if done.lost is None else f", {done.lost} lost"
        lines.append(f"candidates of {done.kept} of {done.seeds} seeds are kept{lost}")
    if done.results_written:
        lines.append(f"written again from the candidates: dataset, report and card in {run_dir}")
    return lines


def as_dict(done: Repair) -> dict[str, object]:
    return {
        "damage": [{"file": one.file, "what": one.what} for one in done.damage],
        "moved": done.moved,
        "restarted": done.restarted,
        "seeds": done.seeds,
        "kept": done.kept,
        "lost": done.lost,
        "results_written": done.results_written,
    }
