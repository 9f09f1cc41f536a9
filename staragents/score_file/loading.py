"""From a model's name to something that scores rows."""

from __future__ import annotations

import os
import sys

from staragents.errors import BadInput
from staragents.packaged_models import resolve_model
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.open_model import FAKE, RowModel, open_model

_LONGEST_REASON = 300


def resolve(option: str, name: str) -> str:
    """The model's or adapter's folder or hub id; `fake` stays. Raises BadInput with the option's name. Loads
    nothing."""
    if name == FAKE:
        return FAKE
    try:
        return resolve_model(name)
    except BadInput as error:
        raise BadInput(f"--{option}: {error}") from error


def load(role: str, path: str, settings: ScoreSettings) -> RowModel:
    """Raises BadInput in one line with the option's name."""
    if not sys.stderr.isatty():
        # Bars that redraw themselves only fill a log.
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # A hub that can't be reached is warned of twelve times before the error that says so.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    # Read when torch is first imported. OpenMP threads that spin for long while they wait for one whose core
    # is taken cost more than the work beside other processes; threads that sleep at once cost a tenth when
    # there are none.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    scoring = settings.scoring
    try:
        return open_model(role, path, getattr(scoring, role), scoring, settings.device)
    except BadInput as error:
        raise bad_model(role, error) from error


def bad_model(role: str, error: Exception) -> BadInput:
    """One line with the option's name: transformers explains over several."""
    reason = " ".join(str(error).split())
    short = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
    return BadInput(f"--{role}: {short}")
