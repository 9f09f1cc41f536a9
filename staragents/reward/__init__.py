"""Turns scores and verdicts into one reward per candidate, and chooses a candidate.

Pure Python and numpy; may import from `staragents` only.
"""
