"""The judge's verdicts on the answers of one student."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from staragents.agents.generation_cache import model_facts
from staragents.agents.judge_requests import judge_requests
from staragents.base.digest import digest_of
from staragents.config import Config
from staragents.evaluation.answer_pair import AnswerPair


@dataclass(frozen=True, slots=True)
class StudentVerdicts:
    """By conversation id: `wins`, the probability that the judge prefers the student's answer, and
    `unreadable`, why a verdict could not be read. A conversation whose request failed is in neither."""

    identity: str
    wins: Mapping[str, float]
    unreadable: Mapping[str, str]

    def to_json(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> StudentVerdicts:
        """Raises ValueError if it was not made by `to_json`."""
        try:
            saved = json.loads(text)
            return cls(str(saved["identity"]), _wins(saved["wins"]), dict(saved["unreadable"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


def _wins(saved: Mapping[str, float]) -> dict[str, float]:
    try:
        return {str(name): float(win) for name, win in dict(saved).items()}
    except (TypeError, ValueError) as error:
        raise ValueError(f"wins: {error}") from error


def verdicts_identity(pairs: Sequence[AnswerPair], config: Config, weights: str) -> str:
    """Checksum of everything that determines the verdicts: the judge and its weights, its settings, and all
    that it is asked, prompts and answers included."""
    model = config.models[config.judge.model]
    asked = [
        [asdict(one) for one in judge_requests(
            config.judge, model, pair.pair_id, pair.candidate, pair.baseline, 0, 0.0, config.run.seed
        )]
        for pair in pairs
    ]  # fmt: skip
    return digest_of([model_facts(model), weights, asdict(config.judge), asked])
