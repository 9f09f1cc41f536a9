"""What an earlier export to the same name wrote, known by the comments in its training configs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from staragents.files.user_files import open_file
from staragents.run_directory.file_facts import facts_of
from staragents.text.printable import one_line

MADE_BY = "Made by staragents export."
TRAINERS = ("trl", "axolotl", "llamafactory")
SEAL = "Above this line, sha256"
MAX_BYTES = 64 << 10
"""Of a training config."""


def recipe_path(train: Path, trainer: str) -> Path:
    return train.with_suffix(f".{trainer}.yaml")


def sealed(text: str) -> str:
    """A training config with a last line by which a later export knows whether it was edited."""
    return f"{text}# {SEAL} {hashlib.sha256(text.encode()).hexdigest()}\n"


def _is_sealed(text: str) -> bool:
    above, _, _ = text.rpartition(f"# {SEAL} ")
    return sealed(above) == text


def file_line(split: str, path: Path) -> str:
    """The line of a training config's head that identifies the file of a split. Raises OSError."""
    return f"{_named(split, path)} {facts_of(path)['sha256']}"


def _named(split: str, path: Path) -> str:
    return one_line(f"{split}: {path.name}, sha256")


class EarlierExport:
    """The earlier export to `train`, if any. Files that it did not write, or that were changed since, are not
    its own.

    `recipes` are its training configs. `edited` are those at their paths that were changed, also of an export
    with another suffix, and those without a seal, of earlier versions.
    """

    def __init__(self, train: Path) -> None:
        self.recipes: list[Path] = []
        self.edited: list[Path] = []
        self._lines: set[str] = set()
        for trainer in TRAINERS:
            path = recipe_path(train, trainer)
            text = _recipe(path)
            lines = [line[2:] for line in text.split("\n") if line.startswith("# ")]
            is_of_this = any(line.startswith(_named("train", train)) for line in lines)
            if is_of_this:
                self._lines.update(lines)
            if text and not _is_sealed(text):
                self.edited.append(path)
            elif is_of_this:
                self.recipes.append(path)

    def wrote(self, split: str, path: Path) -> bool:
        """Whether the existing file is the split as that export wrote it. Raises OSError."""
        named = _named(split, path)
        return any(line.startswith(named) for line in self._lines) and file_line(split, path) in self._lines


def _recipe(path: Path) -> str:
    """A training config of ours; an empty text for another file."""
    try:
        with open_file(path) as file:
            text: str = file.read(MAX_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
    return text if text.startswith(f"# {MADE_BY}") else ""
