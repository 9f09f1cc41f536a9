"""Reads a dataset's files as a stream of raw rows and parses raw rows into conversations."""
