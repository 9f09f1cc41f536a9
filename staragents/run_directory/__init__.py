"""The files of one run: where they lie, how they are written whole, who may write them, what is damaged.

Imports config, records and errors; everything that reads or writes a run imports this.
"""
