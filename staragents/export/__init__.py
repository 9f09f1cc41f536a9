"""Exports a finished run for trainers: files in their formats, training configs, a hub repository.

Reads a run directory and never changes the run's own files.
"""
