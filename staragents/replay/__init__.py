"""Evaluates policies without a model, on a table of recorded agents or on a finished run's candidates.

May import from `staragents` only; the caller supplies embeddings.
"""
