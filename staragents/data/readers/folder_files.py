"""Chooses the files of a folder that hold the rows to learn from: neither descriptions, caches nor held-out
splits."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

import yaml

from staragents.base.errors import BadInput
from staragents.data.readers.notes import Notes
from staragents.data.readers.splits import HELD_OUT, KEYWORDS, TRAIN, split_of, training_name

SAVED_DATASET = "state.json"
SAVED_DICT = "dataset_dict.json"
CARD = "README.md"
DESCRIPTIONS = (
    SAVED_DATASET, SAVED_DICT, "dataset_info.json", "dataset_infos.json", "cache-*.arrow",
    "*.summary.json", "*.quarantine.jsonl",
)  # fmt: skip
"""Files beside the rows: those of `datasets` and of `staragents score`."""
NO_DATA_FOLDERS = ("__*", "_delta_log", "_temporary")

_SHARD = re.compile(r"(.+?)-\d{5}-of-\d{5}(?:-[0-9a-f]+)?\..+")

Read = Callable[[str], bytes]
"""Reads a small file of the folder by its relative name. Raises OSError."""


def chosen_files(
    names: Iterable[str], read: Read, folder: str, setting: str, notes: Notes, everything: bool = False
) -> list[str]:
    """The relative `names` of data files below `folder` to read, sorted: those of the training split or
    `everything`. Hidden files and outputs of commands are not among them.

    Raises BadInput, which names them, if the folder has several splits and none of them is for training, or
    if it lacks files that the state of a saved dataset lists.
    """
    names = sorted(names)
    card = None if everything else _of_card(names, read, folder, setting, notes)
    if card is not None:
        return card
    kept = [name for name in _saved(names, read) if not _is_description(name)]
    found = kept if everything else _training(kept, folder, setting, notes)
    if missing := sorted(set(found).difference(names)):
        listed = f"{_and(missing)}, which {SAVED_DATASET} lists"
        raise BadInput(f"{setting}: expected {listed}, got no such file: {folder}")
    return found


def note_mixture(names: Sequence[str], pattern: str, notes: Notes) -> None:
    """Say that a pattern, which is read as given, means training and held-out files."""
    if not names:
        return
    # Folders above all of them say nothing about the difference.
    above = os.path.commonpath([os.path.dirname(name) for name in names])
    held_out = [name for name in names if _split_of_file(os.path.relpath(name, above)) in HELD_OUT]
    if held_out and len(held_out) < len(names):
        notes.add(pattern, f"also means {_and(held_out)}, named like held-out data")


def _is_description(name: str) -> bool:
    *folders, file = PurePosixPath(name).parts
    return any(fnmatch(file, pattern) for pattern in DESCRIPTIONS) or any(
        fnmatch(part, pattern) for part in folders for pattern in NO_DATA_FOLDERS
    )


def _saved(names: Sequence[str], read: Read) -> list[str]:
    """With the files that the states of saved Datasets list, also missing ones, and without others beside
    them, such as caches of earlier steps."""
    found = set(names)
    for state in (name for name in names if PurePosixPath(name).name == SAVED_DATASET):
        listed = _json(read, state).get("_data_files")
        if not isinstance(listed, list):
            continue
        parent = PurePosixPath(state).parent
        files = {
            str(parent / str(one["filename"]))
            for one in listed
            if isinstance(one, dict) and "filename" in one
        }
        found = {name for name in found if PurePosixPath(name).parent != parent} | files
    return sorted(found)


def _training(names: list[str], folder: str, setting: str, notes: Notes) -> list[str]:
    """Without held-out splits."""
    splits = {name: _split_of_file(name) for name in names}
    if not set(splits.values()) & set(HELD_OUT) or len(set(splits.values())) == 1:
        return _one_training_split(names, folder, setting)
    training = [name for name, split in splits.items() if split == TRAIN]
    if not training:
        unnamed = [name for name, split in splits.items() if split is None]
        if not unnamed:
            raise undecided(folder, setting, {split: name for name, split in splits.items()})
        training = unnamed
    left = [name for name in names if name not in training]
    notes.add(folder, f"reads {_and(training)}, not {_and(left)}; give a file or pattern to read others")
    return _one_training_split(training, folder, setting)


def _split_of_file(name: str) -> str | None:
    """A folder named exactly like a split decides, then the file's name, then words of its folders."""
    *folders, file = PurePosixPath(name).parts
    exact = (KEYWORDS.get(folder.lower()) for folder in reversed(folders))
    found = next(filter(None, exact), None) or split_of(file)
    return found or next(filter(None, map(split_of, reversed(folders))), None)


def _one_training_split(names: list[str], folder: str, setting: str) -> list[str]:
    """Raises BadInput if there are shards of several training splits, such as train_sft and train_prefs."""
    shards = {name: found[1] for name in names if (found := _SHARD.fullmatch(PurePosixPath(name).name))}
    splits = {split: name for name, split in shards.items() if split_of(split)}
    if len(splits) < 2 or len(shards) < len(names):
        return names
    chosen = training_name(splits)
    if chosen is None:
        raise undecided(folder, setting, splits)
    return [name for name in names if shards[name] == chosen]


def undecided(folder: str, setting: str, splits: dict[Any, str]) -> BadInput:
    """`splits` has the first file of each split."""
    first = next(iter(splits.values()))
    return BadInput(
        f"{setting}: expected one split, got {', '.join(map(str, splits))} in {folder}; give the path of its "
        f"folder or files, such as {folder.rstrip('/')}/{first}"
    )


def _of_card(names: Sequence[str], read: Read, folder: str, setting: str, notes: Notes) -> list[str] | None:
    """The files that the card of a dataset repository names, as the hub reads them; None if it names none."""
    configs = _configs(read)
    if not configs:
        return None
    default = [one for one in configs if one.get("default") or one.get("config_name") == "default"]
    config = (default or configs)[0]
    if len(configs) > 1 and not default:
        every = ", ".join(str(one.get("config_name")) for one in configs)
        raise BadInput(
            f"{setting}: expected one config, got {every} in {folder}/{CARD}; give the path of its files"
        )
    splits = _patterns(config.get("data_files"))
    if not splits:
        return None
    split = training_name(splits)
    if split is None:
        firsts = {name: patterns[0] for name, patterns in splits.items()}
        raise undecided(folder, setting, firsts)
    found = [name for name in names if any(_fits(name, pattern) for pattern in splits[split])]
    if not found:
        return None
    left = [name for name in names if name not in found and not _is_description(name)]
    if left:
        notes.add(folder, f"reads {_and(found)}, as its {CARD} says, not {_and(left)}")
    return found


def _configs(read: Read) -> list[dict[str, Any]]:
    try:
        text = read(CARD).decode("utf-8", "replace")
        if not text.startswith("---"):
            return []
        front = yaml.safe_load(text.split("\n---", 1)[0].removeprefix("---"))
        configs = front.get("configs")
    except (OSError, AttributeError, yaml.YAMLError, ValueError, RecursionError):
        return []
    return [one for one in configs if isinstance(one, dict)] if isinstance(configs, list) else []


def _patterns(data_files: Any) -> dict[str, list[str]]:
    """File patterns by split."""
    if isinstance(data_files, str):
        return {TRAIN: [data_files]}
    if not isinstance(data_files, list):
        return {}
    found: dict[str, list[str]] = {}
    for one in data_files:
        split, paths = (one.get("split"), one.get("path")) if isinstance(one, dict) else (TRAIN, one)
        for path in paths if isinstance(paths, list) else [paths]:
            if isinstance(path, str):
                found.setdefault(str(split), []).append(path)
    return found


def _fits(name: str, pattern: str) -> bool:
    """Whether a pattern of the hub means this file: only `**` stands for several folders or none."""
    pattern = pattern.removeprefix("./")
    if "**" in pattern:
        return fnmatch(name, pattern) or fnmatch(name, pattern.replace("**/", ""))
    if name.startswith(f"{pattern.rstrip('/')}/"):
        return True
    return fnmatch(name, pattern) and name.count("/") == pattern.count("/")


def _json(read: Read, name: str) -> dict[str, Any]:
    try:
        value = json.loads(read(name))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
