"""From a finished run to what a trainer opens: files in its format, configs, a hub repository.

Reads a run directory and never changes what the run wrote.
"""
