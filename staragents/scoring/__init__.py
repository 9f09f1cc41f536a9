"""IFD: perplexity of a response with its prompt over that without. `ifd_model` and its imports use torch."""
