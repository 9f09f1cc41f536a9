"""`staragents diagnose`: findings about a finished run, each with a setting to change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from cluster.terminal.console import safe_console
from cluster.terminal.terminal import say_json
from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput
from staragents.config import Config

if TYPE_CHECKING:
    from staragents.analysis.diagnosis import Diagnosis, Embed

PAIRS_SHOWN = 20


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--embedder", help="Cluster instructions by this embedding model instead of by their texts.")
@click.option(
    "--label", metavar="COLUMN", help="Use this column of the seed file as the kind of instruction."
)
@click.option("--json", "as_json", is_flag=True, help="Print findings and all numbers as JSON.")
def diagnose(run_dir: Path, embedder: str | None, label: str | None, as_json: bool) -> None:
    """Find weaknesses of a run, and the settings to change.

    Checks yield, early lock-in, reliability of the pair ranking, memory, both models' IFDs, the judge, cost,
    whether learning paid, and which pairs suit which kind of instruction (clusters). If an evaluation by pair
    (`--by-pair` of `evaluate`) lies beside the run, it says whether the reward predicted training. The
    result is also written to diagnosis.json and report.html of the run.

    \b
    Examples:
      staragents diagnose runs/demo
      staragents diagnose runs/mine --label category
    """
    from staragents.run_directory.run_directory import RunDirectory

    folder = RunDirectory(run_dir)
    folder.results()
    with folder.claimed():
        diagnosis, result = _written(SavedRun.open(run_dir), embedder, label)
    if as_json:
        say_json(result)
        return
    console = safe_console()
    if not diagnosis.findings:
        console.print("No problems found.")
    for finding in diagnosis.findings:
        console.print(Text(f"- {finding}"))
    console.print()
    for sentence in diagnosis.numbers["worth"]["said"]:
        console.print(Text(sentence))
    if diagnosis.numbers["worth"].get("kinds"):
        console.print(kind_table(diagnosis.numbers["worth"]["kinds"]))
    if diagnosis.numbers["domains"]:
        console.print(domain_table(diagnosis.numbers["domains"]))


def _written(run: SavedRun, embedder: str | None, label: str | None) -> tuple[Diagnosis, dict[str, Any]]:
    """Write diagnosis.json and report.html in one pass over the run, whose folder is held."""
    from staragents.analysis.diagnosis import Diagnosis, Evidence
    from staragents.analysis.kinds import text_vectors
    from staragents.analysis.one_pass import one_pass
    from staragents.evaluation.saved import reward_sentences
    from staragents.report.chart_data import ChartData
    from staragents.report.report import write_page
    from staragents.run.results import rewriting

    labels = labels_of(run.config, label) if label is not None else None
    funnel = run.summary["funnel"]
    evidence = Evidence(run.config, funnel["seeds"], funnel["finished"], run.drawn_pairs)
    charts = ChartData.of(run.config, funnel["seeds"], funnel["finished"], saved=run.drawn_pairs)
    one_pass(run.folder.seeds(), evidence, charts)
    embed = _embedder(embedder) if embedder is not None and label is None else text_vectors
    diagnosis = Diagnosis.of(run, evidence, charts.timeline.snapshots, embed, labels)
    diagnosis.numbers["worth"]["said"] += reward_sentences(run.folder.path)
    result = {"seeds": funnel["finished"], "findings": diagnosis.findings, **diagnosis.numbers}
    with rewriting(run.folder, "diagnosis.json", "report.html"):
        run.folder.write_json("diagnosis.json", result)
        write_page(replace(run, diagnosis=run.folder.diagnosis()), charts)
    return diagnosis, result


def _embedder(name: str) -> Embed:
    from actors.embedder import load_embedder

    return load_embedder(name).embed


def labels_of(config: Config, column: str) -> dict[int, str]:
    """Values of `column` by row of the seed file. Raises BadInput if no row has the column."""
    from staragents.analysis.kinds import OTHER
    from staragents.data.seed_file import SeedFile

    labels: dict[int, str] = {}
    for row, value in SeedFile(config.seeds).values(column):
        if isinstance(value, str | int):
            labels[row] = " ".join(str(value).split()) or OTHER
    if not labels:
        raise BadInput(f"--label: expected a column of {config.seeds.path}, got {column!r}")
    return labels


def kind_table(kinds: list[dict[str, Any]]) -> Table:
    """The best pair of each kind of instruction and what it earns beyond the best pair over all kinds."""
    table = Table(title="best pair by kind of instruction (95 % intervals)", title_justify="left")
    for column in ("kind", "seeds", "best in the first half", "vs the overall best, in the second half"):
        table.add_column(column, overflow="fold", justify="right" if column == "seeds" else "left")
    for kind in kinds:
        table.add_row(Text(kind["kind"]), str(kind["seeds"]), Text(kind["pair"]), _beyond(kind["beyond"]))
    return table


def _beyond(beyond: dict[str, float] | None) -> str:
    if beyond is None:
        return "drawn too rarely to tell"
    if not beyond["low"] and not beyond["high"]:
        return "it is the overall best"
    return f"{beyond['mean']:+.3f} ({beyond['low']:+.3f} to {beyond['high']:+.3f})"


def domain_table(domains: dict[str, Any]) -> Table:
    """Mean reward of each pair in each domain; * marks outliers."""
    table = Table(
        title="mean reward of each pair on each kind of instruction (* stands out)", title_justify="left"
    )
    table.add_column("pair", overflow="fold")
    for domain in domains["domains"]:
        table.add_column(Text(f"{domain['name']} ({domain['seeds']} seeds)"), justify="right")
    cells = {(cell["pair"], cell["domain"]): cell for cell in domains["cells"]}
    for pair in domains["pairs"][:PAIRS_SHOWN]:
        shown = [_shown(cells.get((pair, domain["name"]))) for domain in domains["domains"]]
        table.add_row(Text(pair), *shown)
    if (more := len(domains["pairs"]) - PAIRS_SHOWN) > 0:
        table.caption = f"{more} more pairs are in diagnosis.json"
    return table


def _shown(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "-"
    half = "" if cell["half_width_90"] is None else f" +- {cell['half_width_90']:.2f}"
    return f"{'*' if cell['stands_out'] else ''}{cell['reward']:.2f}{half}"
