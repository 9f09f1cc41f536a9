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
    """The state, with the run's name and folder. A folder that was moved keeps its name. A copy gets a new
    one while the original is there: both may run at once, on one cluster and with one memory server."""
    home = str(folder.resolve())
    if state.get("home") == home:
        return state
    name = new_name() if _is_copy(folder, state) else name_of(folder, state)
    return {**state, "name": name, "home": home}


def _is_copy(folder: Path, state: RunState) -> bool:
    """Whether another folder has the same run, at the path where this state was written."""
    if "home" not in state:
        return False
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
