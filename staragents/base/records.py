"""Seed and Candidate: what goes into a run and what comes out of it."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import sha1
from typing import Any

from staragents.base.messages import Conversation

# An arbitrary namespace, but it must never change, or resumed runs would repeat work.
NAMESPACE = uuid.UUID("7c6b1f0e-3f43-5a43-9d5a-0d0a4e1f2b11")
_NAMESPACE_BYTES = NAMESPACE.bytes

MISALIGNED = "misaligned"
"""Reject reason of a candidate whose instruction does not help predict its answer (IFD > 1)."""

# Prefix of the saved reject reasons that are about the rewritten instruction.
_OF_REWRITE = "rewrite_"


class Stage(StrEnum):
    """The steps of a candidate, in order. `baseline` writes an answer for the judge to compare with."""

    rewrite = "rewrite"
    answer = "answer"
    baseline = "baseline"
    score = "score"
    judge = "judge"


class Status(StrEnum):
    """What became of a candidate."""

    failed = "failed"
    """An actor or engine failed on it."""
    rejected = "rejected"
    """A reject rule matched its instruction or response."""
    misaligned = "misaligned"
    """An IFD is above 1."""
    unjudged = "unjudged"
    """It has no reward, because the judge's verdict was unreadable."""
    lost = "lost"
    """The judge does not prefer it. Without a judge, everything that was not chosen."""
    outranked = "outranked"
    """The judge prefers it, but it was not chosen."""
    chosen = "chosen"


def stable_id(*parts: str) -> str:
    """uuid5 over the parts: the same work has the same id in every run, retry and resume."""
    digest = _digest(parts)
    version_and_variant = (digest[6] & 0x0F | 0x50, digest[8] & 0x3F | 0x80)
    text = bytes(
        (*digest[:6], version_and_variant[0], digest[7], version_and_variant[1], *digest[9:16])
    ).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def stable_seed(*parts: str) -> int:
    """The last 31 bits of a uuid5 over the parts, so that decisions don't depend on completion order."""
    return int.from_bytes(_digest(parts)[12:16]) & 0x7FFFFFFF


def _digest(parts: tuple[str, ...]) -> bytes:
    """What uuid5 is made of. The class of the library takes four times as long."""
    return sha1(_NAMESPACE_BYTES + "\x1f".join(parts).encode(), usedforsecurity=False).digest()


@dataclass(frozen=True, slots=True)
class Seed:
    """A row of the user's dataset: a conversation that ends with the response to improve."""

    seed_id: str
    row: int
    messages: Conversation

    @property
    def instruction(self) -> str:
        """The last user turn."""
        return self.messages[-2].content

    @property
    def response(self) -> str:
        return self.messages[-1].content

    @property
    def context(self) -> Conversation:
        """The system prompt and the turns before the last user turn."""
        return self.messages[:-2]

    @property
    def without_reasoning(self) -> Seed:
        """The same seed, by its id, whose answers have no reasoning."""
        return replace(self, messages=tuple(replace(turn, reasoning_content=None) for turn in self.messages))


@dataclass(slots=True)
class Candidate:
    """One agent pair's rewrite of one seed, with all measurements.

    NLLs are mean nats per answer token; `ifd_gap` is target IFD minus larger IFD; `judge_win` is the
    probability in [0, 1] that the judge prefers the candidate; `propensity` is the probability with
    which the policy included the pair for this seed (1 for base pairs). None means not measured.
    """

    seed_id: str
    candidate_id: str
    pair: str
    instruction_agent: str
    response_agent: str
    propensity: float
    seed_messages: Conversation
    messages: Conversation = ()
    target_nll_cond: float | None = None
    target_nll_direct: float | None = None
    target_ifd: float | None = None
    larger_nll_cond: float | None = None
    larger_nll_direct: float | None = None
    larger_ifd: float | None = None
    ifd_gap: float | None = None
    judge_win: float | None = None
    judge_agreement: bool | None = None
    reward: float | None = None
    selected: bool = False
    reject_reason: str | None = None
    rejected_text: str | None = None
    neighbours: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    # Further columns, needed to recompute, explain and bill a row.
    seed_row: int = 0
    base: bool = False
    domain_similarity: float | None = None
    target_status: str | None = None
    larger_status: str | None = None
    target_tokens: int | None = None
    larger_tokens: int | None = None
    answer_bytes: int | None = None
    target_ifd_bytes: float | None = None
    larger_ifd_bytes: float | None = None
    seed_target_ifd: float | None = None
    seed_larger_ifd: float | None = None
    judge_win_first: float | None = None
    judge_win_second: float | None = None
    judge_reason: str | None = None
    difficulty: float | None = None
    recalled: list[dict[str, Any]] | None = None
    """The nearest outcomes that the draw recalled: {pair, reward, similarity}, most similar first."""
    readings: dict[str, float] | None = None
    """What all recalled outcomes said about each pair (`DrawContext.readings`)."""
    stage_seconds: dict[str, float] | None = None
    stage_tokens: dict[str, int] | None = None
    failed_stage: str | None = None
    failed_agent: str | None = None
    error_class: str | None = None
    error_message: str | None = None

    @property
    def tokens(self) -> int:
        """Prompt and generated tokens, judging included."""
        return self.tokens_in + self.tokens_out

    @property
    def status(self) -> Status:
        """What became of it. Before the commit of its seed, only failures and rejects are known."""
        if self.failed_stage is not None:
            return Status.failed
        if self.reject_reason is not None:
            return Status.misaligned if self.reject_reason == MISALIGNED else Status.rejected
        if self.selected:
            return Status.chosen
        if self.reward is None:
            return Status.unjudged
        return Status.outranked if (self.judge_win or 0.0) > 0.5 else Status.lost

    @property
    def last_stage(self) -> str:
        """The stage at which it failed or was rejected; otherwise the judge's, the last one."""
        if self.failed_stage is not None:
            return self.failed_stage
        return rejected_by(self.reject_reason)[0] if self.reject_reason is not None else Stage.judge

    @property
    def failed(self) -> bool:
        """Whether an actor or engine failed on it. A rejected text is not a failure."""
        return self.status is Status.failed

    @property
    def rejected(self) -> bool:
        """Whether it has a reject reason: a rule matched, or it is misaligned."""
        return self.status in (Status.rejected, Status.misaligned)

    @property
    def has_verdict(self) -> bool:
        """Whether the judge was asked and gave a readable verdict."""
        return self.judge_win is not None and Stage.judge in self.tokens_by_stage()

    @property
    def unreadable(self) -> bool:
        """Whether the judge answered without a readable verdict. `error_message` then shows its answer."""
        return (
            self.judge_win is None
            and Stage.judge in self.tokens_by_stage()
            and self.failed_stage != Stage.judge
        )

    def reject(self, stage: Stage, rule: str, text: str) -> None:
        """Mark it as rejected by a rule on the text that a stage wrote."""
        self.reject_reason = f"{_OF_REWRITE}{rule}" if stage is Stage.rewrite else rule
        self.rejected_text = text

    def spend(self, stage: Stage, tokens_in: int, tokens_out: int, reasoning: int = 0) -> None:
        """Add the tokens of one request. `reasoning`: those of `tokens_out` that were thought."""
        self.stage_tokens = self.stage_tokens or {}
        for way, tokens in (("in", tokens_in), ("out", tokens_out), ("reasoning", reasoning)):
            if way == "reasoning" and not tokens:
                continue
            key = f"{stage}.{way}"
            self.stage_tokens[key] = self.stage_tokens.get(key, 0) + tokens
        self.tokens_in += tokens_in
        self.tokens_out += tokens_out

    def tokens_by_stage(self) -> dict[str, tuple[int, int]]:
        """Prompt and generated tokens of every stage that made a request."""
        tokens = self.stage_tokens or {}
        stages = dict.fromkeys(key.rpartition(".")[0] for key in tokens)
        return {stage: (tokens.get(f"{stage}.in", 0), tokens.get(f"{stage}.out", 0)) for stage in stages}

    def thought_by_stage(self) -> dict[str, int]:
        """Thinking tokens of every stage that had any; part of its generated tokens."""
        tokens = self.stage_tokens or {}
        return {key.removesuffix(".reasoning"): n for key, n in tokens.items() if key.endswith(".reasoning")}

    @property
    def written(self) -> bool:
        """Whether its text passed the reject rules, whatever failed later."""
        return bool(self.messages)

    @property
    def generated(self) -> bool:
        """Whether its text passed the reject rules and nothing failed. IFD may still mark it misaligned."""
        return self.written and self.status not in (Status.failed, Status.rejected)

    @property
    def scored(self) -> bool:
        """Whether it has an IFD under both models."""
        return self.target_ifd is not None and self.larger_ifd is not None


def rejected_by(reason: str) -> tuple[Stage, str]:
    """The stage whose text a saved reject reason is about, and the rule."""
    if reason == MISALIGNED:
        return Stage.score, reason
    rule = reason.removeprefix(_OF_REWRITE)
    return Stage.answer if rule == reason else Stage.rewrite, rule


def as_row(candidate: Candidate) -> dict[str, Any]:
    """Plain Python values, for JSON."""
    return asdict(candidate)
