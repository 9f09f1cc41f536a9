"""`staragents validate`: config and seeds, every problem at once, no model loaded."""

from __future__ import annotations

import json

import click

from staragents.config_loading import load_config


@click.command()
@click.argument("config", type=str)
@click.argument("overrides", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def validate(config: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check config and seeds and show what a run would do.

    \b
    Example:
      staragents validate configs/demo.yaml seeds.path=my.jsonl
    """
    from staragents.run_directory import RunDirectory
    from staragents.seeds.seed_file import SeedFile

    settings = load_config(config, overrides)
    scan = SeedFile(settings.seeds).scan()
    resumes = RunDirectory(settings.output.dir).check(settings)
    candidates = scan.seeds * (len(settings.agents.base_pairs) + settings.evolution.draws)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "seeds": scan.seeds,
                    "bad_rows": scan.bad_rows,
                    "duplicates": scan.duplicates,
                    "problems": scan.problems,
                    "pairs": settings.pairs,
                    "candidates": candidates,
                    "resumes": resumes,
                }
            )
        )
        return
    click.echo(
        f"{settings.seeds.path}: {scan.seeds} seeds, {scan.bad_rows} bad rows, {scan.duplicates} duplicates"
    )
    for problem in scan.problems:
        click.echo(f"  {problem}")
    click.echo(f"{len(settings.pairs)} pairs: {', '.join(settings.pairs)}")
    click.echo(f"{candidates} candidates to make, policy {settings.evolution.policy}")
    click.echo(f"output: {settings.output.dir}{' (resumes)' if resumes else ''}")
    click.echo("ok")
