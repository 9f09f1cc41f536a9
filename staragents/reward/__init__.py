"""Turns scores and verdicts into one reward per candidate, and chooses a candidate."""
