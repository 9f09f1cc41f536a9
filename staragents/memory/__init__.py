"""The instruction memory bank (paper 3.3): what agent pairs earned on which instructions.

`LocalBank` is a file in the run directory, `ServerBank` a collection on a Qdrant server.
"""
