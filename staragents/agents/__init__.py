"""Agents, their prompt templates, reject rules for what they write, and the judge. Calls no model itself."""
