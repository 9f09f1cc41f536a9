"""Prompt templates as data: `instruction/` rewrites, `response/` answers, `judge.j2` compares.

Copy one, change it and give its path in a config; `staragents.prompt_templates` says how they are read.
"""
