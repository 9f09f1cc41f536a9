"""`staragents` and `python -m staragents`: checks the installed packages, then starts the command line."""

from __future__ import annotations

import sys
from importlib import import_module

from staragents.base.errors import BadInput
from staragents.base.one_root import check_one_root


def main() -> None:
    try:
        check_one_root()
    except BadInput as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        sys.exit(error.exit_code)
    # By name, as this package must not import `actors` or `cluster`.
    import_module("cluster.job").main()


if __name__ == "__main__":
    main()
