"""What a user should know about how files were read: said once, alike lines together."""

from __future__ import annotations


class Notes:
    """Lines about files. The same line about several files is kept once, with their number."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, None]] = {}

    def add(self, name: str, line: str) -> None:
        self._names.setdefault(line, {})[name] = None

    def lines(self) -> list[str]:
        """In the order of their first occurrence."""
        found = []
        for line, names in self._names.items():
            first = next(iter(names))
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            found.append(f"{first}{more}: {line}")
        return found
