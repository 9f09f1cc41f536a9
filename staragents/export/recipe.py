"""A training config, and what those of all trainers share."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from staragents.base.messages import REASONING
from staragents.export.earlier_export import MADE_BY, sealed
from staragents.export.exporter import Exported
from staragents.text.printable import one_line

MAX_LENGTH = 2048
RATES = {"dpo": 5e-6, "kto": 5e-6}
SFT_RATE = 1e-4


@dataclass(frozen=True, slots=True)
class Recipe:
    """A training config. `command` starts the trainer with it."""

    trainer: str
    command: str
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()

    def text(self, path: Path, file_lines: Sequence[str]) -> str:
        """The content of the config at `path`. `file_lines` identify the exported files."""
        start = self.command.format(path=shlex.quote(str(path)))
        head = [f"{MADE_BY} Start: {start}", *self.notes, *file_lines]
        settings = yaml.safe_dump(self.settings, sort_keys=False, allow_unicode=True, width=1_000)
        return sealed("".join(f"# {one_line(line)}\n" for line in head) + settings)


def thinking_key(model: str) -> str:
    """The key of a turn from which the chat template of `model` takes reasoning, guessed from its name."""
    return "thinking" if "gpt-oss" in model.lower() else REASONING


def builder_of(path: Path) -> str:
    """The loader of `datasets` that reads the file."""
    return "parquet" if path.suffix == ".parquet" else "json"


def output_folder(exported: Exported, trainer: str) -> str:
    return f"outputs/{exported.train.stem}-{trainer}"
