"""Measures a config's judge on comparisons with a known answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from actors.batched_judge import BatchedJudge
from actors.generator_client import GeneratorClient
from actors.judging import Unreadable
from cluster.driver.running_judge import judge_name, only_judge, running_judge
from cluster.terminal.watcher import Watcher
from staragents.agents.judge_trials import Harm, JudgeTrial, judge_trials
from staragents.agents.verdict import Verdict
from staragents.analysis.judge_calibration import JudgeCalibration, calibration_of
from staragents.base.errors import RunFailed
from staragents.base.messages import Conversation
from staragents.config import Config
from staragents.data.seed_file import SeedFile


def checked_judge(config: Config, seeds: int, watcher: Watcher) -> JudgeCalibration:
    """Load the judge's model alone and ask it about the first `seeds` seeds, each harmed in three ways.

    Raises BadInput for unusable seeds and RunFailed if the model does not start or if no request succeeds.
    """
    trials = list(judge_trials(list(islice(SeedFile(config.seeds).seeds(), seeds))))
    alone = only_judge(config)
    with running_judge(alone, watcher.say) as generators:
        watcher.say(f"asking it about {len(trials)} worse responses")
        said, failure = asyncio.run(_said(alone, trials, generators))
    verdicts = [(harm, one if isinstance(one, Verdict) else None) for harm, one in said if one is not None]
    if failure is not None and not verdicts:
        raise RunFailed(f"--judge: {judge_name(alone)} answered nothing: {failure}")
    failed = [harm for harm, one in said if one is None]
    return calibration_of(verdicts, judge_name(alone), config.reward.margin, failed, failure)


async def _said(
    config: Config, trials: Sequence[JudgeTrial], generators: GeneratorClient
) -> tuple[list[tuple[Harm, Verdict | Unreadable | None]], str | None]:
    """What the judge says about each trial, None if a request failed; and why the first failed."""
    judge = BatchedJudge(config, config.judge, generators)
    said = [(trial.harm, one) async for trial, one in judge.verdicts(trials, _compared)]
    return said, judge.failure


def _compared(trial: JudgeTrial) -> tuple[str, Conversation, Conversation]:
    return trial.trial_id, trial.harmed, trial.seed
