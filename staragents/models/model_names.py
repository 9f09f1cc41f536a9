"""Names of models in a config: a hub id, a folder or `packaged:NAME`. Checks them and finds what to load."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from staragents.base.errors import BadInput
from staragents.base.extras import install_command
from staragents.models.checked_files import digest
from staragents.models.gguf_conversion import convert_once
from staragents.models.packaged_models import ALIASES, PACKAGED, PREFIX, files_of, package_folder

INSTALL = install_command("demo")
# `org/name` or a bare name, but not a path such as ./model or /data/model.
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
MODEL_FILES = ("config.json", "adapter_config.json", "modules.json", "params.json")
"""A loadable folder contains one of these: for a model, an adapter, an embedding model, or Mistral's
format."""


def check_model(model: str) -> str | None:
    """The problem with a model's name, or None. Converts and loads nothing and contacts no hub."""
    model = ALIASES.get(model, model)
    if model.startswith(PREFIX):
        return _check_packaged(model)
    path = Path(os.path.expanduser(model))
    if model and os.path.isdir(path):
        if not any(os.path.isfile(path / name) for name in MODEL_FILES):
            return f"expected a model folder with {' or '.join(MODEL_FILES)}, got {model}"
        return None
    if model and os.path.exists(path):
        return f"expected a model folder, got the file {model}"
    if HUB_ID.fullmatch(model):
        return None
    return f"expected a hub id, an existing folder or `{PREFIX}...`, got {model!r}"


def resolve_model(model: str) -> str:
    """The name that vLLM, transformers and sentence-transformers can load, for a model's name in a config.

    `packaged:...` becomes a folder, converted on first use; an existing folder becomes its absolute path; a
    hub id is unchanged. Raises BadInput with the message of `check_model`.
    """
    if problem := check_model(model):
        raise BadInput(problem)
    model = ALIASES.get(model, model)
    if model not in PACKAGED:
        path = Path(os.path.expanduser(model))
        return str(path.absolute()) if os.path.isdir(path) else model
    packaged = PACKAGED[model]
    if packaged.folder is not None:
        package, _ = packaged.parts[0]
        return str(package_folder(package) / packaged.folder)
    convert_once(packaged)
    return str(packaged.converted_folder)


def _check_packaged(name: str) -> str | None:
    if name not in PACKAGED:
        near = difflib.get_close_matches(name, PACKAGED, n=3, cutoff=0.7) or list(PACKAGED)
        return f"expected one of {', '.join(near)}, got {name}"
    packaged = PACKAGED[name]
    if packaged.folder is None and packaged.converted_folder.is_dir():
        return None
    try:
        found = digest(files_of(packaged), packaged.sha256)
    except FileNotFoundError as error:
        return f"{name} is not installed ({error}): {INSTALL}"
    if found != packaged.sha256:
        return f"{name}: expected sha256 {packaged.sha256}, got {found}; reinstall it: {INSTALL}"
    return None
