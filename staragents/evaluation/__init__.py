"""Trains students on what a run made and on alternatives to it, and measures whether that helped."""
