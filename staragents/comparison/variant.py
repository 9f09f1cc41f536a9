"""A config with one ablation laid over it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staragents.config import Config
from staragents.config.loading import as_dict, load_config
from staragents.config.merging import nearest
from staragents.config.tree import leaves, matches_any
from staragents.errors import BadInput

ABLATIONS = Path(__file__).parents[2] / "configs" / "ablations"
FULL = "full"
"""The ablation that changes nothing."""

SHARED = ("seeds.**", "models.**", "scoring.**", "run.seed", "run.max_tokens")
"""What all variants have in common, or they would not be comparable, nor share models and generations."""


@dataclass(frozen=True)
class Variant:
    """`changes` are the settings it has other than the config itself, by dotted key."""

    name: str
    config: Config
    changes: dict[str, Any]

    def within(self, tokens: int | None) -> Variant:
        """The same with a budget of tokens."""
        run = dataclasses.replace(self.config.run, max_tokens=tokens)
        return dataclasses.replace(self, config=dataclasses.replace(self.config, run=run))


def shipped_ablations() -> list[str]:
    return sorted(file.stem for file in ABLATIONS.glob("*.yaml"))


def load_variants(
    path: str | Path, overrides: Sequence[str], names: Sequence[str], folder: Path
) -> list[Variant]:
    """One variant for each name of a shipped ablation, or path of a YAML file of your own; each has a run
    directory in `folder`.

    Raises BadInput with every problem, each with the ablation's name and the dotted key.
    """
    plain = dict(leaves(as_dict(load_config(path, overrides))))
    variants, problems = [], []
    for name in names:
        try:
            variants.append(_variant(path, overrides, name, folder, plain))
        except BadInput as error:
            problems += [f"--ablation {name}: {problem}" for problem in error.problems]
    if len({variant.name for variant in variants}) < len(variants):
        problems.append(f"--ablation: expected every name once, got {','.join(names)}")
    if problems:
        raise BadInput(problems)
    return variants


def _variant(
    path: str | Path, overrides: Sequence[str], name: str, folder: Path, plain: dict[tuple[str, ...], Any]
) -> Variant:
    file = _file(name)
    config = load_config(path, [*overrides, f"output.dir={folder / file.stem}"], above=file)
    changes = {
        key: value
        for key, value in leaves(as_dict(config))
        if value != plain.get(key, ...) and key[0] != "output"
    }
    if fixed := [".".join(key) for key in changes if matches_any(key, SHARED)]:
        raise BadInput(f"{fixed[0]}: expected what all variants share, got another value in {file.name}")
    return Variant(file.stem, config, {".".join(key): value for key, value in changes.items()})


def _file(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        return Path(os.path.expanduser(name))
    known = shipped_ablations()
    if name not in known:
        near = nearest(name, known)
        instead = f", did you mean {near}?" if near else ""
        raise BadInput(f"expected one of {', '.join(known)} or a .yaml file{instead}")
    return ABLATIONS / f"{name}.yaml"
