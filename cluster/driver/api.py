"""The Python API: what `from staragents import optimise, score` imports."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.driver.results import Result, Scored
from cluster.driver.rows_file import file_of
from cluster.terminal.console import safe_console
from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.config.new_config import SUGGESTED, Answers, Engine
from staragents.config.tree import declared
from staragents.files.folders import folder_problem
from staragents.validation.loading import config_of
from staragents.validation.merging import parse_yaml, read_file
from staragents.validation.override_keys import with_setting
from staragents.validation.tree_merge import Tree, merge

SECTIONS = tuple(name for name in declared(Config) if name not in ("seeds", "output"))


def optimise(
    dataset: Any,
    config: str | Path | None = None,
    *,
    output: str | Path = "runs/notebook",
    target: str | None = None,
    larger: str | None = None,
    settings: Mapping[str, Any] | None = None,
    quiet: bool = False,
    overwrite: bool = False,
    **sections: Mapping[str, Any],
) -> Result:
    """Rewrite, score, judge and choose, like `staragents run`; the same call again resumes.

    `dataset`: any value of `seeds.path`, a pandas or polars DataFrame, a `datasets.Dataset`, or an iterable
    of mappings. `config`: a YAML file; default: the packaged small models. `models` and `agents` are mappings
    as in that file and replace its sections; other sections (`evolution`, `judge`, `memory`, ...) are merged
    into it, as are `settings` by dotted key. `target`: the model you will train. `larger`: a stronger model
    of its family. `overwrite` first deletes what `output` holds.

    Raises BadInput with every problem, and RunFailed with all finished work saved. The first Ctrl-C (or the
    stop button of a notebook) finishes and saves the seeds in flight; `Result.finished` is then False.
    """
    from cluster.driver.optimise import optimise as run
    from cluster.terminal.watcher import Watcher

    if unknown := sorted(set(sections) - set(SECTIONS)):
        raise TypeError(f"optimise() got an unexpected keyword {unknown[0]!r}; sections are {SECTIONS}")
    if problem := folder_problem(output := os.path.expanduser(output)):
        raise BadInput(f"output: {problem}")
    problems: list[str] = []
    tree = read_file(Path(os.path.expanduser(config)), problems) if config is not None else _packaged()
    for name, section in sections.items():
        replaces = name in ("models", "agents")
        tree = {**tree, name: dict(section)} if replaces else merge(tree, {name: dict(section)})
    for role, model in (("target", target), ("larger", larger)):
        if model is not None:
            tree = merge(tree, {"scoring": {role: {"model": model}}})
    for key, value in (settings or {}).items():
        # Plain values, which a tuple and a member of an enum become.
        tree = with_setting(tree, key, json.loads(json.dumps(value)), problems)
    if problems:
        raise BadInput(problems)
    tree = merge(tree, {"seeds": {"path": file_of(dataset, Path(output))}, "output": {"dir": str(output)}})
    outcome = run(config_of(tree), Watcher(safe_console(file=sys.stderr), quiet=quiet), overwrite)
    return Result(Path(output), outcome.summary)


def score(
    dataset: Any, target: str, larger: str | None = None, *, output: str | Path | None = None, **options: Any
) -> Scored:
    """IFD of every row, like `staragents score`; `options`: fields of `ScoreSettings` (template, limit, ...).

    `dataset`: as for `optimise`. Without `output`, scores go to a temporary folder.

    Raises BadInput, RunFailed.
    """
    from cluster.terminal.score_progress import ScoreProgress
    from staragents.score_file.output import check_output
    from staragents.score_file.score_job import ScoreJob
    from staragents.score_file.settings import ScoreSettings

    file = Path(os.path.expanduser(output or Path(tempfile.mkdtemp(prefix="staragents-")) / "scores.parquet"))
    check_output(file)
    settings = ScoreSettings(
        data=file_of(dataset, file), target=target, larger=larger, output=file, **options
    )
    with ScoreProgress() as progress:
        return Scored(file, ScoreJob(settings, progress).run())


def _packaged() -> Tree:
    models = SUGGESTED[Engine.packaged]
    answers = Answers(
        "", Engine.packaged, models.writer, models.judge, models.target, models.larger, "runs/notebook"
    )
    return parse_yaml(answers.yaml("notebook"))
