"""Compares variants of one config on the same seeds: variants, measurements and the table.

Pure Python and numpy; may import from `staragents` only.
"""
