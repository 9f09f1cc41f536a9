"""The instruction memory bank (paper 3.3): which pairs did well on which instructions, kept in Qdrant."""
