"""From scores and verdicts to one number a candidate, and to the candidate that is chosen.

Pure Python and numpy; may import from `staragents` only.
"""
