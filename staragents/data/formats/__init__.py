"""Row formats of trainers: one module per format, with a pure function from a sample to a row.

`to_row` raises CantCarry if a format can't represent a sample; nothing is dropped silently. Reasoning is
`reasoning_content` of its turn; formats whose trainers read no such field drop it, which is counted.
`staragents.export` writes the files.
"""
