"""Whether the saved run of a variant has drawn its pairs by the variant's config."""

from __future__ import annotations

from staragents.base.errors import BadInput
from staragents.config import Config
from staragents.config.tree import as_dict
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import changed_keys

RETIRED = "agents.retired"


def check_same_draws(run: RunDirectory, config: Config) -> None:
    """A resumed run may add agents and retire them. A variant may not: its earlier seeds would count although
    they were drawn from other agents. Raises BadInput."""
    saved = run.state()
    if saved is None:
        return
    # A model that was only added, such as another judge of the comparison, draws nothing.
    before, now = saved["config"], as_dict(config)
    now["models"] = {name: model for name, model in now["models"].items() if name in before["models"]}
    changed = changed_keys(before, now)
    if before["agents"]["retired"] != config.agents.retired:
        changed.append(RETIRED)
    if changed:
        raise BadInput(
            f"{', '.join(changed)}: expected what the seeds in {run.path} were drawn with, got another "
            "value; use another --output, or delete that folder"
        )
