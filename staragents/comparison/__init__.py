"""Compares variants of one config on the same seeds: variants, measurements and the table."""
