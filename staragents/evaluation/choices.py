"""The alternatives to a run's choice: one option of each seed, or none."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from staragents.base.messages import Conversation
from staragents.base.records import stable_seed
from staragents.evaluation.length_match import length_matched
from staragents.evaluation.run_rows import Option, RunRows, SeedRows

DATASET, SEEDS, RANDOM, RANDOM_LENGTH, JUDGE, IFD, BASE_PAIR = (
    "dataset", "seeds", "random", "random-length", "judge", "ifd", "base",
)  # fmt: skip
PAIR = "pair:"
"""Begins the name of an arm with the candidates of one pair."""
OF_RUNS = (DATASET, RANDOM, RANDOM_LENGTH, JUDGE, IFD, BASE_PAIR)

Rows = Mapping[str, Conversation]
"""The rows of an arm by seed id; seeds without a row of their own are missing."""
Pick = Callable[[SeedRows, RunRows, int], Option | None]


def rows_of(run: RunRows, name: str, seed: int) -> Rows:
    """The own rows of the arm `name`, one of `OF_RUNS` or `PAIR` and a pair, over all seeds of the run."""
    if name == DATASET:
        return {one.seed_id: one.dataset for one in run.seeds.values() if one.dataset is not None}
    if name == RANDOM_LENGTH:
        like = {one.seed_id: one.dataset or one.messages for one in run.seeds.values()}
        return random_of_length(run, like, seed)
    pick = _pair(name.removeprefix(PAIR)) if name.startswith(PAIR) else _PICKS[name]
    picked = ((one.seed_id, pick(one, run, seed)) for one in run.seeds.values())
    return {seed_id: option.messages for seed_id, option in picked if option is not None}


def random_of_length(run: RunRows, like: Rows, seed: int) -> Rows:
    """A random option of each seed in `like` that has options, as for `RANDOM`, with answers as long as those
    that `like` has for the same seeds, in bytes.

    Seeds without options have the same row in both arms, the unchanged seed, so their lengths are no target:
    they would count twice. For `RANDOM_LENGTH`, `like` has the rows of the dataset, kept seeds included."""
    seeds = [one for seed_id, one in run.seeds.items() if one.options and seed_id in like]
    if not seeds:
        return {}
    options = [_ordered(one) for one in seeds]
    chosen = length_matched(
        [[option.answer_bytes for option in of_seed] for of_seed in options],
        [len(like[one.seed_id][-1].content.encode()) for one in seeds],
        [random.Random(stable_seed(str(seed), RANDOM_LENGTH, one.seed_id)).random() for one in seeds],
    )
    return {
        one.seed_id: of_seed[index].messages
        for one, of_seed, index in zip(seeds, options, chosen, strict=True)
    }


def _ordered(seed: SeedRows) -> list[Option]:
    return sorted(seed.options, key=lambda option: option.candidate_id)


def _random(one: SeedRows, run: RunRows, seed: int) -> Option | None:
    number = stable_seed(str(seed), RANDOM, one.seed_id)
    return random.Random(number).choice(_ordered(one)) if one.options else None


def _judge(one: SeedRows, run: RunRows, seed: int) -> Option | None:
    known = [(option.judge_win, option) for option in _ordered(one) if option.judge_win is not None]
    return max(known, key=lambda pair: pair[0])[1] if known else None


def _ifd(one: SeedRows, run: RunRows, seed: int) -> Option | None:
    """Above 1 the instruction does not help to predict the answer."""
    known = [(option.target_ifd, option) for option in _ordered(one) if option.target_ifd is not None]
    below = [pair for pair in known if pair[0] < 1]
    return max(below, key=lambda pair: pair[0])[1] if below else None


def _base(one: SeedRows, run: RunRows, seed: int) -> Option | None:
    return _pair(run.base_pairs[0])(one, run, seed) if run.base_pairs else None


def _pair(name: str) -> Pick:
    def pick(one: SeedRows, run: RunRows, seed: int) -> Option | None:
        return next((option for option in one.options if option.pair == name), None)

    return pick


_PICKS: dict[str, Pick] = {RANDOM: _random, JUDGE: _judge, IFD: _ifd, BASE_PAIR: _base}
