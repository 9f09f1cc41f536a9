"""Charts of the findings of `staragents diagnose`."""

from __future__ import annotations

import html
from typing import Any

from staragents.report.chart import (
    ACCENT,
    ALERT,
    SHARE_AXIS,
    Axis,
    Chart,
    bar_height,
    figure,
    label,
    names_axis,
    seeds_axis,
)


def entropy_chart(entropy: list[list[float]]) -> Chart:
    """(seeds, normalised entropy of the next draw) points."""
    return Chart(
        name="entropy",
        title="How certain the policy is",
        note="Entropy of the next draw relative to a uniform draw, by seeds done: at 1 all pairs are equally "
        "likely, at 0 the same pair is always drawn. A fall to 0 within the first seeds is an early lock-in.",
        figure=figure(
            [
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": [seeds for seeds, _ in entropy],
                    "y": [value for _, value in entropy],
                    "line": {"color": ACCENT},
                    "hovertemplate": "%{x:,} seeds: %{y:.2f}<extra></extra>",
                }
            ],
            seeds_axis(int(entropy[-1][0])),
            Axis(more=SHARE_AXIS),
        )
        if len(entropy) > 1
        else None,
        missing="Fewer than two pairs can be drawn, or no seed was finished.",
    )


def domains_chart(domains: dict[str, Any] | None) -> Chart:
    """Mean reward by pair and domain, as a heat map with the number of candidates in the hover text."""
    cells = {(cell["pair"], cell["domain"]): cell for cell in domains["cells"]} if domains else {}
    names = [domain["name"] for domain in domains["domains"]] if domains else []
    pairs = domains["pairs"] if domains else []
    grid = [[cells.get((pair, name)) for name in names] for pair in pairs]
    marks = [
        {
            "x": names.index(cell["domain"]),
            "y": html.escape(cell["pair"]),
            "text": "*",
            "showarrow": False,
            "font": {"size": 20, "color": ALERT},
        }
        for cell in cells.values()
        if cell["stands_out"]
    ]
    return Chart(
        name="domains",
        title="Which pairs work for which kind of instruction",
        note=f"Mean reward of each pair on {_source(domains)}. "
        "Star: better than pair and domain predict (t-test, Holm correction, 5 %). Empty: never drawn there.",
        figure=figure(
            [
                {
                    "type": "heatmap",
                    "x": list(range(len(names))),
                    "y": [html.escape(pair) for pair in pairs],
                    "z": [[None if cell is None else cell["reward"] for cell in row] for row in grid],
                    "text": [[_hover(cell) for cell in row] for row in grid],
                    "hovertemplate": "%{text}<extra></extra>",
                    "colorscale": "Viridis",
                    "xgap": 2,
                    "ygap": 2,
                }
            ],
            Axis(
                more={
                    "tickmode": "array",
                    "tickvals": list(range(len(names))),
                    "ticktext": [label(name) for name in names],
                    "showgrid": False,
                }
            ),
            names_axis(pairs),
            annotations=marks,
        )
        if cells
        else None,
        missing="Run `staragents diagnose` on this run.",
        height=bar_height(len(pairs)) + 60,
    )


def _source(domains: dict[str, Any] | None) -> str:
    """Where the kinds are from, by the findings of this or an earlier version."""
    if domains is not None and domains.get("labelled"):
        return "the kinds of instructions that a column of the seeds names (rare ones are in other)"
    return "clusters of similar instructions, named by their typical words"


def _hover(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return ""
    half = "" if cell["half_width_90"] is None else f" +- {cell['half_width_90']:.3f}"
    where = f"{html.escape(cell['pair'])}<br>{html.escape(cell['domain'])}"
    return f"{where}<br>{cell['reward']:.3f}{half}, {cell['candidates']} candidates"
