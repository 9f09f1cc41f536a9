"""JSON objects with their own checksum, so that damage is always detected."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from staragents.files.atomic_file import write_text
from staragents.run_directory.damage import Damage
from staragents.text.printable import one_line

T = TypeVar("T")

SEAL = "sha256"


class Unreadable(Exception):
    """The file is damaged; the message completes "FILE: ..."."""


def write_sealed(path: Path, value: dict[str, Any]) -> None:
    """Replace the file with `value` plus its checksum under `sha256`. Raises OSError."""
    # The state of 10 million seeds has 9 MB, and is saved every second: with the standard library, its
    # indentation alone takes a third of a second.
    sealed = msgspec.json.encode({**value, SEAL: _digest(value)}, enc_hook=_plain)
    write_text(path, msgspec.json.format(sealed, indent=1).decode() + "\n")


def read_sealed(path: Path, kind: type[T]) -> T | None:
    """The object without its checksum, validated against the TypedDict `kind`; None if there is no file.

    Raises Unreadable.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unreadable(f"can't be read: {error.strerror}") from error
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"damaged, not JSON ({one_line(str(error))})") from error
    if not isinstance(value, dict):
        raise Unreadable(f"damaged, expected a JSON object, got {type(value).__name__}")
    seal = value.pop(SEAL, None)
    try:
        found = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Unreadable(f"damaged, or written by another version: {error}") from error
    try:
        whole = seal == _digest(value)
    except ValueError:  # NaN, which we never write
        whole = False
    if not whole:
        raise Unreadable("damaged, or changed by hand: its checksum does not match")
    return found


def _plain(value: object) -> float | str:
    """The value of an object that the standard library writes too, such as numpy's float64."""
    for kind in (float, int, str):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"expected a JSON value, got {type(value).__name__}")


def _digest(value: dict[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def damage_of(name: str, error: Unreadable) -> Damage:
    return Damage(name, str(error))
