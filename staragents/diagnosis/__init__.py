"""Checks whether a finished run is trustworthy and what to change: one sentence per finding (method.md 8)."""
