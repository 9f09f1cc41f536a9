"""`staragents validate`: check config and seeds, report all problems, load no model."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from cluster.terminal.terminal import say, say_json
from staragents.base.messages import as_dicts

if TYPE_CHECKING:
    from staragents.base.records import Seed
    from staragents.data.seed_scan import SeedScan

SHOWN_CHARACTERS = 100
REASONS_SHOWN = 10


@click.command()
@click.argument("config", type=click.Path())
@click.argument("overrides", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def validate(config: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check config and seeds and show what a run would do.

    For the seeds, shows the row formats, the problems of bad rows, and a sample.

    \b
    Examples:
      staragents validate configs/demo.yaml seeds.path=my.jsonl
      staragents validate configs/demo.yaml seeds.path='data/*.parquet' seeds.columns.instruction=ask
    """
    from staragents.agents.agents import history_notes, model_notes
    from staragents.agents.kept_reasoning import reasoning_notes
    from staragents.data.seed_file import SeedFile
    from staragents.run_directory.continued import about_kept
    from staragents.run_directory.resume_check import check_resume
    from staragents.run_directory.run_directory import RunDirectory
    from staragents.validation.loading import load_config

    settings = load_config(config, overrides)
    scan = SeedFile(settings.seeds).scan()
    resumed = check_resume(RunDirectory(settings.output.dir), settings)
    if resumed is not None:
        settings = resumed.config
    candidates = scan.seeds * settings.candidates_per_seed
    if as_json:
        facts: dict[str, Any] = {
            "seeds": scan.seeds,
            "bad_rows": scan.bad_rows,
            "duplicates": scan.duplicates,
            "held_out": scan.held_out,
            "formats": scan.formats,
            "with_system": scan.with_system,
            "multi_turn": scan.multi_turn,
            "with_reasoning": scan.with_reasoning,
            "with_images": scan.with_images,
            "reasons": scan.reasons,
            "problems": scan.problems,
            "notes": scan.notes,
            "sample": [{"row": seed.row, "messages": as_dicts(seed.messages)} for seed in scan.sample],
            "pairs": settings.pairs,
            "candidates": candidates,
            "resumes": resumed is not None,
        }
        say_json(facts)
        return
    notes = history_notes(settings) if scan.with_system or scan.multi_turn else []
    notes += reasoning_notes(settings, scan.with_reasoning)
    for line in [*seed_lines(settings.seeds.path, scan), *notes, *model_notes(settings)]:
        say(line)
    say(f"{len(settings.pairs)} pairs: {', '.join(settings.pairs)}")
    say(f"{candidates} candidates to make, policy {settings.evolution.policy}")
    for line in about_kept(resumed.kept if resumed is not None else ()):
        say(line)
    say(f"output: {settings.output.dir}{' (resumes)' if resumed is not None else ''}")
    say(f"ok; next: {shlex.join(['staragents', 'preview', config, *overrides])}")


def seed_lines(path: str, scan: SeedScan) -> list[str]:
    """What was found in the seeds, one item per line."""
    held_out = f", {scan.held_out} more held out" if scan.held_out else ""
    lines = [f"{path}: {scan.seeds} seeds, {scan.bad_rows} bad rows, {scan.duplicates} duplicates{held_out}"]
    lines += [f"note: {note}" for note in scan.notes]
    lines.append(f"formats: {', '.join(f'{count} {name}' for name, count in scan.formats.items())}")
    if scan.with_system or scan.multi_turn:
        lines.append(f"{scan.multi_turn} with earlier turns, {scan.with_system} with a system prompt")
    if scan.with_reasoning:
        lines.append(f"{scan.with_reasoning} with reasoning before an answer")
    if scan.with_images:
        lines.append(
            f"{scan.with_images} with a placeholder for an image, video or audio, whose content no agent sees"
        )
    if len(scan.formats) > 1:
        lines.append("  rows of several formats; set seeds.format to use only one")
    if scan.bad_rows:
        lines.append("bad rows, which go to quarantine.parquet:")
        reasons = list(scan.reasons.items())
        lines += [f"  {count} x {reason}" for reason, count in reasons[:REASONS_SHOWN]]
        if (more := len(reasons) - REASONS_SHOWN) > 0:
            lines.append(f"  and {more} more reasons")
        lines.append("the first of each kind:")
        lines += [f"  {problem}" for problem in scan.problems]
    lines.append("the first seeds:")
    for seed in scan.sample:
        lines += sample_lines(seed)
    return lines


def sample_lines(seed: Seed) -> list[str]:
    before = f", after {len(seed.context)} messages" if seed.context else ""
    return [
        f"  row {seed.row}{before}",
        f"    instruction: {shortened(seed.instruction)}",
        f"    response:    {shortened(seed.response)}",
    ]


def shortened(text: str) -> str:
    """On one line, truncated."""
    text = " ".join(text[: 4 * SHOWN_CHARACTERS].split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
