"""Lets processes start sooner: keeps pandas out of those that hold no data frame, a third of a second and 60
MB in each, and lets Python look for reference cycles less often, a tenth of the time of all imports.

Serve imports it to encode data frames, and pyarrow imports it at the first array, to recognise them. Both do
without it where it is not installed. A local Ray imports this module in every worker before any other (see
`cluster.session.ray_session`), the command line when it starts.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

PANDAS = "pandas"
NEW_OBJECTS = 50_000
"""Python looks for cycles among new objects after so many; its default of 700 is made for small programs."""
# pyarrow is compiled and has no frame: it appears as its caller. None of these needs pandas by itself.
WITHOUT = ("ray.serve.", "actors.", "staragents.", "pyarrow.dataset", "sklearn.")


class LeanImports(MetaPathFinder):
    """Tells the importers in WITHOUT that pandas is not installed; all others, such as `datasets`, get it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == PANDAS and _importer().startswith(WITHOUT):
            raise ModuleNotFoundError(f"{PANDAS} is not imported for {_importer()}", name=PANDAS)
        return None


def _importer() -> str:
    """Name of the module whose code is importing."""
    frame = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith("importlib.") and module != __name__:
            return module
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def install() -> None:
    """Do so in this process from now on."""
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
    if not any(isinstance(finder, LeanImports) for finder in sys.meta_path):
        sys.meta_path.insert(0, LeanImports())


install()
