"""Scores students on tasks of lm-evaluation-harness. Needs its package, `lm_eval`."""

from __future__ import annotations

import copy
import difflib
import glob
import importlib.metadata
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from staragents.base.chat_rendering import date_in_template
from staragents.base.digest import digest_of
from staragents.base.errors import BadInput, RunFailed
from staragents.data.readers.raw_row import shown
from staragents.evaluation.harness_tasks import HarnessTasks
from staragents.evaluation.packages import check_harness
from staragents.scoring.identity import files_identity

SETTING, FOLDER_SETTING = "--tasks", "--tasks-folder"
SEED = 1234
"""Of few-shot examples and of all else that a task draws; the harness's own default."""
BATCH_ROWS = 8
"""Requests in one batch. A number that adapts to the memory would change the last digits from run to run."""


def checked_tasks(names: Sequence[str], folder: Path | None, limit: int | None) -> HarnessTasks:
    """The tasks `names`, known and loaded once, so that nothing about them fails after training. A tag stands
    for its tasks. `folder`: further task files of the user, whose functions are imported.

    Raises BadInput with a line for each problem: the package is missing, a name is unknown or that of a group
    without a score of its own, a task runs code that a model writes, needs images, or can't be loaded, or its
    score is better when it is lower.
    """
    check_harness()
    if folder is not None and not folder.is_dir():
        raise BadInput(f"{FOLDER_SETTING}: expected a folder with task files, got {shown(str(folder))}")
    where = None if folder is None else str(folder.absolute())
    with _quiet():
        manager = _manager(names, where)
        index = manager.task_index
        if unknown := [_unknown(name, index) for name in names if name not in index]:
            raise BadInput(unknown)
        found = dict.fromkeys(one for name in names for one in _tasks_of(name, index))
        checked = {name: _checked(name, manager) for name in found}
    if problems := [one for one in checked.values() if isinstance(one, str)]:
        raise BadInput(problems)
    prints = {
        name: _fingerprint(name, index[name], where, limit, data)
        for name, data in checked.items()
        if not isinstance(data, str)
    }
    files = {name: file for name in found if (file := _file(index[name])) is not None}
    return HarnessTasks(prints, files, where, limit)


def task_scores(model: Any, tokenizer: Any, tasks: HarnessTasks, chat: bool) -> dict[str, float]:
    """The score of a student by task, where higher is better: the first metric of the task's file, under the
    first of its filters.

    `model` is in evaluation mode. `chat`: apply the tokenizer's chat template. A score does not depend on the
    other tasks; code that a model writes is never run. Raises RunFailed if a task fails.
    """
    from lm_eval.models.huggingface import HFLM

    with _quiet():
        manager = _manager([name for name in tasks.names if name not in tasks.files], tasks.folder)
        student = HFLM(
            pretrained=model,
            # A copy, because the harness may give it a token for padding.
            tokenizer=copy.deepcopy(tokenizer),
            batch_size=BATCH_ROWS,
            trust_remote_code=False,
            chat_template_args={"strftime_now": date_in_template},
            think_end_token=tasks.thought_end,
        )
        return {name: _task_score(student, name, tasks, manager, chat) for name in tasks.names}


def _task_score(student: Any, name: str, tasks: HarnessTasks, manager: Any, chat: bool) -> float:
    from lm_eval import evaluate
    from transformers import set_seed

    try:
        set_seed(SEED)  # some tasks shuffle their choices while they are loaded
        loaded = _loaded(name, manager, tasks.files.get(name))
        for task in loaded["tasks"].values():
            if task.get_config("num_fewshot") is None:
                task.set_config("num_fewshot", 0)
            task.set_fewshot_seed(SEED)
        found = evaluate(
            student,
            loaded,
            limit=tasks.limit,
            apply_chat_template=chat,
            fewshot_as_multiturn=chat,
            bootstrap_iters=0,
            log_samples=False,
            confirm_run_unsafe_code=False,
        )
        metric = _main_metric(_named(loaded, name))
        results = found.get("groups", {}).get(name) or found["results"][name]
        return float(next(value for key, value in results.items() if key.partition(",")[0] == metric))
    except Exception as error:  # a task may raise anything
        raise RunFailed(f"{SETTING}: {name}: {_line(error)}") from error


def _manager(names: Sequence[str], folder: str | None) -> Any:
    """An index of the tasks in the folder, and of the harness's own if a name is not there: to read these
    takes many seconds."""
    from lm_eval.tasks import TaskManager

    own = TaskManager(include_path=folder, include_defaults=False)
    return own if all(name in own.task_index for name in names) else TaskManager(include_path=folder)


def _unknown(name: str, index: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, index, n=3, cutoff=0.6)
    instead = f", did you mean {' or '.join(near)}?" if near else ""
    return f"{SETTING}: expected a task of lm-evaluation-harness, got {shown(name)}{instead}"


def _tasks_of(name: str, index: Mapping[str, Any]) -> list[str]:
    """The tasks of a tag; any other name stands for itself."""
    return sorted(index[name].tags) if index[name].kind.name == "TAG" else [name]


def _checked(name: str, manager: Any) -> list[Path] | str:
    """The local files with the data of a known task, or why it can't score a student, found by loading it."""
    if (manager.task_index[name].cfg or {}).get("unsafe_code"):
        return f"{SETTING}: expected a task that runs no code of a model, got {name}"
    try:
        loaded = _loaded(name, manager)
        leaves = list(loaded["tasks"].values())
        if any(getattr(leaf, "UNSAFE_CODE", False) for leaf in leaves):
            return f"{SETTING}: expected a task that runs no code of a model, got {name}"
        if any(getattr(leaf, "MULTIMODAL", False) for leaf in leaves):
            return f"{SETTING}: expected a task of texts only, got {name}"
        metric = _main_metric(_named(loaded, name))
        if metric is None:
            some = ", ".join(leaf.task_name for leaf in leaves[:3])
            return f"{SETTING}: expected tasks, got the group {name}, which has no score; it has {some}, ..."
        if not leaves[0].higher_is_better().get(metric, True):
            return f"{SETTING}: expected a score that is better when it is higher, got {metric} of {name}"
        return [file for leaf in leaves for file in local_data(leaf.get_config("dataset_kwargs"))]
    except Exception as error:  # a task may raise anything
        return f"{SETTING}: {name} can't be loaded: {_line(error)}"


def _file(entry: Any) -> str | None:
    """The file of a task, which is all that it takes to load it, relative to the harness's own tasks if it is
    one of them: another node may have them elsewhere."""
    if entry.kind.name == "GROUP" or entry.yaml_path is None:
        return None
    path = Path(entry.yaml_path).absolute()
    return str(path.relative_to(_own_tasks()) if path.is_relative_to(_own_tasks()) else path)


def _own_tasks() -> Path:
    import lm_eval.tasks

    return Path(lm_eval.tasks.__file__).absolute().parent


def _loaded(name: str, manager: Any, file: str | None = None) -> Any:
    """The task, or the group with its tasks, with data, from its file or the manager's index."""
    return manager.load([name if file is None else str(_own_tasks() / file)])


def _named(loaded: Any, name: str) -> Any:
    return loaded["groups"][name] if name in loaded["groups"] else loaded["tasks"][name]


def _main_metric(named: Any) -> str | None:
    """The first metric in the file of a task or group; None for a group that does not aggregate any."""
    if hasattr(named, "aggregation"):
        return str(next(iter(named.aggregation())))
    return str(named.aggregate_metric_list[0].metric) if named.aggregate_metric_list else None


def _fingerprint(name: str, entry: Any, folder: str | None, limit: int | None, data: Sequence[Path]) -> str:
    """Data on a hub are taken not to change. Any change in the folder counts for all tasks from there, and
    one of local `data` elsewhere for their task."""
    path = entry.yaml_path
    files = None
    if folder is not None and path is not None and path.absolute().is_relative_to(folder):
        files = files_identity(file for file in Path(folder).rglob("*") if "__pycache__" not in file.parts)
        data = [file for file in data if not file.is_relative_to(folder)]
    elsewhere = [files_identity(data)] if data else []
    return digest_of([name, limit, importlib.metadata.version("lm_eval"), files, *elsewhere])


def local_data(kwargs: Mapping[str, Any] | None) -> list[Path]:
    """The files here that `data_files` of a task's `dataset_kwargs` names: paths or patterns, one, several,
    or by split."""
    named = (kwargs or {}).get("data_files") or []
    by_split = named.values() if isinstance(named, Mapping) else [named]
    patterns = [one for some in by_split for one in ([some] if isinstance(some, str) else some)]
    found = (Path(file) for one in patterns for file in glob.glob(str(one), recursive=True))
    return sorted({file.absolute() for file in found if file.is_file()})


def _line(error: Exception) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """The harness logs every task, and tasks print; standard output may carry JSON."""
    harness, others = logging.getLogger("lm_eval"), logging.getLogger("datasets")
    levels = harness.level, others.level
    try:
        harness.setLevel(logging.ERROR)
        others.setLevel(logging.ERROR)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        harness.setLevel(levels[0])
        others.setLevel(levels[1])
