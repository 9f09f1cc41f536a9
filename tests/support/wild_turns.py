"""Turns of rows as people publish them."""

from __future__ import annotations

Q = "Name a colour."
A = "Blue."
B = "Red."
SAID = (("user", Q), ("assistant", A))
EARLIER = (("user", "Hello."), ("assistant", "Hi."))
USER = {"role": "user", "content": Q}
ANSWER = {"role": "assistant", "content": A}
GREETING = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hi."}]


def about(text: str) -> tuple[tuple[str, str], ...]:
    return (("user", f"{Q}\n\n{text}"), ("assistant", A))
