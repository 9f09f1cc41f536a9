"""Determines the remaining work of a run, writes results from its shards, and repairs damaged runs.

The only package that handles both a run directory and its results (dataset, report, card). No Ray.
"""
