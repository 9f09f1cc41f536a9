"""Where results go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class OutputConfig:
    """The run directory."""

    dir: str = "runs/run"
    """Created if it does not exist; a run directory of the same config is resumed."""
    resume: str = "auto"
    """auto resumes what is there, never refuses to, must refuses to start anew."""
    title: str = "Optimised instruction data"
    """Heading of the dataset card and the report."""
    licence: str = "unknown"
    """Licence of the dataset for its card, as the hub spells it, such as apache-2.0. Yours to find out: it
    depends on the seeds and on the models."""
