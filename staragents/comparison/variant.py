"""A config with one ablation applied."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.config.marks import Mark
from staragents.config.tree import as_dict, leaves, marks
from staragents.validation.loading import load_config
from staragents.validation.message_parts import nearest

ABLATIONS = Path(__file__).parents[2] / "configs" / "ablations"
FULL = "full"
"""The ablation that changes nothing."""


@dataclass(frozen=True)
class Variant:
    """`changes`: the settings that differ from the config, by dotted key."""

    name: str
    config: Config
    changes: dict[str, Any]

    def within(self, tokens: int | None) -> Variant:
        """The same variant with a token budget."""
        run = dataclasses.replace(self.config.run, max_tokens=tokens)
        return dataclasses.replace(self, config=dataclasses.replace(self.config, run=run))


def shipped_ablations() -> list[str]:
    return sorted(file.stem for file in ABLATIONS.glob("*.yaml"))


def load_variants(
    path: str | Path, overrides: Sequence[str], names: Sequence[str], folder: Path
) -> list[Variant]:
    """One variant per name of a shipped ablation or path of a user's YAML file; each has its run directory in
    `folder`.

    Raises BadInput with every problem, each with the ablation's name and the dotted key.
    """
    base = dict(leaves(as_dict(load_config(path, overrides))))
    variants, problems = [], []
    for name in names:
        try:
            variants.append(_variant(path, overrides, name, folder, base))
        except BadInput as error:
            problems += [f"--ablation {name}: {problem}" for problem in error.problems]
    if len({variant.name for variant in variants}) < len(variants):
        problems.append(f"--ablation: expected unique names, got {','.join(names)}")
    if problems:
        raise BadInput(problems)
    return variants


def _variant(
    path: str | Path, overrides: Sequence[str], name: str, folder: Path, base: dict[tuple[str, ...], Any]
) -> Variant:
    file = _file(name)
    config = load_config(path, [*overrides, f"output.dir={folder / file.stem}"], above=file)
    changes = {
        key: value
        for key, value in leaves(as_dict(config))
        if value != base.get(key, ...) and key[0] != "output"
    }
    if fixed := [".".join(key) for key in changes if Mark.shared in marks(key)]:
        raise BadInput(
            f"{fixed[0]}: expected the value that all variants share, got a different one in {file.name}"
        )
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
