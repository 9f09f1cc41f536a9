"""Filters that drop or flag rows of the finished dataset; `staragents.run.dataset` applies them row by row.

They look at the text only, after all decisions of the run, and affect neither policy nor memory bank.
Secrets, personal data, blocked words and texts of evaluation sets must not reach a model, so reasoning is
searched, too. Length, repetition, refusals and duplicates concern instruction and answer.
"""
