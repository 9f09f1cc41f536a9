"""Explains the outcome of one seed from the saved run."""
