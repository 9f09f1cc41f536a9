"""`staragents compare`: variants of a config with equal token budgets, in one table."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from cluster.cli.output_path import OutputPath
from cluster.terminal.console import for_table
from cluster.terminal.terminal import say_json
from staragents.base.errors import INTERRUPTED, BadInput
from staragents.base.estimate import Estimate
from staragents.comparison.comparison import Comparison
from staragents.comparison.variant import FULL, Variant, load_variants
from staragents.config import Config
from staragents.validation.loading import load_config
from staragents.validation.message_parts import shown


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1)
@click.option(
    "--ablation",
    "ablations",
    default="full,uniform,no-memory,target-only,dual-only,judge-only",
    show_default=True,
    help="Variants, by name or as your own .yaml files, separated by commas.",
)
@click.option("--tokens", type=click.IntRange(1), help="Budget of each variant; unset: what the first uses.")
@click.option("--judge", help="The common judge, a model in the config; unset: judge.model.")
@click.option("-o", "--output", type=OutputPath(), help="Folder; unset: output.dir + '-compare'.")
@click.option("--json", "as_json", is_flag=True, help="Print compare.json; progress goes to standard error.")
def compare(
    config: str,
    overrides: tuple[str, ...],
    ablations: str,
    tokens: int | None,
    judge: str | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Does it help? Compare variants of a config on the same seeds.

    A variant is CONFIG merged with a file of configs/ablations or your own .yaml. It may change any setting
    except seeds, models and scoring, which all variants share. Identical requests are generated once.

    \b
      full         CONFIG unchanged; the reference, if included (otherwise the first variant)
      uniform      no evolution: pairs are drawn uniformly, no memory
      random       uniform, and any candidate is chosen (diversity only)
      no-memory    evolution without the memory bank
      target-only  difficulty for the target model only, without the larger model
      dual-only    difficulty; the verdict does not count
      judge-only   the judge without difficulty
      ifd-only     the target's IFD alone: no larger model, evolution or memory; the verdict does not count
      cost-aware   the policy learns reward per token
      paper        the rules of the paper (needs base pairs)
      default      our defaults instead of CONFIG's settings

    One judge compares each variant's rows with the seeds. A seed that is kept, or not reached within the
    budget, is a tie (0.5). +- is half a 95 % interval; differences are paired by seed. Budgets are exact to
    about one seed. The folder gets a run directory per variant, compare.json and compare.html. Run the same
    command to resume.

    \b
    Examples:
      staragents compare configs/fake.yaml
      staragents compare configs/demo.yaml seeds.limit=8 --ablation full,uniform,paper
      staragents compare my.yaml --ablation full,mine.yaml --tokens 500000 --judge big -o runs/versus
    """
    settings = load_config(config, overrides)
    measuring = _common_judge(settings, judge)
    folder = output or Path(f"{settings.output.dir}-compare")
    variants = _variants(config, overrides, ablations, folder)
    return _compared(settings, variants, tokens, measuring, folder, as_json)


def _compared(
    settings: Config, variants: list[Variant], tokens: int | None, judge: str, folder: Path, as_json: bool
) -> int:
    """Run the variants and print the table; returns the exit code."""
    from cluster.driver.compare import Comparing, Interrupted
    from cluster.terminal.console import make_console
    from cluster.terminal.long_work import begin_long_work
    from cluster.terminal.watcher import Watcher

    console = make_console(to_stderr=as_json)
    begin_long_work()
    reference = FULL if FULL in [one.name for one in variants] else variants[0].name
    budget = tokens or settings.run.max_tokens
    comparing = Comparing(settings, variants, reference, budget, judge, folder, Watcher(console))
    try:
        result = comparing.run()
    except Interrupted:
        console.print("stopped before the end; run the same command to resume", style="yellow")
        return INTERRUPTED
    if as_json:
        say_json(result.as_dict())
    else:
        show(console, result, folder)
    return 0


def _common_judge(settings: Config, judge: str | None) -> str:
    measuring = judge or settings.judge.model
    if measuring not in settings.models:
        raise BadInput(f"--judge: expected one of {', '.join(settings.models)}, got {shown(measuring)}")
    return measuring


def _variants(config: str, overrides: tuple[str, ...], ablations: str, folder: Path) -> list[Variant]:
    names = [name.strip() for name in ablations.split(",") if name.strip()]
    variants = load_variants(config, overrides, names, folder)
    if len(variants) < 2:
        raise BadInput(f"--ablation: expected at least two variants, got {shown(ablations)}")
    return variants


def show(console: Console, result: Comparison, folder: Path) -> None:
    """Print the table, warnings and paths of the files."""
    console.print(
        f"{result.seeds} seeds, at most {result.budget_tokens:,} tokens per variant; judged by "
        f"{result.judge} ({result.judge_model}); {result.generations_made:,} generations made, used "
        f"{result.generations_used:,} times",
        markup=False,
        highlight=False,
    )
    table = Table(box=None, pad_edge=False)
    versus = f"vs {result.reference}"
    columns = ("variant", "judge", versus, "improved", versus, "target IFD", versus, "seeds", "tokens")
    for heading in columns:
        table.add_column(heading, justify="left" if heading == "variant" else "right")
    for row in result.rows:
        against = row.against or {}
        table.add_row(
            row.name,
            _estimate(row.win),
            _estimate(against.get("win"), "+"),
            _estimate(row.improved),
            _estimate(against.get("improved"), "+"),
            _estimate(row.target_ifd),
            _estimate(against.get("target_ifd"), "+"),
            str(row.seeds_reached),
            f"{row.tokens:,}",
        )
    for_table(console).print(table, highlight=False)
    for warning in result.warnings:
        console.print(f"note: {warning}", style="yellow", markup=False, highlight=False)
    if result.fake:
        fake = ", ".join(result.fake)
        console.print(f"fake engines: {fake}; their results say nothing about the variants")
    for name in ("compare.html", "compare.json"):
        console.print(str(folder / name), markup=False, highlight=False)


def _estimate(one: Estimate | None, sign: str = "") -> str:
    if one is None:
        return "-"
    return f"{one.mean:{sign}.3f} +- {one.half_width:.3f}"
