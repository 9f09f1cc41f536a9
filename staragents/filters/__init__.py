"""What the finished dataset leaves out or marks: `staragents.dataset` asks, row by row.

Rules on the text alone, after all decisions of the run: nothing here reaches the policy or the memory bank.
"""
