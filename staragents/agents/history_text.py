"""The turns before an instruction as text, for prompts that show them."""

from __future__ import annotations

from staragents.base.messages import Conversation
from staragents.text.untrusted_text import as_part


def history_text(context: Conversation) -> str:
    """Turns as text, for prompts that show them and for base models. No turn can imitate another."""
    return "\n".join(f"{turn.role.capitalize()}: {as_part(turn.content)}" for turn in context)
