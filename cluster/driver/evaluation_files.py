"""The files of an evaluation's folder: checked before training, written at the end."""

from __future__ import annotations

from pathlib import Path

from cluster.driver.student_judge import VERDICTS
from cluster.driver.students import CELLS, CHECKPOINTS
from staragents.base.errors import BadInput, RunFailed
from staragents.evaluation.evaluation import PAGE, RESULT, Evaluation
from staragents.files.atomic_file import json_text, replacing, sync
from staragents.report.evaluation_page import page_of


def check_folder(folder: Path) -> None:
    """Raises BadInput if what will be written is there as something else."""
    kinds = [
        f"--output: expected a folder at {path}, got a file"
        for name in (CELLS, CHECKPOINTS, VERDICTS)
        if (path := folder / name).exists() and not path.is_dir()
    ]
    kinds += [
        f"--output: expected a file at {path}, got a folder"
        for name in (PAGE, RESULT)
        if (path := folder / name).is_dir()
    ]
    if kinds:
        raise BadInput(kinds)


def write_evaluation(folder: Path, result: Evaluation) -> None:
    """Write page and JSON, which marks the evaluation as finished. Raises RunFailed."""
    page, data = folder / PAGE, folder / RESULT
    html, numbers = page_of(result), json_text(result.as_dict())
    try:
        with replacing(data) as new_data, replacing(page) as new_page:
            new_page.write_text(html, encoding="utf-8", newline="\n")
            new_data.write_text(numbers, encoding="utf-8", newline="\n")
            sync(new_page)
            sync(new_data)
            # A kill between the two renames must not leave the new page beside the old numbers.
            data.unlink(missing_ok=True)
    except OSError as error:
        raise RunFailed(
            f"--output: can't write to {folder}: {error.strerror or error}; all students are kept, run the "
            "same command again"
        ) from error
