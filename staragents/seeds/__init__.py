"""The user's dataset as a stream of seeds and bad rows.

May import only the root modules of `staragents` and `staragents.rows`.
"""

from staragents.seeds.seed_file import SeedFile, SeedScan

__all__ = ["SeedFile", "SeedScan"]
