"""Policies judged without a model: on a table of recorded agents, or on a finished run's candidates.

May import from `staragents` only; embeddings come from the caller.
"""
