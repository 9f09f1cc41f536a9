"""What a resumed run keeps of the changes that were made to it since its command was first given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from staragents.config import Config
from staragents.config.marks import Mark
from staragents.config.tree import Key, as_dict, escaped, marks
from staragents.run_directory.run_state import RunState
from staragents.validation.loading import config_of


@dataclass(frozen=True)
class Continued:
    """The config with which a run continues, and the dotted names in it that its command does not say."""

    config: Config
    kept: tuple[str, ...]


def continued(saved: RunState, config: Config) -> Continued:
    """`config`, with the agents, models and pairs that the run has and `config` lacks, and with the settings
    that `staragents change` altered. Of these, a setting follows `config` if its value is another one than
    in the command before the change. Raises BadInput if what results is no valid config."""
    kept: list[Key] = []
    ran = saved["config"]
    tree = _merged(as_dict(config), ran, saved.get("given", ran), (), kept)
    if not kept:
        return Continued(config, ())
    return Continued(config_of(escaped(tree)), tuple(".".join(key) for key in kept))


def _merged(now: Any, ran: Any, given: Any, key: Key, kept: list[Key]) -> Any:
    """The value of the setting or section `key` with which the run continues. `now`: in this command,
    `given`: in the one before, `ran`: in the run. Adds keys whose value is not that of `now` to `kept`."""
    if not (isinstance(now, dict) and isinstance(ran, dict)):
        if now == ran or not (_is_changed(key, now, given) or _is_longer(key, now, ran)):
            return now
        kept.append(key)
        return ran
    before = given if isinstance(given, dict) else {}
    merged = {
        name: _merged(value, ran.get(name, value), before.get(name, ...), (*key, name), kept)
        for name, value in now.items()
    }
    if not _is_extensible(key) or ran.keys() <= now.keys():
        return merged
    kept += [(*key, name) for name in ran if name not in now]
    # In the run's order, as that of agents affects draws.
    return {name: merged[name] if name in merged else ran[name] for name in (*ran, *now)}


def _is_changed(key: Key, now: Any, given: Any) -> bool:
    """Whether a setting that differs from the run's was changed in the run, and not in its command."""
    return Mark.live in marks(key) and now == given


def _is_longer(key: Key, now: Any, ran: Any) -> bool:
    """Whether the run has more items in an extensible list."""
    return _is_extensible(key) and isinstance(now, list) and isinstance(ran, list) and set(now) < set(ran)


def _is_extensible(key: Key) -> bool:
    """Whether a setting itself may be extended, not its entries."""
    return Mark.extensible in marks(key) and Mark.extensible not in marks(key[:-1])
