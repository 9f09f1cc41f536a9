"""Keys and tokens with a distinctive format.

Only unmistakable formats: entropy, or words like "password", would flag half of all code.
"""

from __future__ import annotations

import re

from staragents.messages import Conversation

KINDS = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----\s*[\w+/=:-]{16}",
    "AWS key": r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{60,})",
    "GitLab token": r"\bglpat-[\w-]{20,}",
    "Hugging Face token": r"\bhf_[A-Za-z]{30,}",
    "OpenAI or Anthropic key": r"\bsk-(?:proj-|svcacct-|ant-[a-z0-9]+-)?[A-Za-z0-9_-]{32,}",
    "Google key": r"\bAIza[\w-]{35}",
    "Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "Stripe key": r"\b[rs]k_live_[A-Za-z0-9]{20,}",
    "JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in KINDS.items()}


def secrets(messages: Conversation) -> str | None:
    """The kinds of secrets in the conversation, never the secrets themselves."""
    kinds = [k for k, pattern in _PATTERNS.items() if any(pattern.search(m.content) for m in messages)]
    return ", ".join(kinds) or None
