"""Charts of reward over draws, one per table, as one page that opens offline."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.files.atomic_file import write_text
from staragents.replay.replay import Replayed
from staragents.report.chart import ACCENT, ALERT, MUTED, PALETTE, SECOND, Axis, figure
from staragents.text.printable import one_line


def write_chart(path: Path, results: Sequence[Replayed]) -> None:
    """Raises BadInput if the file can't be written."""
    from plotly.offline import get_plotlyjs

    by_table = [list(of_table) for _, of_table in groupby(results, key=lambda one: (one.table, one.bounds))]
    titles = [
        one_line(f"{one.table}: {one.agents} agents, {one.instructions} instructions") for one, *_ in by_table
    ]
    # Escape every `<`: `</script>` would end the script, and `<!--` would keep it from ending.
    figures = json.dumps([_figure(of_table) for of_table in by_table]).replace("<", "\\u003c")
    places = "".join(
        f'<h1 style="font-size:1.2rem">{html.escape(title)}</h1><div id="chart{number}"></div>'
        for number, title in enumerate(titles)
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Reward over draws</title>'
        f'<body style="font-family:sans-serif;max-width:60rem;margin:2rem auto">{places}'
        f"<script>{get_plotlyjs()}</script><script>const figures = {figures};"
        "figures.forEach((figure, number) => "
        'Plotly.newPlot("chart" + number, figure.data, figure.layout, {responsive: true}));'
        "</script></body></html>"
    )
    try:
        write_text(path, page)
    except OSError as error:
        raise BadInput(f"--chart: expected a writable file, got {path}: {error.strerror}") from error


def _figure(results: list[Replayed]) -> dict[str, Any]:
    one = results[0]
    turns, steps = one.passes * one.instructions, len(one.curve)
    x = [round((step * (turns - 1) / max(steps - 1, 1) + 1) * one.draws) for step in range(steps)]
    colours = (ACCENT, *PALETTE[2:])
    traces = [
        {
            "x": x,
            "y": result.curve,
            "name": result.policy,
            "mode": "lines",
            "line": {"color": colours[number % len(colours)]},
        }
        for number, result in enumerate(results)
    ]
    for name, level, colour in (
        ("uniform", one.bounds.uniform, MUTED),
        ("best fixed agents", one.bounds.fixed, SECOND),
        ("best for each instruction", one.bounds.each, ALERT),
    ):
        line = {"color": colour, "dash": "dot"}
        traces.append({"x": [x[0], x[-1]], "y": [level] * 2, "name": name, "mode": "lines", "line": line})
    return figure(
        traces, Axis("draws so far"), Axis("mean reward so far", {"rangemode": "tozero"}), height=460
    )
