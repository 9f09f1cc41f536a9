"""run_state.json: the state for resuming a run, saved with every checkpoint."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, cast

from staragents.agents.agents import prompt_hashes
from staragents.config import Config
from staragents.config.tree import as_dict
from staragents.data.seed_scan import SeedScan
from staragents.evolution.drawn_pairs import DrawnPairs
from staragents.run_directory.file_facts import FileFacts
from staragents.validation.loading import changed_keys, fingerprint

Format = Literal[1]
"""Increment it when the meaning of a key changes."""
FORMAT: Format = 1


ROWS_PER_SHARD = 512
"""At least, while candidates come fast enough."""


def shard_rows(admitted: int) -> int:
    """Candidates after which a checkpoint is written, with `admitted` seeds in flight. The state names these
    seeds: with thousands, writing it for every 512 candidates costs too much."""
    return max(ROWS_PER_SHARD, admitted)


class Shard(FileFacts):
    """A file of candidates/ with committed seeds."""

    name: str


class Naming(TypedDict, total=False):
    """The run's name, and where it holds. Runs of earlier versions lack it until they resume."""

    name: str
    home: str
    """The folder in which the run has this name."""
    home_id: str
    """Device and inode of that folder. A move within a file system keeps them, and a copy has others."""


class RunState(Naming):
    """The run after its first `cursor` seeds. The first checkpoint adds the optional keys."""

    format: Format
    fingerprint: str
    seeds_sha256: str
    seeds: int
    """The number of seeds of the run."""
    prompts: dict[str, str]
    config: dict[str, Any]
    given: NotRequired[dict[str, Any]]
    """The config of the command, where changes while the run was running have made `config` another one."""
    cursor: int
    shards: list[Shard]
    pending: NotRequired[list[dict[str, Any]]]
    """Uncommitted seeds whose pairs are drawn, with their draws."""
    evolution: NotRequired[dict[str, Any]]
    drawn_pairs: NotRequired[list[dict[str, Any]]]
    """The pairs that seeds were drawn from, with the first seed of each change. Runs of earlier versions lack
    it until they resume. The first state has it: seeds may be finished before the first checkpoint."""
    progress: NotRequired[dict[str, Any]]
    stopping: NotRequired[dict[str, Any]]
    ledger: NotRequired[dict[str, Any]]
    seconds: NotRequired[float]
    """Running time, including earlier sessions."""
    inputs: NotRequired[Literal["apart"]]
    """How rows with an input in a column of its own are scored. Runs of earlier versions lack it: they joined
    it to the instruction by an empty line."""
    facts: NotRequired[dict[str, Any]]
    """Facts for the summary that are not in the candidates."""


def first_state(config: Config, scan: SeedScan, given: Config | None = None) -> RunState:
    """The state of a run without committed seeds. `given`: the config of its command, if it is another."""
    state = RunState(
        format=FORMAT,
        fingerprint="",
        seeds_sha256=scan.sha256,
        seeds=scan.seeds,
        prompts={},
        config={},
        inputs="apart",
        cursor=0,
        shards=[],
        drawn_pairs=[DrawnPairs.of(config).state()],
    )
    return with_config(state, config, given or config)


def with_config(state: RunState, config: Config, given: Config) -> RunState:
    """The same progress under another config. `given`: that of the command."""
    changed: RunState = {
        **state,
        "fingerprint": fingerprint(config),
        "prompts": prompt_hashes(config),
        "config": as_dict(config),
    }
    changed.pop("given", None)
    if given != config:
        changed["given"] = as_dict(given)
    return changed


def naming(state: RunState) -> Naming:
    """The part that no progress changes."""
    return cast("Naming", {key: value for key, value in state.items() if key in Naming.__annotations__})


def is_of(state: RunState, config: Config) -> bool:
    """Whether a run with this config makes the results of the saved one. The rule by which a fingerprint was
    saved may be an earlier one, so the saved settings decide where it differs."""
    return state["fingerprint"] == fingerprint(config) or not changed_keys(state["config"], as_dict(config))


NOTHING_COMMITTED = {"seeds": 0, "tokens": 0, "block": [0.0, 0.0], "before": None, "flat": ""}
"""What the stop rules have seen of a run that commits its seeds again."""


def started_anew(state: RunState) -> RunState:
    """The same run without committed seeds: finished ones are committed again from their files. Its running
    time, its decision to end and what the seeds were drawn from stay, since no file has them."""
    anew = RunState(
        format=FORMAT,
        fingerprint=state["fingerprint"],
        seeds_sha256=state["seeds_sha256"],
        seeds=state["seeds"],
        prompts=state["prompts"],
        config=state["config"],
        cursor=0,
        shards=[],
    )
    if "given" in state:
        anew["given"] = state["given"]
    if "inputs" in state:
        anew["inputs"] = state["inputs"]
    if "drawn_pairs" in state:
        anew["drawn_pairs"] = state["drawn_pairs"]
    anew.update(cast("RunState", naming(state)))
    if "seconds" in state:
        anew["seconds"] = state["seconds"]
    if "stopping" in state:
        anew["stopping"] = state["stopping"] | NOTHING_COMMITTED
    return anew
