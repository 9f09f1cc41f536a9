"""Row formats of trainers: one module per format, with a pure function from a sample to a row.

`to_row` raises CantCarry if a format can't represent a sample; nothing is dropped silently.
`staragents.export` writes the files.
"""
