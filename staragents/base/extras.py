"""How to install the packages of an extra."""

from __future__ import annotations


def install_command(extra: str) -> str:
    """The command, for the checkout: no package index has this program, and another's may have its name."""
    return f"pip install -c constraints.txt -e '.[{extra}]', in the checkout"
