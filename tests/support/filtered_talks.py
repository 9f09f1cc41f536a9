"""Conversations to filter, and configs with one filter."""

from __future__ import annotations

from staragents.base.messages import Conversation, Message
from staragents.config import FilterAction, FiltersConfig


def talk(response: str, instruction: str = "Tell me something about pumps.") -> Conversation:
    return Message("user", instruction), Message("assistant", response)


def only(**settings: object) -> FiltersConfig:
    """A config with only the named filters on."""
    off = {
        name: FilterAction.off
        for name, value in vars(FiltersConfig()).items()
        if isinstance(value, FilterAction)
    }
    return FiltersConfig(**{**off, **settings})  # type: ignore[arg-type]
