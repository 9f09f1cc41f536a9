"""What is left to do of a run, the results that are written from its shards, and the repair of a damaged one.

The only package that sees both a run directory and what is made from it (dataset, report, card). No Ray.
"""
