"""A finished run in a trainer's format: streamed, split and published at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from staragents.errors import BadInput, RunFailed
from staragents.export.samples import Samples
from staragents.export.split_file import SplitFile, check_output
from staragents.formats.format import CantCarry
from staragents.formats.known import FORMATS
from staragents.report.saved_run import SavedRun


@dataclass(slots=True)
class Exported:
    """What was written. `files` are paths and rows by split, train first."""

    format: str
    files: dict[str, tuple[Path, int]]
    skipped: int = 0
    filtered: int = 0
    fake: list[str] = field(default_factory=list)
    recipes: list[Path] = field(default_factory=list)

    @property
    def train(self) -> Path:
        return self.files["train"][0]

    @property
    def validation(self) -> Path | None:
        return self.files["validation"][0] if "validation" in self.files else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "files": {split: {"path": str(path), "rows": rows} for split, (path, rows) in self.files.items()},
            "skipped": self.skipped,
            "filtered": self.filtered,
            "fake": self.fake,
            "recipes": [str(path) for path in self.recipes],
        }


def export(
    run: SavedRun, format_name: str, output: Path, validation: float = 0.0, skip: bool = False
) -> Exported:
    """Write `output`, and beside it `*.validation.*` with this share of the seeds.

    `skip` leaves out, and counts, what the format has no place for. Raises BadInput, naming file:row:field,
    if there is such a row otherwise; RunFailed if nothing is left to write. Nothing is written then.
    """
    check_output(output)
    if output.resolve().parent == run.folder.path.resolve():
        raise BadInput(
            f"-o: expected a place beside the run's own files, such as {run.folder.path}/export, got {output}"
        )
    target = FORMATS[format_name]
    samples = Samples(run, format_name)
    skipped = 0
    with SplitFile(output, target.schema, validation) as file:
        for sampled in samples:
            try:
                row = target.to_row(sampled.sample)
            except CantCarry as problem:
                if not skip:
                    raise BadInput(
                        f"{sampled.place}:{problem}; --format messages carries it, --skip leaves such rows"
                        " out"
                    ) from problem
                skipped += 1
                continue
            file.add(sampled.seed_id, row)
        if not file.has_train:
            raise RunFailed(_nothing(format_name, skipped, samples.filtered))
        files = file.publish()
    return Exported(format_name, files, skipped, samples.filtered, list(run.summary["fake"]))


def _nothing(format_name: str, skipped: int, filtered: int) -> str:
    if filtered:
        return f"nothing to export: filters.* of the run drop {filtered} texts, and nothing is left"
    if skipped:
        return (
            f"nothing to export: {format_name} has no place for any of {skipped} rows; try --format messages"
        )
    if format_name == "dpo":
        return (
            "nothing to export: no verdict compares two answers to one instruction. Give the config a base "
            "pair that keeps the instruction, or take --format kto, which needs no pairs"
        )
    if format_name == "kto":
        return "nothing to export: the judge prefers no side of any verdict in both orders"
    return "nothing to export: no row for training in the dataset"
