"""The short name of a run: chosen once, and kept in its state."""

from __future__ import annotations

import uuid
from pathlib import Path

from staragents.base.records import stable_id
from staragents.run_directory.manifest import state_file
from staragents.run_directory.run_state import RunState
from staragents.run_directory.sealed_json import Unreadable, read_sealed

DIGITS = 8


def new_name() -> str:
    """Not made from the path: a folder that was moved away may still run under the name of its first path."""
    return uuid.uuid4().hex[:DIGITS]


def name_of(folder: Path, state: RunState | None) -> str:
    """The name in the state. One of an earlier version has none: that depends on how its path is spelt."""
    name = state.get("name") if state is not None else None
    return name if name is not None else stable_id(str(folder.absolute()))[:DIGITS]


def at_home(folder: Path, state: RunState) -> RunState:
    """The state, with the run's name and folder. A folder that was moved keeps its name, and a copy gets a
    new one: both may run at once, on one cluster and with one memory server. Raises OSError."""
    home, home_id = str(folder.resolve()), _identity(folder)
    if (state.get("home"), state.get("home_id")) == (home, home_id):
        return state
    # With another identity, it was put back where it was.
    is_copy = state.get("home") != home and _is_copy(folder, home_id, state)
    name = new_name() if is_copy else name_of(folder, state)
    return {**state, "name": name, "home": home, "home_id": home_id}


def _identity(folder: Path) -> str:
    found = folder.stat()
    return f"{found.st_dev}:{found.st_ino}"


def _is_copy(folder: Path, home_id: str, state: RunState) -> bool:
    """Whether this is another folder than the one in which the state was written, or that one is still at its
    path: then it was moved away from there, and copied back."""
    if "home" not in state:
        return False
    if state.get("home_id", home_id) != home_id:
        return True
    original = Path(state["home"])
    try:
        if original.samefile(folder):
            return False
        there = read_sealed(state_file(original), RunState)
    except OSError:
        return False
    except Unreadable:
        return True
    return there is not None and there.get("name") == state.get("name")
