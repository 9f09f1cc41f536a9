"""Chart of reward over draws, as one page that opens offline."""

from __future__ import annotations

import html
import json
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.replay.replay import Replayed
from staragents.report.chart import ACCENT, ALERT, MUTED, SECOND, Axis, figure
from staragents.text.printable import one_line


def write_chart(path: Path, result: Replayed) -> None:
    """Raises BadInput if the file can't be written."""
    from plotly.offline import get_plotlyjs  # only `replay --chart` needs it

    title = one_line(
        f"{result.policy} on {result.table}: {result.agents} agents, {result.instructions} instructions"
    )
    turns = result.passes * result.instructions
    steps = len(result.curve)
    x = [round((step * (turns - 1) / max(steps - 1, 1) + 1) * result.draws) for step in range(steps)]
    traces = [{"x": x, "y": result.curve, "name": result.policy, "mode": "lines", "line": {"color": ACCENT}}]
    for name, level, colour in (
        ("uniform", result.uniform, MUTED),
        ("best fixed agents", result.best_fixed, SECOND),
        ("best for each instruction", result.best_each, ALERT),
    ):
        line = {"color": colour, "dash": "dot"}
        traces.append({"x": [x[0], x[-1]], "y": [level] * 2, "name": name, "mode": "lines", "line": line})
    data = figure(
        traces, Axis("draws so far"), Axis("mean reward so far", {"rangemode": "tozero"}), height=460
    )
    # Escape every `<`: `</script>` would end the script, and `<!--` would keep it from ending.
    values = json.dumps(data).replace("<", "\\u003c")
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<body style="font-family:sans-serif;max-width:60rem;margin:2rem auto">'
        f'<h1 style="font-size:1.2rem">{html.escape(title)}</h1><div id="chart"></div>'
        f"<script>{get_plotlyjs()}</script><script>const figure = {values};"
        f'Plotly.newPlot("chart", figure.data, figure.layout, {{responsive: true}});</script></body></html>'
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"--chart: expected a writable file, got {path}: {error.strerror}") from error
