"""`staragents score`: computes the IFD of every row of a dataset, resumably.

May import only the root modules of `staragents`, `rows`, `scoring` and `report`.
"""
