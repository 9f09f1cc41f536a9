"""Writes training configs next to an exported file: TRL, Axolotl and LLaMA-Factory, with file and template.

Each is a working start with LoRA and common hyperparameters. Trainers that can't read the format get none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from staragents.config import Config
from staragents.export.axolotl_recipe import axolotl_recipe
from staragents.export.dataset_info import update_dataset_info
from staragents.export.earlier_export import EarlierExport, file_line, recipe_path
from staragents.export.exporter import Exported
from staragents.export.llamafactory_recipe import llamafactory_recipe
from staragents.export.recipe import Recipe
from staragents.export.trl_recipe import trl_recipe
from staragents.files.atomic_file import write_text
from staragents.models.model_names import HUB_ID
from staragents.models.packaged_models import ALIASES, PACKAGED

UNKNOWN_MODEL = "YOUR-MODEL"


def model_to_train(config: Config) -> str:
    """The run's target model as a hub id or path that trainers accept, or UNKNOWN_MODEL."""
    name = config.scoring.target.model
    packaged = PACKAGED.get(ALIASES.get(name, name))
    if packaged is not None:
        found = HUB_ID.match(packaged.source)
        return found[0] if found else UNKNOWN_MODEL
    return UNKNOWN_MODEL if name in ("", "fake") else name


def write_recipes(exported: Exported, model: str) -> list[Path]:
    """Write `F.TRAINER.yaml` for every trainer that reads the format, and LLaMA-Factory's dataset_info.json.

    Paths have the form of the export's own: relative to its working directory if it was given so. Configs of
    an earlier export to the same name that this one lacks are removed and added to `exported.removed`; those
    that the user has edited stay and are added to `exported.edited`. Its entries in dataset_info.json are
    removed, and others stay. Returns the written paths. Raises BadInput if that file can't be read.
    """
    earlier = EarlierExport(exported.train)
    exported.edited += earlier.edited
    lines = [file_line(split, path) for split, (path, _) in exported.files.items()]
    written = []
    for recipe in _recipes(exported, model):
        path = recipe_path(exported.train, recipe.trainer)
        if path in earlier.edited:
            continue
        write_text(path, recipe.text(path, lines))
        written.append(path)
    for path in earlier.recipes:
        if path not in written:
            path.unlink()
            exported.removed.append(path)
    return written + update_dataset_info(exported)


def _recipes(exported: Exported, model: str) -> Iterator[Recipe]:
    makers: tuple[Callable[[Exported, str], Recipe | None], ...] = (
        trl_recipe,
        axolotl_recipe,
        llamafactory_recipe,
    )
    yield from filter(None, (maker(exported, model) for maker in makers))
