"""What makes two score commands the same: only then are the scores of one those of the other."""

from __future__ import annotations

from typing import Any

from staragents.config import Template
from staragents.data.readers.data_files import DataFiles
from staragents.score_file.input_data import STDIN
from staragents.score_file.loading import commit_of
from staragents.score_file.scan import Scan
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.identity import model_identity

COMMITS = "commits"
# Increment it when a part's columns or their meaning change.
VERSION = 1


def scoring_facts(settings: ScoreSettings, found: Scan, weights: dict[str, str]) -> dict[str, Any]:
    """Everything that the scores depend on: conversations, model weights and options. `weights`: folders or
    hub ids of models and adapters by option. The commits of hub ids are there as far as they are known."""
    commits = {f"--{option}": commit for option, path in weights.items() if (commit := commit_of(path))}
    return {
        "version": VERSION,
        "rows": found.sha256,
        **{
            f"--{option}": [settings.weights[option], model_identity(path)]
            for option, path in weights.items()
        },
        **settings.decides_scores(),
        **_input_rule(found, settings.scoring.template),
        **({COMMITS: commits} if commits else {}),
    }


def command_facts(settings: ScoreSettings, scoring: dict[str, Any], data: DataFiles) -> dict[str, Any]:
    """Everything that the output depends on: the facts of its scores, options that select rows, and the input
    files by size and modification time, as the output also contains columns that are not scored."""
    files = [] if settings.data == STDIN else [file.identity() for file in data.files]
    return {**scoring, **settings.decides_rows(), "DATA": files}


def changed(before: dict[str, Any], now: dict[str, Any]) -> str:
    """The facts that differ, in words for a message; empty if both are of the same command. A commit that one
    of them does not know, such as of an earlier version, may be that of the other."""
    names = {"version": "the format", "rows": "DATA", "inputs": "how rows with an input are scored"}
    known = {**before, **now}
    different = [names.get(k, k) for k in known if k != COMMITS and before.get(k) != now.get(k)]
    commits = now.get(COMMITS, {})
    for option, commit in before.get(COMMITS, {}).items():
        if commits.get(option, commit) != commit:
            different.append(f"{option} on the hub")
    return ", ".join(dict.fromkeys(different))


def with_known_commits(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The facts `now`, of the same command, with the commits that only `before` knows."""
    commits = {**before.get(COMMITS, {}), **now.get(COMMITS, {})}
    return {**now, COMMITS: commits} if commits else now


def _input_rule(found: Scan, template: Template) -> dict[str, str]:
    """Earlier versions joined instruction and input by an empty line before scoring: not the same scores."""
    return {"inputs": "apart"} if found.with_input and template is not Template.chat else {}
