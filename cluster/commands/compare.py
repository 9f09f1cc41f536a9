"""`staragents compare`: variants of a config at equal token budget, in one table."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from cluster.console import safe_console
from cluster.terminal import say_json
from staragents.comparison.comparison import Comparison, Estimate
from staragents.comparison.variant import FULL, load_variants
from staragents.config.loading import load_config
from staragents.config.merging import shown
from staragents.errors import INTERRUPTED, BadInput

LOG_WIDTH = 150


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1)
@click.option(
    "--ablation",
    "ablations",
    default="full,uniform,no-memory,target-only,dual-only,judge-only",
    show_default=True,
    help="Which variants, by name or as your own .yaml files, separated by commas.",
)
@click.option("--tokens", type=click.IntRange(1), help="Budget of each variant; unset: what the first takes.")
@click.option("--judge", help="The model of the config that measures all variants; unset: judge.model.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder; unset: output.dir + '-compare'."
)
@click.option("--json", "as_json", is_flag=True, help="Print compare.json, progress to standard error.")
def compare(
    config: str,
    overrides: tuple[str, ...],
    ablations: str,
    tokens: int | None,
    judge: str | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Does it help? Variants of a config, same seeds, equal tokens.

    A variant is CONFIG with a file of configs/ablations laid over it (or a .yaml of yours). It may change any
    setting but seeds, models and scoring, which all share; what two variants ask alike is generated once.

    \b
      full         CONFIG as it is; differences are to it, or to the first variant
      uniform      no evolution: pairs are drawn alike, no memory
      random       uniform, and any candidate is taken (diversity only)
      no-memory    evolution without the memory bank
      target-only  difficulty for the target model, whatever the larger one says
      dual-only    difficulty without the judge
      judge-only   the judge without difficulty
      ifd-only     the target's IFD: no judge, larger model, evolution or memory
      cost-aware   the policy learns reward per token
      paper        the rules of the paper (needs base pairs)
      default      our defaults, whatever CONFIG has

    One judge compares each variant's rows with the seeds; a seed that is kept, or was not reached within the
    budget, is a tie (0.5). +- is half a 95 % interval; differences are paired by seed. A budget is kept to
    about one seed. The folder gets a run directory a variant, compare.json and compare.html; the same command
    resumes.

    \b
    Examples:
      staragents compare configs/fake.yaml
      staragents compare configs/demo.yaml seeds.limit=8 --ablation full,uniform,paper
      staragents compare my.yaml --ablation full,mine.yaml --tokens 500000 --judge big -o runs/versus
    """
    settings = load_config(config, overrides)
    measuring = judge or settings.judge.model
    if measuring not in settings.models:
        raise BadInput(f"--judge: expected one of {', '.join(settings.models)}, got {shown(measuring)}")
    folder = output or Path(f"{settings.output.dir}-compare")
    names = [name.strip() for name in ablations.split(",") if name.strip()]
    variants = load_variants(config, overrides, names, folder)
    if len(variants) < 2:
        raise BadInput(f"--ablation: expected at least two variants, got {shown(ablations)}")
    reference = FULL if FULL in [one.name for one in variants] else variants[0].name

    from cluster.compare import Comparing, Interrupted
    from cluster.long_work import begin_long_work
    from cluster.panel import Watcher, make_console

    console = make_console(to_stderr=as_json)
    begin_long_work()
    budget = tokens or settings.run.max_tokens
    comparing = Comparing(settings, variants, reference, budget, measuring, folder, Watcher(console))
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


def show(console: Console, result: Comparison, folder: Path) -> None:
    """The table, what to mind, and where the rest lies."""
    console.print(
        f"{result.seeds} seeds, at most {result.budget_tokens:,} tokens a variant; measured by "
        f"{result.judge} ({result.judge_model}); {result.generations_made:,} generations made, used "
        f"{result.generations_used:,} times",
        markup=False,
        highlight=False,
    )
    table = Table(box=None, pad_edge=False)
    less = f"less {result.reference}"
    for heading in ("variant", "judge", less, "improved", less, "target IFD", less, "seeds", "tokens"):
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
    # What is no terminal has no width of its own: a line a variant, for logs and grep.
    wide = console if console.is_terminal else safe_console(file=console.file, width=LOG_WIDTH)
    wide.print(table, highlight=False)
    for warning in result.warnings:
        console.print(f"note: {warning}", style="yellow", markup=False, highlight=False)
    if result.fake:
        fake = ", ".join(result.fake)
        console.print(f"fake engines: {fake}; what rests on them says nothing about the variants")
    for name in ("compare.html", "compare.json"):
        console.print(str(folder / name), markup=False, highlight=False)


def _estimate(one: Estimate | None, sign: str = "") -> str:
    if one is None:
        return "-"
    return f"{one.mean:{sign}.3f} +- {(one.high - one.low) / 2:.3f}"
