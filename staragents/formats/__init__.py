"""How trainers want their rows: one module a format, pure functions in both directions.

`to_row` raises CantCarry where a format has no place for something; nothing is dropped silently. Imports only
messages and records' schema; the files are written by `staragents.export`.
"""
