"""IFD: the perplexity of a response with its prompt over that without. `ifd_model` and its imports use torch.

May import the rest of `staragents`; nothing here uses Ray or vLLM.
"""
