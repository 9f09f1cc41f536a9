"""The settings of an evaluation: those of a run's config, changed by overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from staragents.base.errors import BadInput
from staragents.config import Config, EvaluationConfig
from staragents.validation.plain_overrides import plain_overrides

SECTION = "evaluation."


def is_override(argument: str) -> bool:
    """Whether an argument of the command changes a setting; otherwise it names a run."""
    return argument.startswith(SECTION) and "=" in argument


def evaluation_settings(
    config: Config, overrides: Sequence[str], options: Mapping[str, Any]
) -> EvaluationConfig:
    """The section `evaluation` with `evaluation.KEY=VALUE` and then the `options` that are not None; the
    target of scoring is the student where none is set.

    Raises BadInput with every problem, and without a student: a target with an adapter is none, as students
    are trained from whole models.
    """
    given, tree = plain_overrides(overrides, [])
    named: dict[str, Any] = {name: getattr(given.evaluation, name) for name in tree.get("evaluation", {})}
    named |= {name: value for name, value in options.items() if value is not None}
    settings = replace(config.evaluation, **named)
    target = config.scoring.target
    if not settings.student and target.adapter:
        raise BadInput(
            f"--student: expected a model to train, as scoring.target has the adapter {target.adapter}, "
            f"without which {target.model} is another student: name a folder with both merged, or "
            f"{target.model} itself"
        )
    student = settings.student or target.model
    if student in ("", "fake"):
        raise BadInput(f"--student: expected a model to train, got {student or 'none'}")
    return replace(settings, student=student)
