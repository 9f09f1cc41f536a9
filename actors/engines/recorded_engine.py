"""Answers and verdicts from a recorded table: a run without a model."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from staragents.base.errors import BadInput, EngineDead, EngineError
from staragents.base.generation import Generation, GenerationRequest, TokenLogprobs
from staragents.config import ModelConfig
from staragents.replay.recorded_answers import RecordedAnswers
from staragents.text.thinking import split_thinking

# How staragents/agents/prompts/judge.j2 shows each side; must match its fences.
_SIDE = re.compile(r"<(data\w*) ([AB])>\n\s*Instruction: (.*?)\nResponse: (.*?)\n</\1>", re.DOTALL)


class NotRecorded(EngineError):
    """The table has no such answer, so a retry is useless."""

    retryable = False


class RecordedEngine:
    """`model` is an agent of the table, which answers an instruction with its recorded text; or `judge`,
    which returns the recorded win of an answer against the reference.

    Requests without a recorded answer fail. There is no tokenizer, so words are counted as tokens.
    """

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self._answers: RecordedAnswers | None = None

    async def start(self) -> None:
        """Read the table. Raises EngineDead if it can't be read or the agent is not in it."""
        try:
            self._answers = RecordedAnswers.read(self.config.table or "")
        except BadInput as error:
            raise EngineDead(error.problems[0]) from error
        known = sorted(self._answers.agents)
        if self.config.model not in (*known, "judge"):
            raise EngineDead(
                f"{self.config.table}: expected one of {', '.join(known)}, got {self.config.model}"
            )

    async def check(self) -> None:
        """A table never dies."""

    async def stop(self) -> None:
        self._answers = None

    async def generate(self, request: GenerationRequest) -> Generation:
        """Look up the answer. Raises NotRecorded."""
        if self._answers is None:
            raise EngineDead("the table of recorded answers has not been read yet")
        prompt = request.messages[-1].content if request.messages else request.prompt or ""
        words = prompt.count(" ") + 1
        if self.config.model == "judge":
            tokens = _verdict(request.json_schema, self._a_wins(prompt))
            shown = tokens if request.top_logprobs else ()
            return Generation("".join(t.text for t in tokens), "stop", words, len(tokens), 0.0, shown)
        text = self._answers.text(prompt, self.config.model)
        if text is None:
            raise NotRecorded(
                f"no answer of {self.config.model} is recorded for {prompt[:60]!r}; the prompt must be only "
                "the instruction, as in `direct`"
            )
        tokens_out = text.count(" ") + 1
        split = split_thinking(text)
        if not split.found:
            return Generation(text, "stop", words, tokens_out, 0.0)
        thought = tokens_out - split.answer.count(" ") - bool(split.answer)
        return Generation(
            split.answer,
            "length" if split.cut_off else "stop",
            words,
            tokens_out,
            0.0,
            reasoning=split.reasoning,
            reasoning_tokens=max(0, thought),
        )

    def _a_wins(self, prompt: str) -> float:
        """Probability that A is preferred; one side must be a recorded answer, the other the reference."""
        assert self._answers is not None
        sides = {label: (instruction, text) for _, label, instruction, text in _SIDE.findall(prompt)}
        if sides.keys() == {"A", "B"}:
            for label, other in (("A", "B"), ("B", "A")):
                win = self._answers.win(*sides[label])
                if win is not None and self._answers.is_reference(*sides[other]):
                    return win if label == "A" else 1.0 - win
        raise NotRecorded(
            "no verdict on these two texts is recorded; neither may be truncated (judge.max_text_chars)"
        )


def _verdict(schema: dict[str, Any] | None, a_wins: float) -> tuple[TokenLogprobs, ...]:
    """The tokens of a JSON object with the schema's properties, `verdict` with its probabilities."""
    top = {label: math.log(max(p, 1e-12)) for label, p in (("A", a_wins), ("B", 1.0 - a_wins))}
    label = "tie" if a_wins == 0.5 else max(top, key=lambda name: top[name])
    tokens = [TokenLogprobs("{")]
    for name in (schema or {}).get("properties", {"verdict": {}}):
        tokens.append(TokenLogprobs(f'{"," if len(tokens) > 1 else ""}{json.dumps(name)}:"'))
        tokens.append(TokenLogprobs(label, top) if name == "verdict" else TokenLogprobs("recorded verdict"))
        tokens.append(TokenLogprobs('"'))
    return (*tokens, TokenLogprobs("}"))
