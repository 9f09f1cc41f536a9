"""Filters that drop or flag rows of the finished dataset; `staragents.run.dataset` applies them row by row.

They look at the text only, after all decisions of the run, and affect neither policy nor memory bank.
"""
