"""Loads py3langid's detector of languages."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from staragents.base.errors import RunFailed

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier


def load_detector(setting: str) -> LanguageIdentifier:
    """A detector of its own, with probabilities: takes up to a second and 100 MB. Raises RunFailed, which
    names the `setting` that needs it."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    try:
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    except OSError as error:
        # The library unpacks its model into a temporary file.
        where = f"can't unpack the language model in {tempfile.gettempdir()}"
        raise RunFailed(f"{setting}: {where}: {error.strerror or error}") from error
