"""`staragents explain`: why one seed got its result."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cluster.terminal.console import safe_console
from cluster.terminal.terminal import say_json
from staragents.analysis.explanation import Explanation
from staragents.analysis.recall_effect import Similar
from staragents.base.messages import Conversation, last_exchange
from staragents.base.records import Candidate
from staragents.report.number_format import DASH

PAIRS_SHOWN = 12
EXAMPLES = 3
MAX_INSTRUCTION = 70


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("wanted", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def explain(run_dir: Path, wanted: str, as_json: bool) -> None:
    """Explain the result of one seed.

    ID is a seed id or candidate id of the run, a prefix of one, or a row number of the seed file.

    \b
    Examples:
      staragents explain runs/demo 7
      staragents explain runs/demo 0d3f6f1a --json
    """
    explanation = Explanation.of(run_dir, wanted)
    if as_json:
        say_json(explanation.as_dict())
        return
    show(safe_console(), explanation)


def show(console: Console, explanation: Explanation) -> None:
    """Print it. Texts are shown literally, without markup or escape sequences."""
    first = explanation.candidates[0]
    console.print(_text(f"seed {first.seed_id}, row {first.seed_row}, number {explanation.number + 1}"))
    console.print(Panel(_conversation(first.seed_messages), title="seed", title_align="left"))
    console.print(_draw(explanation))
    for sentence in explanation.recall.sentences():
        console.print(_text(sentence))
    for similar in explanation.recall.nearest[:EXAMPLES]:
        console.print(_similar(similar))
    for candidate, why in zip(explanation.candidates, explanation.reasons, strict=True):
        style = "green" if candidate.selected else "dim"
        title = _text(f"{candidate.pair}{' (base pair)' if candidate.base else ''}")
        console.print(Panel(_candidate(candidate, why), title=title, title_align="left", border_style=style))
    console.print(_text(f"So {explanation.outcome}."))


def _draw(explanation: Explanation) -> Table:
    """Every pair with its probability, without and with what was recalled, and whether it was drawn."""
    table = Table(title=f"the draw, after {explanation.learnt_from} seeds", title_justify="left")
    columns = ["pair", "probability", "drawn"]
    without = {change.pair: change.without for change in explanation.recall.changes}
    if explanation.recall.outcomes:
        columns.insert(1, "without memory")
    for column in columns:
        table.add_column(column, justify="left" if column in ("pair", "drawn") else "right")
    drawn = {candidate.pair for candidate in explanation.candidates}
    ordered = sorted(explanation.probabilities.items(), key=lambda item: (item[0] not in drawn, -item[1]))
    shown = ordered[: max(PAIRS_SHOWN, len(drawn))]
    for pair, probability in shown:
        mark = "yes" if pair in drawn else ""
        before = [f"{without[pair]:.3f}"] if explanation.recall.outcomes else []
        table.add_row(_text(pair), *before, f"{probability:.3f}", mark)
    if len(ordered) > len(shown):
        rest = sum(probability for _, probability in ordered[len(shown) :])
        before = [""] if explanation.recall.outcomes else []
        table.add_row(f"{len(ordered) - len(shown)} more pairs", *before, f"{rest:.3f}", "")
    if not explanation.reproduced:
        table.caption = (
            "the logged propensities differ: another version or machine drew the pairs, or the agents changed"
        )
    return table


def _similar(similar: Similar) -> Text:
    """A remembered instruction with what its pairs earned."""
    earned = ", ".join(f"{one.pair} earned {one.reward:.2f}" for one in similar.outcomes)
    text = Text(f"  {similar.similarity:.2f}  ", overflow="fold")
    if similar.instruction is not None:
        text.append(f"{_shortened(similar.instruction)}: ", style="italic")
    return text.append(earned)


def _candidate(candidate: Candidate, why: str) -> Text:
    text = Text(overflow="fold")
    if candidate.messages:
        text.append(_exchange(candidate.messages))
    elif candidate.rejected_text:
        text.append(candidate.rejected_text)
    numbers = [
        f"propensity {candidate.propensity:.3f}",
        f"IFD target {_number(candidate.target_ifd)} (seed {_number(candidate.seed_target_ifd)})",
        f"larger {_number(candidate.larger_ifd)} (seed {_number(candidate.seed_larger_ifd)})",
        f"gap {_number(candidate.ifd_gap)}",
        f"judge w {_number(candidate.judge_win)} (first {_number(candidate.judge_win_first)}, "
        f"second {_number(candidate.judge_win_second)})",
        f"difficulty {_number(candidate.difficulty)}",
        f"reward {_number(candidate.reward)}",
    ]
    text.append("\n\n" + "; ".join(numbers), style="dim")
    if candidate.judge_reason:
        text.append(f"\nthe judge: {candidate.judge_reason}")
    text.append(f"\n{why}", style="bold")
    return text


def _conversation(messages: Conversation) -> Text:
    """The conversation, including the earlier turns that all candidates share."""
    text = Text(overflow="fold")
    for turn in messages[:-2]:
        text.append(f"{turn.role}: {turn.content}\n\n", style="dim")
    return text.append(_exchange(messages))


def _exchange(messages: Conversation) -> Text:
    text = Text(overflow="fold")
    instruction, response = last_exchange(messages)
    text.append(instruction, style="italic")
    text.append("\n\n")
    if reasoning := messages[-1].reasoning_content:
        text.append(f"reasoning: {reasoning}\n\n", style="dim")
    text.append(response)
    return text


def _text(text: str) -> Text:
    return Text(text, overflow="fold")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_INSTRUCTION else f"{line[: MAX_INSTRUCTION - 3]}..."


def _number(value: float | None) -> str:
    return DASH if value is None else f"{value:.3f}"
