"""Writes a first config from a few answers. Imports only Jinja2 and the root modules of `staragents`."""
