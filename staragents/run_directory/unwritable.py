"""What a run says that can't write to its directory any more."""

from __future__ import annotations

import os
from pathlib import Path

from staragents.base.errors import RunFailed


def unwritable(folder: Path, error: OSError) -> RunFailed:
    """What to raise where a run that has begun meets a full disk, or one that is gone."""
    # The text of pyarrow's errors is a paragraph.
    reason = os.strerror(error.errno) if error.errno else error
    return RunFailed(
        f"output.dir: can't write to {folder}: {reason}; free some space, then run the same command to resume"
    )
