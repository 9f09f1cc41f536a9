"""The output."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from staragents.config.marks import Location


class Resume(StrEnum):
    auto = "auto"
    never = "never"
    must = "must"


@dataclass
class OutputConfig:
    """The run directory."""

    dir: Annotated[str, Location()] = "runs/run"
    """A path, on a cluster on a file system that all nodes share; `~` is the home folder, and s3://... is
    refused. Created if it does not exist. An existing run with the same config is resumed."""
    resume: Resume = Resume.auto
    """auto resumes an existing run, never refuses to resume, must refuses to start a new run."""
    title: str = "Optimised instruction data"
    """Title of the dataset card and the report."""
    licence: str = "unknown"
    """Licence of the dataset for its card, in the hub's spelling, such as apache-2.0. You must determine it:
    it depends on the seeds and the models."""
