"""Policies that draw agent pairs for each seed and learn from rewards, and the state machine around them.

Pure Python and numpy. Nothing here uses Ray or reads a clock.
"""
