"""`staragents report`: write report and card of a run directory again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from staragents.errors import BadInput


@click.command()
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of the report's place.")
def report(run_dir: Path, as_json: bool) -> None:
    """Write report.html of a finished or stopped run again.

    \b
    Example:
      staragents report runs/demo
    """
    from staragents.dataset_card import write_card
    from staragents.report.report import write_report
    from staragents.run_directory import RunDirectory

    summary = RunDirectory(run_dir).summary()
    if summary is None:
        raise BadInput(
            f"{run_dir}: no summary.json; expected the directory of a run that ended or was stopped"
        )
    path = write_report(run_dir)
    write_card(run_dir)
    click.echo(json.dumps(summary, ensure_ascii=False) if as_json else str(path))
