"""Has the judge of a run compare what trained students answer with what the untrained student answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

from actors.batched_judge import BatchedJudge
from actors.generator_client import GeneratorClient
from cluster.driver.running_judge import judge_name, only_judge, running_judge
from cluster.session.capacity import of_this_machine
from cluster.session.demand import demand_of
from staragents.agents.verdict import TIE, Verdict
from staragents.base.environment import ray_address
from staragents.base.errors import BadInput, RunFailed
from staragents.base.messages import Conversation
from staragents.config import Compare, Config, EngineKind
from staragents.evaluation.answer_pair import AnswerPair
from staragents.evaluation.caveats import FEW_CONVERSATIONS
from staragents.evaluation.cell import BASE, Cell, CellResult
from staragents.evaluation.held_out import HeldOut
from staragents.evaluation.judge_facts import JudgeFacts
from staragents.evaluation.plan import cell_name
from staragents.evaluation.student_verdicts import StudentVerdicts, verdicts_identity
from staragents.files.atomic_file import write_text
from staragents.models.hub_commit import hub_commit
from staragents.models.model_names import resolve_model
from staragents.scoring.identity import model_identity
from staragents.validation.checks import check_config

VERDICTS = "verdicts"
ENOUGH = 8
"""So many comparisons without any answer show that the judge is dead, and not only a request odd."""
Pairs = Mapping[Cell, Sequence[AnswerPair]]
"""By trained student."""


@dataclass(frozen=True, slots=True)
class Judged:
    """`results` with `wins`, in the order given."""

    results: list[CellResult]
    facts: JudgeFacts
    warnings: list[str]


class StudentJudge:
    """The verdicts of one evaluation, kept in a folder that the caller has locked: a file per student."""

    def __init__(self, config: Config, source: Path, folder: Path, say: Callable[[str], None]) -> None:
        """`config`: of the run in `source`. Starts nothing. Raises BadInput if its judge can't start here."""
        begins = ("judge.", f"models.{config.judge.model}.")
        if problems := [line for line in check_config(config) if line.startswith(begins)]:
            raise BadInput([f"--judge: {source / 'config.yaml'}: {line}" for line in problems])
        # Both answers are to the same instruction, so there is nothing else to compare.
        judge = replace(config.judge, compare=Compare.response_same_instruction, both_orders=True)
        self._config = only_judge(replace(config, judge=judge))
        self._model = self._config.models[judge.model]
        self._folder = folder / VERDICTS
        self._say = say
        self._said: dict[str, float | str] = {}
        """By `pair_id`: w, or why the verdict could not be read."""
        demand = demand_of(self._config)
        if not ray_address():
            of_this_machine().check(demand)

    @property
    def name(self) -> str:
        """The judge's model, or its kind of engine."""
        return judge_name(self._config)

    @property
    def most_requests(self) -> int:
        """About one comparison: in both orders, and again where a verdict can't be read."""
        return 2 * (1 + self._config.judge.retries)

    def judged(
        self, held_out: Sequence[HeldOut], results: Sequence[CellResult], answer_tokens: int
    ) -> Judged:
        """The results, of which all but the untrained student's get `wins`. `answer_tokens`: the maximum of
        an answer.

        Prompts to which the untrained student answers nothing are left out, and a warning counts empty
        answers. Verdicts are saved after each student. A request that fails leaves its comparison without
        one, for the next call to ask. Raises RunFailed if the judge does not start, or after the first
        students if all requests fail and no earlier call has a verdict, and BadInput if there is no room for
        it.
        """
        pairs = _pairs(held_out, results)
        weights = self._weights()
        identities = {cell: verdicts_identity(some, self._config, weights) for cell, some in pairs.items()}
        self._said = {pair.pair_id: TIE.win for some in pairs.values() for pair in some if pair.is_tie}
        for cell, some in pairs.items():
            self._read(cell, some, identities[cell])
        failure = None
        if any(self._left(some) for some in pairs.values()):
            # Ray prints a worker's death to standard output, which may carry JSON.
            with redirect_stdout(sys.stderr), running_judge(self._config, self._say) as generators:
                failure = asyncio.run(self._ask(pairs, identities, generators))
        wins = {cell: self._wins(some) for cell, some in pairs.items()}
        return Judged(
            [replace(one, wins=wins.get(one.cell)) for one in results],
            self._facts(pairs, answer_tokens),
            [*_about_empty(results, answer_tokens), *self._warnings(pairs, failure)],
        )

    async def _ask(
        self, pairs: Pairs, identities: Mapping[Cell, str], generators: GeneratorClient
    ) -> str | None:
        """Ask about all pairs without a verdict; returns why the first failed request did so."""
        judge = BatchedJudge(self._config, self._config.judge, generators)
        asked, tried = [pair for some in pairs.values() for pair in some if not pair.is_tie], 0
        for number, (cell, some) in enumerate(pairs.items(), start=1):
            left = self._left(some)
            async for pair, one in judge.verdicts(left, _compared):
                if one is not None:
                    self._said[pair.pair_id] = one.win if isinstance(one, Verdict) else one.message
            self._save(cell, some, identities[cell])
            self._say(f"judged {number}/{len(pairs)} students, comparisons asked: {len(left)}")
            tried += len(left)
            if tried >= min(ENOUGH, len(asked)) and self._left(asked) == asked:
                raise RunFailed(f"--judge: {self.name} answered nothing: {judge.failure}")
        return judge.failure

    def _left(self, pairs: Sequence[AnswerPair]) -> list[AnswerPair]:
        return [pair for pair in pairs if pair.pair_id not in self._said]

    def _wins(self, pairs: Sequence[AnswerPair]) -> dict[str, float]:
        said = ((pair.conversation_id, self._said.get(pair.pair_id)) for pair in pairs)
        return {name: one for name, one in said if isinstance(one, float)}

    def _unreadable(self, pairs: Sequence[AnswerPair]) -> dict[str, str]:
        said = ((pair.conversation_id, self._said.get(pair.pair_id)) for pair in pairs)
        return {name: one for name, one in said if isinstance(one, str)}

    def _facts(self, pairs: Pairs, answer_tokens: int) -> JudgeFacts:
        return JudgeFacts(
            model=self.name,
            fake=self._model.kind is EngineKind.fake,
            prompts=max(map(len, pairs.values()), default=0),
            answer_tokens=answer_tokens,
            comparisons=sum(map(len, pairs.values())),
            unreadable=sum(len(self._unreadable(some)) for some in pairs.values()),
        )

    def _warnings(self, pairs: Pairs, failure: str | None) -> Iterator[str]:
        unreadable = [one for some in pairs.values() for one in self._unreadable(some).values()]
        failed = sum(len(self._left(some)) for some in pairs.values())
        if unreadable:
            yield f"comparisons without a readable verdict: {len(unreadable)}; the first: {unreadable[0]}"
        if failed:
            yield (
                f"comparisons without a verdict, because a request failed: {failed} ({failure}); run the "
                "same command to ask again"
            )
        prompts = {pair.conversation_id for some in pairs.values() for pair in some}
        if len(prompts) < FEW_CONVERSATIONS:
            yield (
                f"{len(prompts)} judged prompts are few: the intervals of wins are too narrow below about "
                f"{FEW_CONVERSATIONS}"
            )

    def _weights(self) -> str:
        """What the judge's weights are, where they are files here."""
        if self._model.kind is not EngineKind.vllm:
            return self._model.model
        path = resolve_model(self._model.model)
        return model_identity(path, hub_commit(path, self._model.engine_args.get("revision")))

    def _path(self, cell: Cell) -> Path:
        return self._folder / f"{cell_name(cell)}.json"

    def _read(self, cell: Cell, pairs: Sequence[AnswerPair], identity: str) -> None:
        """Take over the verdicts in the folder, if they belong to these answers and this judge."""
        try:
            saved = StudentVerdicts.from_json(self._path(cell).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            self._say(f"{self._path(cell)} can't be read ({reason}): the judge is asked again")
            return
        if saved.identity == identity:
            known: dict[str, float | str] = {**saved.unreadable, **saved.wins}
            self._said |= {p.pair_id: known[p.conversation_id] for p in pairs if p.conversation_id in known}

    def _save(self, cell: Cell, pairs: Sequence[AnswerPair], identity: str) -> None:
        verdicts = StudentVerdicts(identity, self._wins(pairs), self._unreadable(pairs))
        try:
            self._folder.mkdir(exist_ok=True)
            write_text(self._path(cell), verdicts.to_json())
        except OSError as error:
            raise RunFailed(f"--output: can't write {self._path(cell)}: {error.strerror}") from error


def _pairs(held_out: Sequence[HeldOut], results: Sequence[CellResult]) -> Pairs:
    """Of every trained student, in the order of its answers, to prompts that the untrained one answers."""
    prompts = {one.conversation_id: one.prompt for one in held_out}
    untrained = _untrained(results)
    return {
        one.cell: [
            AnswerPair(name, prompts[name], answer, untrained[name])
            for name, answer in (one.answers or {}).items()
            if untrained[name]
        ]
        for one in results
        if one.cell.arm != BASE
    }


def _untrained(results: Sequence[CellResult]) -> Mapping[str, str]:
    """What the untrained student answers."""
    return next(one.answers or {} for one in results if one.cell.arm == BASE)


def _about_empty(results: Sequence[CellResult], answer_tokens: int) -> Iterator[str]:
    """Answers without text, such as those of a student that was still thinking at the maximum."""
    untrained = _untrained(results)
    because = (
        f"a thought that does not end within evaluation.answer_tokens={answer_tokens} leaves no answer, so "
        "raise it for a student that thinks"
    )
    if empty := [name for name, answer in untrained.items() if not answer]:
        yield (
            f"the untrained student answered nothing to {len(empty)} of {len(untrained)} prompts, which are "
            f"not judged: {because}"
        )
    trained = [
        answer
        for one in results
        if one.cell.arm != BASE
        for name, answer in (one.answers or {}).items()
        if untrained[name]
    ]
    if nothing := len(trained) - sum(map(bool, trained)):
        yield f"trained students' answers without text: {nothing} of {len(trained)} judged ones; {because}"


def _compared(pair: AnswerPair) -> tuple[str, Conversation, Conversation]:
    return pair.pair_id, pair.candidate, pair.baseline
