"""Loads a config: reads YAML files and overrides, converts them, and checks them against the domain.

`loading.load_config` is the entry point. The settings themselves are in `staragents.config`.
"""
