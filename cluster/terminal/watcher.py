"""The progress of a run: a live view on a terminal, otherwise one line every 30 s."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cluster.terminal.stop_signals import draining
from staragents.config.prices import amount
from staragents.data.seed_scan import SeedScan
from staragents.text.clock import clock

LINE_EVERY_S = 30.0
PANEL_EVERY_S = 1.0
TOP_PAIRS = 8


class Watcher:
    """Follows a coordinator and shows its status. The first Ctrl-C drains the run, the second stops it."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self.console = console
        self.quiet = quiet
        self.draining = False
        self._told = False

    def say(self, line: str) -> None:
        if not self.quiet:
            self.console.print(f"{time.strftime('%H:%M:%S')} {line}", highlight=False, markup=False)

    def seeds(self, scan: SeedScan, done: int) -> None:
        resumed = f", {done} already done" if done else ""
        spoilt = f", {scan.bad_rows} bad rows go to quarantine" if scan.bad_rows else ""
        doubled = f", {scan.duplicates} duplicates dropped" if scan.duplicates else ""
        held = f", {scan.held_out} more held out" if scan.held_out else ""
        for note in scan.notes:
            self.say(f"note: {note}")
        self.say(f"{scan.seeds} seeds{resumed}{held}{spoilt}{doubled}")

    def follow(self, coordinator: Any, running: Any) -> dict[str, Any]:
        """Block until `running` ends; returns its value or raises its error."""
        with draining(self._drain, self.draining):
            if self.console.is_terminal and not self.quiet:
                with Live(console=self.console, refresh_per_second=4, transient=True) as live:
                    return self._wait(coordinator, running, PANEL_EVERY_S, lambda s: live.update(panel(s)))
            return self._wait(coordinator, running, LINE_EVERY_S, lambda s: self.say(line(s)))

    def _drain(self) -> None:
        """Only sets a flag: a signal handler may interrupt Ray, or a line that is being printed."""
        self.draining = True

    def _wait(self, coordinator: Any, running: Any, every_s: float, show: Any) -> dict[str, Any]:
        shown = time.monotonic()
        while True:
            done, _ = ray.wait([running], timeout=min(every_s, 0.5))
            if done:
                return ray.get(running)
            if self.draining and not self._told:
                self._told = True
                coordinator.drain.remote()
                self.say("stopping: finishing and saving the seeds in flight; Ctrl-C again stops immediately")
            if time.monotonic() - shown < every_s:
                continue
            shown = time.monotonic()
            try:
                show(ray.get(coordinator.status.remote(), timeout=5))
            except (GetTimeoutError, RayActorError):
                continue  # busy or restarting; the run itself reports errors


def line(status: dict[str, Any]) -> str:
    """The status in one line, for logs."""
    rate = sum(status["tokens_per_s"].values())
    stopping = " | stopping" if status["draining"] else ""
    unreadable = f" ({status['unreadable']} unreadable)" if status.get("unreadable") else ""
    return (
        f"seeds {status['seeds']}/{status['total_seeds']} | candidates {status['drawn']} "
        f"generated {status['generated']} scored {status['scored']} judged {status['judged']}{unreadable} "
        f"accepted {status['accepted']} rejected {status['rejected']} failed {status['failed']} | "
        f"{rate:.0f} tok/s | {spent(status['ledger'])} | ETA {eta(status)}{stopping}"
    )


def spent(ledger: dict[str, Any]) -> str:
    """Tokens and cost of the committed seeds, including earlier sessions of the run."""
    models = ledger["models"].values()
    read, written = (sum(model[key] for model in models) for key in ("tokens_in", "tokens_out"))
    thought = sum(model.get("reasoning_tokens", 0) for model in models)
    found = [f"{read:,} tokens in, {written:,} out{f' ({thought:,} of them reasoning)' if thought else ''}"]
    if ledger["gpu_hours"]:
        found.append(f"{ledger['gpu_hours']:.2f} GPU-hours")
    if ledger["money"] is not None:
        of = f" of {amount(ledger['budget'])}" if ledger["budget"] is not None else ""
        found.append(f"{amount(ledger['money'])}{of} {ledger['currency']}")
    return ", ".join(found)


def eta(status: dict[str, Any]) -> str:
    """At the rate of the last minutes; if no seed was committed in them, at the average of the whole run."""
    done, total = status["seeds"], status["total_seeds"]
    rate = status["seeds_per_s"] or done / max(1.0, status["seconds"])
    if not rate:
        return "..."
    return clock(int((total - done) / rate))


def panel(status: dict[str, Any], hint: str = "Ctrl-C saves and stops") -> Panel:
    """The live view: counters, models, and the best pairs with 90 % intervals."""
    counts = ("drawn", "generated", "scored", "judged", "accepted", "rejected", "failed")
    funnel = Table(*counts, box=None, pad_edge=False)
    funnel.add_row(*(f"{status[count]:,}" for count in counts))
    models = Table(
        "model", "running", "tokens in", "tokens out", "tok/s", "retries", box=None, pad_edge=False
    )
    for name, model in status["models"].items():
        models.add_row(
            name,
            str(model["running"]),
            f"{model['tokens_in']:,}",
            f"{model['tokens_out']:,}",
            f"{status['tokens_per_s'][name]:.0f}",
            str(model["retries"]),
        )
    pairs = Table("pair", "next draw", "reward", "90 %", "seen", box=None, pad_edge=False)
    for standing in sorted(status["standings"], key=lambda s: -s["mean_reward"])[:TOP_PAIRS]:
        pairs.add_row(
            standing["pair"],
            f"{standing['probability']:.2f}",
            f"{standing['mean_reward']:.2f}",
            f"{standing['low']:.2f}-{standing['high']:.2f}",
            str(standing["observations"]),
        )
    bar = ProgressBar(total=max(1, status["total_seeds"]), completed=status["seeds"], width=50)
    title = "stopping" if status["draining"] else "staragents"
    done = f"{status['seeds']}/{status['total_seeds']} seeds, {status['in_work']} in flight"
    subtitle = f"{done}, ETA {eta(status)}; {hint}"
    ledger = Text(f"so far {spent(status['ledger'])}", style="dim")
    parts = Group(bar, "", funnel, "", models, ledger, "", pairs)
    return Panel(parts, title=title, subtitle=subtitle, expand=False)
