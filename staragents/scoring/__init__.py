"""IFD: how much harder an answer is with its prompt than without. torch lives in `ifd_model` only.

May import the rest of `staragents`; nothing here knows Ray or vLLM.
"""
