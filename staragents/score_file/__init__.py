"""`staragents score`: the IFD of every row of a dataset, in files that outlive a kill.

May import the root modules of `staragents`, `rows`, `scoring` and `report`.
"""
