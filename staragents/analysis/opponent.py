"""What the judge compared a candidate with, read from the saved candidates of its seed."""

from __future__ import annotations

from typing import NamedTuple

from staragents.base.messages import Conversation
from staragents.base.records import Candidate
from staragents.config import Baseline, Compare, Config


class Opponent(NamedTuple):
    """The other side of a verdict, in words and as a conversation, which is None if it was not saved."""

    name: str
    messages: Conversation | None

    @classmethod
    def of(cls, candidate: Candidate, candidates: list[Candidate], config: Config) -> Opponent:
        """That of one of the `candidates` of a seed (see `actors.seed_pipeline`)."""
        seed = cls("the seed", candidate.seed_messages)
        if config.judge.compare is Compare.response_same_instruction:
            keeps = candidate.messages[:-1] == candidate.seed_messages[:-1]
            return seed if keeps else cls("the base agent's answer to its instruction", None)
        if config.judge.baseline is Baseline.seed:
            return seed
        base = next((one for one in candidates if one.pair == config.agents.base_pairs[0]), None)
        if base is None or base is candidate or (base.failed and base.written):
            # If the sample failed during scoring, it is unknown whether the judge saw it or the seed.
            return cls("its baseline", None)
        return cls("the base pair's sample", base.messages) if base.written else seed
