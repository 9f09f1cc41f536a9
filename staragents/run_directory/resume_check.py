"""Whether a config may resume the run in a directory, and what it adds to that run."""

from __future__ import annotations

from staragents.agents.agents import prompt_hashes
from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.config.tree import as_dict
from staragents.run_directory.continued import Continued, continued
from staragents.run_directory.run_directory import RunDirectory
from staragents.run_directory.run_state import RunState, is_of
from staragents.validation.loading import additions, changed_keys


def check_resume(run: RunDirectory, config: Config) -> Continued | None:
    """What to resume for this config; None if there is no run yet. Writes nothing.

    Raises BadInput if the folder belongs to a different config, is not a run directory, is damaged, or if
    `output.resume` forbids its state.
    """
    run.check_ours()
    saved = run.state()
    resume = config.output.resume
    if saved is None:
        if resume == "must":
            raise BadInput(f"output.resume: nothing to resume in {run.path}")
        return None
    if resume == "never":
        raise BadInput(f"output.dir: {run.path} already contains a run and output.resume=never")
    found = continued(saved, config)
    check_same_run(run, saved, found.config)
    return found


def check_same_run(run: RunDirectory, saved: RunState, config: Config) -> None:
    """Raises BadInput if a config that makes other results than the saved one, or an edited prompt, would
    continue the run."""
    if not is_of(saved, config) and not additions(saved["config"], as_dict(config)):
        changed = changed_keys(saved["config"], as_dict(config))
        raise BadInput(
            f"output.dir: {run.path} belongs to a different config; changed: {', '.join(changed)}. "
            "Use a different output.dir, the old values to resume, or --overwrite to delete the run."
        )
    prompts = prompt_hashes(config)
    if edited := [key for key, text in saved["prompts"].items() if prompts[key] != text]:
        raise BadInput(
            f"output.dir: {run.path} was written with a different text of {', '.join(edited)}. "
            "Use a different output.dir, or the old text to resume."
        )


def additions_to(run: RunDirectory, config: Config) -> list[str]:
    """Agents and models that `config` adds to the saved run."""
    saved = run.state()
    return (additions(saved["config"], as_dict(config)) or []) if saved is not None else []
