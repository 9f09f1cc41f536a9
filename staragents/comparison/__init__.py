"""Variants of one config on the same seeds: what is changed, how they are measured, and the table.

Pure Python and numpy; may import from `staragents` only.
"""
