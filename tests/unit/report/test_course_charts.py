"""Charts of reward over seeds and of what memory changed."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from staragents.base.estimate import Estimate
from staragents.comparison.comparison import Row
from staragents.report.chart import Chart
from staragents.report.chart_data import Window
from staragents.report.course_charts import courses_chart, memory_chart, reward_chart


def traces(chart: Chart) -> dict[str, dict]:
    assert chart.figure is not None
    go.Figure(chart.figure)  # raises on a property unknown to plotly
    return {trace["name"]: trace for trace in chart.figure["data"]}


def test_the_running_mean_weighs_windows_by_their_rewards() -> None:
    """Ten seeds with a reward for every second of their draws, and five without a failure."""
    chart = reward_chart(
        [Window(10, 0.0, 10, 0.2, 10), Window(20, 0.0, 10, None), Window(25, 0.0, 5, 0.5, 10)]
    )
    found = traces(chart)
    assert found["these seeds"]["y"] == [0.2, 0.5]
    assert found["so far"]["x"] == [10, 25]
    assert found["so far"]["y"] == pytest.approx([0.2, 0.35])
    assert reward_chart([Window(10, 0.0, 10, None)]).figure is None


def test_what_memory_changed_is_shown_after_a_diagnosis() -> None:
    found = traces(memory_chart({"course": [[8, 0.5, 0.01], [16, 0.25, 0.02]]}, enabled=True))
    assert [trace["y"] for trace in found.values()] == [[0.5, 0.25], [0.01, 0.02]]
    for diagnosis in (None, {"course": []}, {"lift": 0.1}):
        chart = memory_chart(diagnosis, enabled=True)
        assert chart.figure is None
        assert "staragents diagnose" in chart.missing
    assert "off" in memory_chart(None, enabled=False).missing


def test_each_variant_has_a_line() -> None:
    one = Estimate(0.5, 0.4, 0.6)
    fields = ("run", 9, 3, 0, 10, None, None, one, one, None, None)
    rows = [Row(name, {}, *fields, course) for name, course in (("<b>", [[1, 0.5], [9, 0.25]]), ("bare", []))]
    (line,) = traces(courses_chart(rows)).values()
    assert (line["name"], line["x"], line["y"]) == ("&lt;b&gt;", [1, 9], [0.5, 0.25])
    assert courses_chart(rows[1:]).figure is None
