"""`python -m staragents.models.prepare_packaged` checks and converts all packaged models."""

from __future__ import annotations

import sys
import time

from staragents.base.errors import BadInput
from staragents.models.model_names import resolve_model
from staragents.models.packaged_models import PACKAGED


def main() -> int:
    """Prepare all packaged models and print a line for each. Returns the exit code."""
    for name, packaged in PACKAGED.items():
        ready = packaged.folder is None and packaged.converted_folder.is_dir()
        start = time.perf_counter()
        try:
            folder = resolve_model(name)
        except BadInput as error:
            print(error, file=sys.stderr)
            return error.exit_code
        if packaged.folder is not None:
            did = "checked, used as installed"
        else:
            did = "already converted" if ready else f"converted in {time.perf_counter() - start:.0f} s"
        print(f"{name} ({packaged.licence}): {did}: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
