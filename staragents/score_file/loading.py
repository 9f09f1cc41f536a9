"""Resolves and loads scoring models."""

from __future__ import annotations

import os
import sys

from staragents.base.errors import BadInput
from staragents.models.hub_commit import hub_commit
from staragents.models.model_names import resolve_model
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.open_model import FAKE, RowModel, open_model

_LONGEST_REASON = 300


def resolve(option: str, name: str) -> str:
    """The folder or hub id of a model or adapter; `fake` is unchanged. Raises BadInput with the option's
    name. Loads nothing."""
    if name == FAKE:
        return FAKE
    try:
        return resolve_model(name)
    except BadInput as error:
        raise BadInput(f"--{option}: {error}") from error


def commit_of(path: str) -> str | None:
    """The commit that the hub id of a model or adapter has now; None for a folder, `fake`, and if neither the
    hub nor this machine's cache knows it."""
    if path == FAKE:
        return None
    _quiet_hub()
    return hub_commit(path)


def load(role: str, path: str, settings: ScoreSettings) -> RowModel:
    """Load a model. Raises BadInput as one line with the option's name."""
    _quiet_hub()
    # Read when torch is first imported. Next to other processes, OpenMP threads with long spin waits take
    # more CPU than the work itself; without other processes, threads that sleep immediately cost a tenth.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    scoring = settings.scoring
    try:
        return open_model(role, path, getattr(scoring, role), scoring, settings.device)
    except BadInput as error:
        raise bad_model(role, error) from error


def _quiet_hub() -> None:
    """Before its library is first imported, which reads both."""
    if not sys.stderr.isatty():
        # Progress bars would only fill a log.
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # Otherwise an unreachable hub causes twelve warnings before the error.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")


def bad_model(role: str, error: Exception) -> BadInput:
    """A one-line error with the option's name, as transformers uses several lines."""
    reason = " ".join(str(error).split())
    short = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
    return BadInput(f"--{role}: {short}")
