"""Streams a finished run into a trainer's format, split into files that are published together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from staragents.analysis.saved_run import SavedRun
from staragents.base.candidate_schema import without_reasoning
from staragents.base.errors import BadInput, RunFailed
from staragents.data.formats.format import CantCarry, has_reasoning
from staragents.data.formats.known import FORMATS
from staragents.export.earlier_export import EarlierExport
from staragents.export.samples import Samples
from staragents.export.split_file import SPLITS, SplitFile, check_output, split_path


@dataclass(slots=True)
class Exported:
    """The result of an export. `files` maps each split to path and rows, train first.

    Of the rows, `reasoning` have reasoning in a field of its own, and `reasoning_dropped` lost theirs, as the
    format has no such field. `removed` are files of an earlier export to the same name that this one lacks,
    `kept` those of other splits that no export of ours wrote, `edited` training configs that the user has
    changed, which stay.
    """

    format: str
    files: dict[str, tuple[Path, int]]
    skipped: int = 0
    filtered: int = 0
    reasoning: int = 0
    reasoning_dropped: int = 0
    fake: list[str] = field(default_factory=list)
    recipes: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    edited: list[Path] = field(default_factory=list)

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
            "reasoning": self.reasoning,
            "reasoning_dropped": self.reasoning_dropped,
            "fake": self.fake,
            "recipes": [str(path) for path in self.recipes],
            "removed": [str(path) for path in self.removed],
            "kept": [str(path) for path in self.kept],
            "edited": [str(path) for path in self.edited],
        }


def export(
    run: SavedRun, format_name: str, output: Path, validation: float = 0.0, skip: bool = False
) -> Exported:
    """Write `output` and, next to it, `*.validation.*` with the fraction `validation` of the seeds.

    `skip` omits and counts rows that the format can't represent. Otherwise such a row raises BadInput with
    file:row:field. Raises RunFailed if there is nothing to write. No file is written on an error.
    """
    check_output(output)
    if output.resolve().parent == run.folder.path.resolve():
        raise BadInput(
            f"-o: expected a folder other than the run's own, such as {run.folder.path}/export, got {output}"
        )
    target = FORMATS[format_name]
    samples = Samples(run, format_name)
    skipped = reasoning = dropped = 0
    schema = target.schema if samples.has_reasoning else without_reasoning(target.schema)
    with SplitFile(output, schema, validation) as file:
        for sampled in samples:
            try:
                row = target.to_row(sampled.sample)
            except CantCarry as problem:
                if not skip:
                    raise BadInput(
                        f"{sampled.location}:{problem}; use --format messages to keep such rows, --skip to "
                        "omit them"
                    ) from problem
                skipped += 1
                continue
            file.add(sampled.seed_id, row)
            if target.keeps_reasoning:
                reasoning += has_reasoning(row)
            else:
                dropped += any(turn.reasoning_content for turn in sampled.sample)
        if "train" not in file.splits:
            raise RunFailed(_nothing(format_name, skipped, samples.filtered))
        # Removed before the new files get their names: no row is ever in two splits.
        removed, kept = _remove_others(output, file.splits)
        files = file.publish()
    return Exported(
        format=format_name,
        files=files,
        skipped=skipped,
        filtered=samples.filtered,
        reasoning=reasoning,
        reasoning_dropped=dropped,
        fake=list(run.summary["fake"]),
        removed=removed,
        kept=kept,
    )


def _remove_others(output: Path, written: list[str]) -> tuple[list[Path], list[Path]]:
    """Remove the files of splits that are not written now, if the earlier export to `output` wrote them.

    Returns those that were removed and those of others, which stay. Raises RunFailed.
    """
    earlier = EarlierExport(output)
    removed, kept = [], []
    others = [split for split in SPLITS if split not in written]
    for split in others:
        path = split_path(output, split)
        if not path.is_file():
            continue
        try:
            if earlier.wrote(split, path):
                path.unlink()
                removed.append(path)
            else:
                kept.append(path)
        except OSError as error:
            raise RunFailed(f"-o: can't remove {path}: {error.strerror or error}") from error
    return removed, kept


def _nothing(format_name: str, skipped: int, filtered: int) -> str:
    if filtered:
        return f"nothing to export: filters.* of the run drop {filtered} texts, which leaves none"
    if skipped:
        return f"nothing to export: {format_name} can represent none of {skipped} rows; try --format messages"
    if format_name == "dpo":
        return (
            "nothing to export: no verdict compares two answers to the same instruction. Add a base pair to "
            "the config that keeps the instruction, or use --format kto, which needs no pairs"
        )
    if format_name == "kto":
        return "nothing to export: no verdict prefers the same side in both orders"
    return "nothing to export: the dataset has no training rows"
