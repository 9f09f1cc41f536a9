"""`staragents status`: the progress of a run, from another shell or node."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.live import Live

from cluster.terminal.console import safe_console
from cluster.terminal.terminal import say, say_json
from staragents.base.errors import BadInput, RunFailed
from staragents.run.inspection import check_whole
from staragents.run_directory.manifest import is_of_state, read_manifest
from staragents.run_directory.run_directory import RunDirectory

ANSWER_S = 30.0


@click.command()
@click.argument("run", type=click.Path())
@click.option("--watch", is_flag=True, help="Update until the run ends; Ctrl-C does not affect the run.")
@click.option(
    "--every",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Seconds between updates of --watch.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, with --watch one per line.")
def status(run: str, watch: bool, every: float, as_json: bool) -> None:
    """Show the progress of a run, from any shell or node.

    RUN is the run directory, or the run's name with RAY_ADDRESS set.

    \b
    Examples:
      staragents status runs/demo
      RAY_ADDRESS=10.0.0.1:6379 staragents status /shared/runs/node8 --watch
    """
    from cluster.driver.running_job import joined

    try:
        with joined(run) as coordinator:
            follow(coordinator, every if watch else None, as_json)
    except RunFailed as error:
        saved = saved_progress(run)
        if saved is None:
            raise
        if as_json:
            say_json(saved)
        else:
            say(saved_line(saved))
        if not as_json and not saved["finished"]:
            say(str(error), err=True)


def follow(coordinator: Any, every: float | None, as_json: bool) -> None:
    """Print the status once, or every `every` seconds until the run ends. Raises RunFailed if it can't be
    printed once because the coordinator is busy or has just ended."""
    import ray
    from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError

    from cluster.terminal.watcher import line, panel

    console = safe_console(soft_wrap=True)
    live = Live(console=console, transient=False) if sys.stdout.isatty() and not as_json else None
    if live:
        live.start()
    try:
        while True:
            try:
                found = ray.get(coordinator.status.remote(), timeout=ANSWER_S)
            except ActorUnavailableError:
                time.sleep(1.0)  # restarting
                continue
            except GetTimeoutError:
                silent = f"the coordinator has not answered for {ANSWER_S:g} s"
                if every is None:
                    raise RunFailed(f"{silent}; it may be reading a long seed file: try again") from None
                say(silent, err=True)
                continue
            except ActorDiedError:
                if every is None:
                    raise RunFailed("the coordinator has just ended") from None
                return
            if as_json:
                say_json({"live": True, **found})
            elif live:
                live.update(panel(found, hint=pool_sizes(found)), refresh=True)
            else:
                say(f"{line(found)} | {pool_sizes(found)}")
            if every is None:
                return
            time.sleep(every)
    finally:
        if live:
            live.stop()


def pool_sizes(found: dict[str, Any]) -> str:
    return "pools " + " ".join(
        f"{key.partition('.')[2]} {size['min']}" + (f":{size['max']}" if size["max"] > size["min"] else "")
        for key, size in found["pools"].items()
    )


def saved_progress(run: str) -> dict[str, Any] | None:
    """The saved progress of a run that is not running; None if `run` is no directory."""
    if not Path(run).is_dir():
        return None
    folder = RunDirectory(Path(run))
    check_whole(folder, deep=False)
    state = folder.state()
    if state is None or "progress" not in state:
        raise BadInput(f"RUN: {run} has no checkpoint yet and is not running here")
    manifest = read_manifest(folder.path)
    over = state.get("facts", {}).get("finished", False)
    return {
        "live": False,
        "finished": over and is_of_state(manifest, folder.path),
        "results_missing": over and manifest is None,
        "seconds": state["seconds"],
        **state["progress"],
    }


def saved_line(saved: dict[str, Any]) -> str:
    how = "finished" if saved["finished"] else "stopped"
    if saved["results_missing"]:
        how = "all seeds done, results not written (run the same command to write them)"
    return (
        f"{how} | seeds {saved['seeds']}/{saved['total_seeds']} | candidates {saved['drawn']} "
        f"accepted {saved['accepted']} rejected {saved['rejected']} failed {saved['failed']}"
    )
