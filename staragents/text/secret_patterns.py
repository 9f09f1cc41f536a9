"""Keys and tokens with a distinctive format.

Only unmistakable formats: entropy, or words like "password", would flag half of all code.
"""

from __future__ import annotations

import re

SECRET_PATTERNS = {
    kind: re.compile(pattern)
    for kind, pattern in {
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
    }.items()
}
