"""Row formats of trainers: one module per format, with pure functions in both directions.

`to_row` raises CantCarry if a format can't represent a sample; nothing is dropped silently.
`staragents.export` writes the files.
"""
