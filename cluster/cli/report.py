"""`staragents report`: rewrite report and card of a run directory."""

from __future__ import annotations

from pathlib import Path

import click

from cluster.terminal.terminal import say, say_json

# Browsers limit an element to about 17 million pixels, so they would not show further rows.
MOST_ROWS = 250_000
# Browsers limit strings to about 500 million characters.
MOST_TEXT_MIB = 512


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--rows",
    type=click.IntRange(0, MOST_ROWS),
    default=100_000,
    show_default=True,
    help="Most candidates in the page's table; seeds are sampled if there are more.",
)
@click.option(
    "--text-mib",
    type=click.FloatRange(0, MOST_TEXT_MIB),
    default=64.0,
    show_default=True,
    help="Size limit for texts in the table; the page takes about half of it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of the report's path.")
def report(run_dir: Path, rows: int, text_mib: float, as_json: bool) -> None:
    """Rewrite report.html of a finished or stopped run.

    \b
    Examples:
      staragents report runs/demo
      staragents report runs/demo --rows 20000 --text-mib 8
    """
    from staragents.analysis.saved_run import SavedRun
    from staragents.report.dataset_card import write_card
    from staragents.report.report import write_report
    from staragents.run.results import rewriting
    from staragents.run_directory.run_directory import RunDirectory

    run = RunDirectory(run_dir)
    summary = run.results()
    with run.claimed(), rewriting(run, "report.html", "README.md"):
        saved = SavedRun.read(run_dir)
        path = write_report(saved, rows, text_mib)
        write_card(saved)
    if as_json:
        say_json(summary)
    else:
        say(str(path))
