"""Whether a run keeps reasoning: its seeds follow the setting of its response agents."""

from __future__ import annotations

from collections.abc import Iterator

from staragents.config import Config, KeptReasoning


def keeps_reasoning(config: Config) -> bool:
    """Whether the response agent of any pair keeps reasoning. If none does, that of seeds is dropped too, so
    that the dataset's answers are alike."""
    names = {name.partition("+")[2] for name in config.pairs}
    return any(config.agents.response[name].reasoning is KeptReasoning.keep for name in names)


def reasoning_notes(config: Config, seeds: int) -> Iterator[str]:
    """What becomes of the reasoning of `seeds` seeds, if it is dropped. Nothing for 0 seeds."""
    if seeds and not keeps_reasoning(config):
        name = config.pairs[0].partition("+")[2]
        yield (
            f"note: the reasoning of {seeds} seeds is dropped, as every response agent has reasoning=drop; "
            f"agents.response.{name}.reasoning=keep keeps it, in seeds and their earlier turns too"
        )
