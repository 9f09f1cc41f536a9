"""Rich consoles for untrusted text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment

from staragents.text.printable import printable

LOG_WIDTH = 150
LEAST_WIDTH = 60


def safe_console(**options: Any) -> Console:
    """Shows strings literally: `[red]`, `:boom:` and escape sequences have no effect."""
    console = Console(markup=False, emoji=False, **options)
    # In a narrower one, rich cuts off words, and shows nothing at all in one of no width.
    if console.width < LEAST_WIDTH:
        console.width = LEAST_WIDTH
    console.push_render_hook(_Printable())
    return console


def make_console(to_stderr: bool) -> Console:
    """A console on standard error if standard output carries JSON."""
    return safe_console(file=sys.stderr if to_stderr else sys.stdout, soft_wrap=True)


def for_table(console: Console) -> Console:
    """The console, or one of fixed width on the same file: a file has no width, and logs and grep need a line
    for each row."""
    return console if console.is_terminal else safe_console(file=console.file, width=LOG_WIDTH)


class _Printable(RenderHook):
    """Filters the rendered segments, so that every text in a table or panel is covered."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Shown(renderable) for renderable in renderables]


@dataclass(frozen=True, slots=True)
class _Shown:
    renderable: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for text, style, control in console.render(self.renderable, options):
            yield Segment(text if control else printable(text), style, control)
