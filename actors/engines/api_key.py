"""The key that a server asks for."""

from __future__ import annotations

from staragents.base.environment import secret


class ApiKey:
    """The value of an environment variable. Only `usable` contains it."""

    def __init__(self, variable: str | None) -> None:
        key = (secret(variable) or "") if variable else ""
        self.problem = _problem(key)
        """Why no server will take the key; empty if it may."""
        self.usable = key if key and not self.problem else None
        if not variable:
            self.described = "a request without a key (api_key_env is not set)"
        elif key:
            self.described = f"the key in {variable}"
        else:
            self.described = f"a request without a key ({variable} is not set)"


def _problem(key: str) -> str:
    if not (key.isascii() and key.isprintable()):
        return "expected a key of printable ASCII characters, got other characters"
    if key[:1] in ("'", '"') or " " in key:
        return "expected only the key, got quotes or spaces with it"
    return ""
