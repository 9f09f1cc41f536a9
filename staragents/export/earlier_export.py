"""What an earlier export to the same name wrote, known by the first lines of its training configs."""

from __future__ import annotations

from pathlib import Path

from staragents.files.user_files import open_file
from staragents.run_directory.file_facts import facts_of
from staragents.text.printable import one_line

MADE_BY = "Made by staragents export."
TRAINERS = ("trl", "axolotl", "llamafactory")
HEAD_BYTES = 64 << 10


def recipe_path(train: Path, trainer: str) -> Path:
    return train.with_suffix(f".{trainer}.yaml")


def file_line(split: str, path: Path) -> str:
    """The line of a training config's head that identifies the file of a split. Raises OSError."""
    return f"{_named(split, path)} {facts_of(path)['sha256']}"


def _named(split: str, path: Path) -> str:
    return one_line(f"{split}: {path.name}, sha256")


class EarlierExport:
    """The earlier export to `train`, if any. Files that it did not write, or that were changed since, are not
    its own."""

    def __init__(self, train: Path) -> None:
        self.recipes: list[Path] = []
        self._lines: set[str] = set()
        for trainer in TRAINERS:
            path = recipe_path(train, trainer)
            lines = _head(path)
            if any(line.startswith(_named("train", train)) for line in lines):
                self.recipes.append(path)
                self._lines.update(lines)

    def wrote(self, split: str, path: Path) -> bool:
        """Whether the existing file is the split as that export wrote it. Raises OSError."""
        named = _named(split, path)
        return any(line.startswith(named) for line in self._lines) and file_line(split, path) in self._lines


def _head(path: Path) -> list[str]:
    """The comment lines with which a training config of ours begins; none of another file."""
    try:
        with open_file(path) as file:
            text = file.read(HEAD_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return []
    if not text.startswith(f"# {MADE_BY}"):
        return []
    return [line[2:] for line in text.split("\n") if line.startswith("# ")]
