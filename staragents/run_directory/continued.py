"""What a resumed run keeps of the changes that were made to it since its command was first given."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from staragents.config import Config
from staragents.config.marks import Mark
from staragents.config.tree import Key, as_dict, escaped, marks
from staragents.run_directory.run_state import RunState
from staragents.validation.loading import saved_config


@dataclass(frozen=True)
class Continued:
    """The config with which a run continues, and the dotted names in it that its command does not say."""

    config: Config
    kept: tuple[str, ...]


def about_kept(kept: Collection[str]) -> list[str]:
    """What to say of the settings `kept`: a line, or none without any."""
    return [f"kept from changes to this run: {', '.join(kept)}"] if kept else []


def continued(saved: RunState, config: Config) -> Continued:
    """`config`, with the agents, models and pairs that `staragents change` added to the run, and with the
    settings that it altered. Of these, a setting follows `config` if its value is another one than in the
    command before the change. Raises BadInput if what results is no valid config."""
    kept: list[Key] = []
    ran = saved["config"]
    tree = _merged(as_dict(config), ran, saved.get("given", ran), (), kept)
    if not kept:
        return Continued(config, ())
    return Continued(saved_config(escaped(tree)), tuple(".".join(key) for key in kept))


def _merged(now: Any, ran: Any, given: Any, key: Key, kept: list[Key]) -> Any:
    """The value of the setting or section `key` with which the run continues. `now`: in this command,
    `given`: in the one before, `ran`: in the run. Adds keys whose value is not that of `now` to `kept`."""
    if isinstance(now, dict) and isinstance(ran, dict):
        return _merged_section(now, ran, given if isinstance(given, dict) else {}, key, kept)
    if isinstance(now, list) and isinstance(ran, list) and _is_extensible(key):
        added = _added(now, ran, given if isinstance(given, list) else ())
        kept += [key] if added else []
        return _in_order(ran, now, added) if added else now
    if now == ran or now != given or Mark.live not in marks(key):
        return now
    kept.append(key)
    return ran


def _merged_section(
    now: dict[str, Any], ran: dict[str, Any], given: dict[str, Any], key: Key, kept: list[Key]
) -> dict[str, Any]:
    merged = {
        name: _merged(value, ran.get(name, value), given.get(name, ...), (*key, name), kept)
        for name, value in now.items()
    }
    if not (_is_extensible(key) and (added := _added(now, ran, given))):
        return merged
    kept += [(*key, name) for name in added]
    return {name: merged[name] if name in merged else ran[name] for name in _in_order(ran, now, added)}


def _added(now: Collection[str], ran: Collection[str], given: Collection[str]) -> list[str]:
    """What a change added to an extensible setting: names of entries, or items. Those of the earlier command
    that this one lacks were removed by the user, which a run refuses."""
    return [name for name in ran if name not in now and name not in given]


def _in_order(ran: Collection[str], now: Collection[str], added: Collection[str]) -> list[str]:
    """Those of `now` and `added`, first in the run's order, as that of agents affects draws."""
    return [name for name in dict.fromkeys((*ran, *now)) if name in now or name in added]


def _is_extensible(key: Key) -> bool:
    """Whether a setting itself may be extended, not its entries."""
    return Mark.extensible in marks(key) and Mark.extensible not in marks(key[:-1])
