"""The files of a run: layout, locks and damage checks. All code that reads or writes a run uses this."""
