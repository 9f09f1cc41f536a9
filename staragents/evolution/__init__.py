"""Which agent pairs a seed gets, and how that is learnt: policies and the state machine around them.

Pure Python and numpy; may import from `staragents` only. Nothing here knows of Ray or reads a clock.
"""
