"""The dataset_info.json beside an export, in which LLaMA-Factory looks up files by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.export.exporter import Exported
from staragents.export.llamafactory_recipe import LLAMAFACTORY_COLUMNS, dataset_name
from staragents.export.split_file import SPLITS, split_path
from staragents.files.atomic_file import write_json


def update_dataset_info(exported: Exported) -> list[Path]:
    """Add the export's files to the dataset_info.json in their folder, if LLaMA-Factory reads the format.

    Removes the entries of an earlier export to the same name that are no longer true. Entries of others stay.
    Returns the file's path if something was added. Raises BadInput if it can't be read.
    """
    path = exported.train.parent / "dataset_info.json"
    added = _entries(exported)
    try:
        saved = _read(path)
    except BadInput:
        if added:
            raise
        return []
    entries = {name: entry for name, entry in saved.items() if not _outdated(name, entry, exported)} | added
    if entries:
        if entries != saved:
            write_json(path, entries)
    elif saved:
        path.unlink()
    return [path] if added else []


def _read(path: Path) -> dict[str, Any]:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: can't add the dataset to it: {error}; repair it or move it away") from error
    if not isinstance(saved, dict):
        raise BadInput(f"{path}: expected a JSON object, got {type(saved).__name__}; move it away")
    return saved


def _entries(exported: Exported) -> dict[str, Any]:
    shape = LLAMAFACTORY_COLUMNS.get(exported.format)
    if shape is None:
        return {}
    return {dataset_name(file): {"file_name": file.name, **shape} for file, _ in exported.files.values()}


def _outdated(name: str, entry: object, exported: Exported) -> bool:
    """Whether an export to the same name made the entry for a file that is replaced or gone."""
    for split in SPLITS:
        file = split_path(exported.train, split)
        if name == dataset_name(file) and (split in exported.files or not file.exists()):
            return any(entry == {"file_name": file.name, **shape} for shape in LLAMAFACTORY_COLUMNS.values())
    return False
