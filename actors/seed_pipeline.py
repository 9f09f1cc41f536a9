"""The pipeline of one seed: rewrite, answer, score, judge. Knows no policy and no files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from actors.judging import Unreadable, verdict_on
from staragents.agents.agent_pair import AgentPair, candidate_id
from staragents.agents.agents import pairs_from_config
from staragents.agents.kept_reasoning import keeps_reasoning
from staragents.agents.language import SeedLanguages, load_identifier
from staragents.agents.rejects import REASONS, answer_problem, rewrite_problem
from staragents.base.errors import EngineError
from staragents.base.generation import Generation, GenerationRequest
from staragents.base.messages import Conversation, with_exchange, with_inputs
from staragents.base.records import Candidate, Seed, Stage
from staragents.base.redaction import redacted
from staragents.config import Baseline, Compare, Config
from staragents.evolution.policy import Draw, DrawContext, keep_context
from staragents.scoring.ifd import Score, ifd_gap
from staragents.text.printable import printable

Generate = Callable[[str, GenerationRequest], Awaitable[Generation]]


class Scorers(Protocol):
    """A pool of scorers of one model; in tests, one scorer in the same process."""

    def score(self, messages: Conversation) -> Awaitable[tuple[Score, float]]: ...


class SeedPipeline:
    """Generates and evaluates a seed's candidates. Failures are recorded in the candidate, not raised."""

    def __init__(
        self, config: Config, generate: Generate, target: Scorers, larger: Scorers, same_tokenizer: bool
    ) -> None:
        self.config = config
        self._pairs = pairs_from_config(config)
        self._keeps_reasoning = keeps_reasoning(config)
        self._generate = generate
        self._target = target
        self._larger = larger
        self._same_tokenizer = same_tokenizer
        if config.agents.keep_language:
            load_identifier()  # while engines start, so that no seed waits for it

    async def run(self, seed: Seed, draws: Sequence[Draw], context: DrawContext) -> list[Candidate]:
        """All candidates of the seed, in the order of the draws."""
        if not self._keeps_reasoning:
            seed = seed.without_reasoning
        candidates = [self._candidate(seed, drawn, context) for drawn in draws]
        seed_scores = asyncio.gather(
            self._target.score(seed.messages), self._larger.score(seed.messages), return_exceptions=True
        )
        languages = SeedLanguages(seed) if self.config.agents.keep_language else None
        loop = asyncio.get_running_loop()
        written: dict[str, asyncio.Future[None]] = {c.pair: loop.create_future() for c in candidates}
        await asyncio.gather(
            *(self._run(seed, languages, candidate, candidates, written) for candidate in candidates)
        )
        target, larger = await seed_scores
        for candidate in candidates:
            candidate.seed_target_ifd = None if isinstance(target, BaseException) else target[0].ifd
            candidate.seed_larger_ifd = None if isinstance(larger, BaseException) else larger[0].ifd
            candidate.seconds = sum((candidate.stage_seconds or {}).values())
        return candidates

    def _candidate(self, seed: Seed, drawn: Draw, context: DrawContext) -> Candidate:
        pair = self._pairs[drawn.pair]
        candidate = Candidate(
            seed_id=seed.seed_id,
            candidate_id=candidate_id(seed, drawn.pair),
            pair=drawn.pair,
            instruction_agent=pair.instruction.name,
            response_agent=pair.response.name,
            propensity=drawn.propensity,
            seed_messages=seed.messages,
            seed_row=seed.row,
            base=drawn.pair in self.config.agents.base_pairs,
            stage_seconds={},
            stage_tokens={},
        )
        keep_context(candidate, context)
        return candidate

    async def _run(
        self,
        seed: Seed,
        languages: SeedLanguages | None,
        candidate: Candidate,
        candidates: list[Candidate],
        written: Mapping[str, asyncio.Future[None]],
    ) -> None:
        """One candidate, as one task: a seed with more of them takes noticeably more CPU time."""
        try:
            await self._write(seed, languages, candidate)
        finally:
            if not written[candidate.pair].done():  # cancelled with a candidate that waits for it
                written[candidate.pair].set_result(None)
        if not candidate.generated:
            return
        # A kept instruction is scored with the same prompt as the seed's.
        messages = with_inputs(candidate.messages, candidate.seed_messages)
        scores = asyncio.gather(self._target.score(messages), self._larger.score(messages))
        try:
            await self._judge(seed, languages, candidate, candidates, written)
        finally:
            await self._add_scores(candidate, scores)

    async def _write(self, seed: Seed, languages: SeedLanguages | None, candidate: Candidate) -> None:
        pair = self._pairs[candidate.pair]
        instruction = await self._rewrite(pair, seed, languages, candidate)
        if instruction is None:
            return
        agent, context = pair.response, pair.instruction.context(seed)
        request = agent.answer_request(
            context, instruction, candidate.candidate_id, self._run_seed, self._deadline
        )
        generation = await self._ask(candidate, Stage.answer, agent.name, agent.model, request)
        if generation is None:
            return
        answer = agent.clean(generation.text)
        reason = answer_problem(instruction, answer, generation, seed.response, languages)
        if reason:
            candidate.reject(Stage.answer, reason, answer or generation.reasoning)
            return
        candidate.messages = agent.exchange(context, instruction, generation)

    async def _rewrite(
        self, pair: AgentPair, seed: Seed, languages: SeedLanguages | None, candidate: Candidate
    ) -> str | None:
        agent = pair.instruction
        if agent.keeps:
            return seed.instruction
        request = agent.rewrite_request(seed, candidate.candidate_id, self._run_seed, self._deadline)
        generation = await self._ask(candidate, Stage.rewrite, agent.name, agent.model, request)
        if generation is None:
            return None
        rewritten = agent.clean(generation.text)
        reason = rewrite_problem(seed.instruction, rewritten, generation, languages, agent.continues)
        if reason:
            candidate.reject(Stage.rewrite, reason, rewritten or generation.reasoning)
            return None
        return rewritten

    async def _add_scores(
        self,
        candidate: Candidate,
        scores: Awaitable[tuple[tuple[Score, float], tuple[Score, float]]],
    ) -> None:
        try:
            (target, t_seconds), (larger, l_seconds) = await scores
        except Exception as error:
            _fail(candidate, Stage.score, "scorer", error)
            return
        _add(candidate.stage_seconds, Stage.score.value, t_seconds + l_seconds)
        candidate.target_nll_cond, candidate.target_nll_direct = target.nll_cond, target.nll_direct
        candidate.larger_nll_cond, candidate.larger_nll_direct = larger.nll_cond, larger.nll_direct
        candidate.target_ifd, candidate.larger_ifd = target.ifd, larger.ifd
        candidate.target_ifd_bytes, candidate.larger_ifd_bytes = target.ifd_bytes, larger.ifd_bytes
        candidate.target_status, candidate.larger_status = target.status.value, larger.status.value
        candidate.target_tokens, candidate.larger_tokens = target.tokens, larger.tokens
        candidate.answer_bytes = target.answer_bytes
        candidate.ifd_gap = ifd_gap(target, larger, self._same_tokenizer)

    async def _judge(
        self,
        seed: Seed,
        languages: SeedLanguages | None,
        candidate: Candidate,
        candidates: list[Candidate],
        written: Mapping[str, asyncio.Future[None]],
    ) -> None:
        baseline = await self._baseline(seed, languages, candidate, candidates, written)
        if baseline is None:
            return
        ask = partial(self._ask, candidate, Stage.judge, "judge")
        verdict = await verdict_on(
            candidate.candidate_id, candidate.messages, baseline, self.config.judge, self.config, ask
        )
        if isinstance(verdict, Unreadable):
            candidate.error_class, candidate.error_message = Unreadable.__name__, verdict.message
            return
        if verdict is None:
            return
        candidate.judge_win, candidate.judge_agreement = verdict.win, verdict.agreement
        candidate.judge_win_first, candidate.judge_win_second = verdict.win_first, verdict.win_second
        candidate.judge_reason = verdict.reason

    async def _baseline(
        self,
        seed: Seed,
        languages: SeedLanguages | None,
        candidate: Candidate,
        candidates: list[Candidate],
        written: Mapping[str, asyncio.Future[None]],
    ) -> Conversation | None:
        """What the candidate is compared with; None if it is the baseline itself or the baseline failed."""
        settings = self.config.judge
        if settings.compare is Compare.response_same_instruction:
            return await self._same_instruction_baseline(seed, languages, candidate)
        if settings.baseline is Baseline.seed:
            return seed.messages
        base = next(c for c in candidates if c.pair == self.config.agents.base_pairs[0])
        if base is candidate:
            return None
        await written[base.pair]
        # The base sample can fail; the seed is then the only other answer.
        return base.messages if base.generated else seed.messages

    async def _same_instruction_baseline(
        self, seed: Seed, languages: SeedLanguages | None, candidate: Candidate
    ) -> Conversation | None:
        agent = self._pairs[self.config.agents.base_pairs[0]].response
        context, instruction = candidate.messages[:-2], candidate.messages[-2].content
        if (context, instruction) == (seed.context, seed.instruction):
            return seed.messages
        request = agent.answer_request(
            context, instruction, f"{candidate.candidate_id}-baseline", self._run_seed, self._deadline
        )
        generation = await self._ask(candidate, Stage.baseline, agent.name, agent.model, request)
        if generation is None:
            return None
        answer = agent.clean(generation.text)
        # Any candidate would win against a text that is no answer.
        if reason := answer_problem(instruction, answer, generation, seed.response, languages):
            error = EngineError(f"no answer to compare with: {REASONS[reason]}")
            _fail(candidate, Stage.baseline, agent.name, error)
            return None
        return with_exchange(context, instruction, answer)

    async def _ask(
        self, candidate: Candidate, stage: Stage, agent: str, model: str, request: GenerationRequest
    ) -> Generation | None:
        """One generation, its cost added to the candidate; None if the request failed."""
        try:
            generation = await self._generate(model, request)
        except EngineError as error:
            _fail(candidate, stage, agent, error)
            return None
        _add(candidate.stage_seconds, stage.value, generation.seconds)
        candidate.spend(stage, generation.tokens_in, generation.tokens_out, generation.reasoning_tokens)
        return generation

    @property
    def _run_seed(self) -> int:
        return self.config.run.seed

    @property
    def _deadline(self) -> float:
        return self.config.run.deadline_s


def _add(totals: dict[str, float] | None, key: str, amount: float) -> None:
    if totals is not None:
        totals[key] = totals.get(key, 0) + amount


def _fail(candidate: Candidate, stage: Stage, agent: str, error: Exception) -> None:
    candidate.failed_stage, candidate.failed_agent = stage.value, agent
    # An error may quote a model or server, and goes to files and terminals.
    message = printable(redacted(str(error))[:500])
    candidate.error_class, candidate.error_message = type(error).__name__, message
