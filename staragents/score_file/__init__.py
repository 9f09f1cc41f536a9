"""`staragents score`: computes the IFD of every row of a dataset, resumably."""
