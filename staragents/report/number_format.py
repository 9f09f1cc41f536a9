"""Formats numbers for report and dataset card. None is a dash, because not measured is not zero."""

from __future__ import annotations

DASH = "-"


def number(value: float | None) -> str:
    """1234567 -> 1,234,567; 67.7; 0.184."""
    if value is None:
        return DASH
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if abs(value) >= 10 or value == 0 else f"{value:.3f}"


def short(value: float | None) -> str:
    """1234567 -> 1.2 M."""
    if value is None:
        return DASH
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == ' k' else size):,.1f}{unit}"
    return f"{value:,.0f}"


def share(value: float | None) -> str:
    return DASH if value is None else f"{value:.0%}"


def duration(seconds: float | None) -> str:
    """4000 -> 1 h 7 min."""
    if seconds is None:
        return DASH
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60:,} h {minutes % 60} min"
