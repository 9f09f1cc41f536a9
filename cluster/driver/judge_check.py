"""Measures a config's judge on comparisons whose truth is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import islice

from actors.common_judge import ask_or_none
from actors.generator_client import GeneratorClient
from actors.judging import verdict_on
from cluster.driver.running_judge import judge_name, only_judge, running_judge
from cluster.terminal.watcher import Watcher
from staragents.agents.judge import Verdict
from staragents.agents.judge_trials import Harm, JudgeTrial, judge_trials
from staragents.analysis.judge_calibration import JudgeCalibration, calibration_of
from staragents.config import Config
from staragents.data.seed_file import SeedFile


def checked_judge(config: Config, seeds: int, watcher: Watcher) -> JudgeCalibration:
    """Load the judge's model alone and ask it about the first `seeds` seeds, each harmed in three ways.

    Raises BadInput for unusable seeds and RunFailed if the model does not start.
    """
    trials = list(judge_trials(list(islice(SeedFile(config.seeds).seeds(), seeds))))
    alone = only_judge(config)
    with running_judge(alone, watcher.say) as generators:
        watcher.say(f"asking it about {len(trials)} worse responses")
        verdicts = asyncio.run(_verdicts(alone, trials, generators))
    return calibration_of(verdicts, judge_name(alone), config.reward.margin)


async def _verdicts(
    config: Config, trials: Sequence[JudgeTrial], generators: GeneratorClient
) -> list[tuple[Harm, Verdict | None]]:
    ask = partial(ask_or_none, generators)
    found = await asyncio.gather(
        *(verdict_on(trial.trial_id, trial.harmed, trial.seed, config.judge, config, ask) for trial in trials)
    )
    return [
        (trial.harm, verdict if isinstance(verdict, Verdict) else None)
        for trial, verdict in zip(trials, found, strict=True)
    ]
