"""Texts for fuzzing."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import strategies as st

FOLDER = Path(tempfile.gettempdir())
TEXTS = st.text(max_size=40) | st.text(st.characters(), max_size=10)


def fragments(*parts: str, often: int = 3000) -> st.SearchStrategy[str]:
    """Texts of known parts, single characters, and often repeated parts."""
    part = st.sampled_from(parts) | st.characters()
    many = st.builds(lambda text, times: text * times, part, st.sampled_from([1, 1, 1, 30, often]))
    return st.lists(part | many, max_size=12).map("".join)
