"""Terminals and logs receive text and no control sequences."""

from __future__ import annotations

import io
import sys

import pytest
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from cluster.terminal.console import safe_console
from cluster.terminal.copied_output import copied_output
from cluster.terminal.terminal import say, say_json

HOSTILE = "[red]x[/] :boom: \x1b[2J\x9b31m\x07\u202eevil"
SHOWN = "[red]x[/] :boom: ␛[2J\ufffd31m"


def obeyed(text: str) -> list[str]:
    return [one for one in text if one in "\x1b\x9b\x07\u202e"]


def test_a_console_shows_strings_literally_wherever_they_occur() -> None:
    console = safe_console(file=io.StringIO(), width=80)
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)

    console.print(HOSTILE)
    console.print(Panel(table, title="rows"))

    assert console.file.getvalue().count(SHOWN) >= 3  # type: ignore[attr-defined]
    assert obeyed(console.file.getvalue()) == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("columns", ["0", "1", "10"])
def test_a_narrow_terminal_cuts_off_no_words(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    table = Table(box=None)
    table.add_row("generated", "12", "candidates")
    output = io.StringIO()
    safe_console(file=output).print(table)
    assert output.getvalue().split() == ["generated", "12", "candidates"]


def test_colours_and_live_displays_still_work() -> None:
    console = safe_console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")

    console.print("warning", style="yellow")
    with Live("working", console=console, auto_refresh=False) as live:
        live.update("done", refresh=True)

    assert "\x1b[33mwarning\x1b[0m" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "done" in console.file.getvalue()  # type: ignore[attr-defined]


def test_lines_and_json_contain_no_terminal_controls(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    say_json({"text": HOSTILE})

    assert capsys.readouterr().out.splitlines() == [
        f"{SHOWN}␇\ufffdevil",
        '{"text": "[red]x[/] :boom: \\u001b[2J\\u009b31m\\u0007\\u202eevil"}',
    ]


def test_output_copied_from_actors_is_printable_and_on_one_stream() -> None:
    stream = io.StringIO()

    with copied_output(stream):
        print(f"\x1b[36m(Scorer pid=1)\x1b[0m {HOSTILE}")
        print("a warning", file=sys.stderr)

    assert stream.getvalue().splitlines() == [f"(Scorer pid=1) {SHOWN}␇\ufffdevil", "a warning"]
