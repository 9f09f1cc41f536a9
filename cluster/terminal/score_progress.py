"""The progress of a score command, on standard error: a bar on a terminal, otherwise a line every 30 s."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from actors.recent_rates import RecentRates
from cluster.terminal.console import safe_console
from staragents.text.clock import clock

LINE_EVERY_S = 30.0


class ScoreProgress:
    """Rate and remaining time are those of the last minutes."""

    def __init__(self) -> None:
        # This stream, also while `-v` puts another in its place (`copied_output`).
        self.console = safe_console(file=sys.stderr, soft_wrap=True)
        self._rows = self._done = 0
        self._rates = RecentRates()
        self._shown = time.monotonic()
        self._bar = Progress(
            TextColumn("scoring"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self.console,
        )

    def __enter__(self) -> ScoreProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)

    def begin(self, rows: int, done: int) -> None:
        self._rows, self._done = rows, done
        self._shown = time.monotonic()
        self._rates.observe(self._shown, {"rows": done})
        if done:
            self.say(f"{done:,} of {rows:,} rows are already scored; resuming")
        if self.console.is_terminal:
            self._bar.start()
            self._task = self._bar.add_task("", total=rows, completed=done, rate="")
        else:
            self.say(f"{rows - done:,} rows to score")

    def advance(self, rows: int) -> None:
        self._done += rows
        rate = self._rates.observe(time.monotonic(), {"rows": self._done})["rows"]
        if self.console.is_terminal:
            self._bar.update(self._task, completed=self._done, rate=f"{rate:,.1f} rows/s")
        elif time.monotonic() - self._shown >= LINE_EVERY_S or self._done == self._rows:
            self._shown = time.monotonic()
            left = int((self._rows - self._done) / max(1e-9, rate))
            self.say(
                f"{time.strftime('%H:%M:%S')} {self._done:,}/{self._rows:,} rows | {rate:,.1f} rows/s | "
                f"ETA {clock(left)}"
            )
