"""Evaluates policies without a model, on a table of recorded agents or on a finished run's candidates.

The caller supplies the embeddings.
"""
