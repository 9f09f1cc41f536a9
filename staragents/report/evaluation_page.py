"""An evaluation as one HTML page that opens offline."""

from __future__ import annotations

import html

from staragents.evaluation.arm_row import LOSS, SCORE, WINS
from staragents.evaluation.evaluation import Evaluation
from staragents.evaluation.pair_measures import MEASURES
from staragents.report.chart import (
    ACCENT,
    MUTED,
    PALETTE,
    Axis,
    Chart,
    figure,
    label,
    legend_height,
)
from staragents.report.interval_chart import error_bars, interval_chart, interval_points, vertical_line
from staragents.report.page import rendered

NATS = ".4f"
MAX_WRITERS = len(PALETTE)


def page_of(result: Evaluation) -> str:
    """The complete page."""
    drawn = charts(result)
    return rendered("evaluate.html.j2", drawn, result=result, charts=drawn)


def charts(result: Evaluation) -> list[Chart]:
    """Differences in loss from each reference, losses by writer, then what else was measured."""
    found = [_differences(result, one, number) for number, one in enumerate(result.references)]
    if len(result.held_out.writers) > 1:
        found.append(_writers(result))
    measured = dict.fromkeys((one.measure, one.of) for one in result.differences)
    for number, (measure, of) in enumerate(key for key in measured if key[0] in (WINS, SCORE)):
        found.append(_more(result, measure, of, number))
    if result.by_pair is not None:
        known = [
            name for name in MEASURES if any(getattr(one, name) is not None for one in result.by_pair.pairs)
        ]
        found += [_pairs(result, name) for name in known]
    return found


def _differences(result: Evaluation, reference: str, number: int) -> Chart:
    shown = [(one.arm, one.estimate) for one in result.compared(reference) if one.estimate is not None]
    note = (
        f"Loss on held-out answers after training, each arm minus {reference}: left of the line is better. "
        "Whiskers are 95 % intervals that hold for all arms at once; one that crosses the line may be chance."
    )
    title = f"Loss, difference from {reference}"
    return interval_chart(f"against-{number}", title, note, shown, f"+{NATS}", _hover("%{y}", f"+{NATS}"))


def _more(result: Evaluation, measure: str, of: str, number: int) -> Chart:
    reference = result.references[0]
    shown = [
        (one.arm, one.estimate) for one in result.compared(reference, measure, of) if one.estimate is not None
    ]
    what = "Wins over untrained" if measure == WINS else of
    note = (
        "Probability that the judge prefers a student's answer to the untrained student's"
        if measure == WINS
        else f"Score of the task {of}"
    )
    note += f", each arm minus {reference}: right of the line is better."
    title = f"{what}, difference from {reference}"
    shape = "+.1%" if measure == WINS else "+.3f"
    return interval_chart(f"more-{number}", title, note, shown, shape, _hover("%{y}", shape))


def _hover(what: str, shape: str) -> str:
    return f"{what}: %{{x:{shape}}} (%{{customdata[0]:{shape}}} to %{{customdata[1]:{shape}}})<extra></extra>"


def _writers(result: Evaluation) -> Chart:
    """Differences from the first reference on the answers of each writer, as one colour a writer."""
    reference = result.references[0]
    arms = [one.arm for one in result.compared(reference)]
    writers = result.held_out.writers[:MAX_WRITERS]
    traces = []
    for number, writer in enumerate(writers):
        found = [
            (one.arm, one.estimate)
            for one in result.compared(reference, LOSS, writer)
            if one.estimate is not None
        ]
        # Writers of one arm lie below each other.
        rows = [arms.index(arm) + (number - (len(writers) - 1) / 2) * 0.7 / len(writers) for arm, _ in found]
        traces.append(
            interval_points([one for _, one in found], rows, PALETTE[number])
            | {
                "name": label(writer),
                "text": [html.escape(arm) for arm, _ in found],
                "hovertemplate": f"%{{text}}, {label(writer)}: %{{x:+{NATS}}}<extra></extra>",
            }
        )
    ticks = {
        "tickmode": "array",
        "tickvals": list(range(len(arms))),
        "ticktext": [label(arm) for arm in arms],
    }
    rows_axis = {**ticks, "range": [len(arms) - 0.5, -0.5], "showgrid": False, "ticksuffix": " "}
    left_out = len(result.held_out.writers) - len(writers)
    more = f" {left_out} more writers are in the table." if left_out else ""
    return Chart(
        "writers",
        f"By writer, difference from {reference}",
        "The same differences on the answers of each reference writer. A gain on one writer only may be a "
        f"gain in style.{more}",
        figure(
            traces,
            Axis("", {"tickformat": f"+{NATS}", "nticks": 6}),
            Axis(more=rows_axis),
            shapes=[vertical_line(0)],
        )
        if arms
        else None,
        "Nothing to compare.",
        height=96 + max(34, 20 * len(writers)) * max(len(arms), 2) + legend_height(writers),
    )


def _pairs(result: Evaluation, measure: str) -> Chart:
    """A point per pair: its mean reward, IFD gap or w, and its student's gain over the seeds."""
    assert result.by_pair is not None
    correlation = result.by_pair.correlations.get(measure)
    shown = [
        (getattr(one, measure), one.gain, one.pair, one.candidates)
        for one in result.by_pair.pairs
        if getattr(one, measure) is not None and one.gain is not None
    ]
    name = MEASURES[measure]
    said = (
        "There are too few pairs for a correlation."
        if correlation is None
        else f"Rank correlation {correlation.mean:+.2f}, 95 % interval {correlation.low:+.2f} to "
        f"{correlation.high:+.2f}."
    )
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [x for x, *_ in shown],
        "y": [gain.mean for _, gain, *_ in shown],
        "error_y": error_bars([gain for _, gain, *_ in shown], MUTED),
        "marker": {"color": ACCENT, "size": 9},
        "text": [f"{html.escape(pair)}, {count} candidates" for *_, pair, count in shown],
        "hovertemplate": f"%{{text}}<br>{name} %{{x:.3f}}, gain %{{y:+{NATS}}}<extra></extra>",
    }
    return Chart(
        f"pairs-{measure}",
        f"Does {name} predict training?",
        f"Each point is a pair: mean {name} of its candidates, and how much lower the loss is after training "
        f"on them than on the seeds. {said}",
        figure([trace], Axis(f"mean {name}"), Axis("gain", {"tickformat": f"+{NATS}"}), showlegend=False)
        if shown
        else None,
        f"No pair has a {name}.",
    )
