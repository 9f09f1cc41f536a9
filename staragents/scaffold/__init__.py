"""A first config of one's own, from a few answers. Jinja2 and the root modules of `staragents` only."""
