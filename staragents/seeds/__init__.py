"""The user's dataset: a file of rows, read as a stream of seeds and bad rows.

May import the root modules of `staragents` and `staragents.rows` only.
"""

from staragents.seeds.seed_file import SeedFile, SeedScan

__all__ = ["SeedFile", "SeedScan"]
