"""The files of a run: layout, atomic writes, locks and damage checks.

Imports config, records and errors; all code that reads or writes a run uses this package.
"""
