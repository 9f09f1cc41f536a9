"""Finishes a server's answer where the server does not: thoughts, stop strings, log-probabilities."""

from __future__ import annotations

from dataclasses import replace

from actors.engines.capabilities import Capabilities
from actors.engines.openai_thinking import apart, is_unopened
from actors.engines.server_words import ServerWords
from staragents.base.generation import Generation, GenerationRequest
from staragents.config import ModelConfig, Reasoning


class AnswerFinisher:
    """Knows from earlier answers of the model how its thoughts begin."""

    def __init__(self, config: ModelConfig, words: ServerWords) -> None:
        self._config = config
        self._words = words
        self._unopened = False
        """Whether thoughts begin without a tag in the text."""
        self._separates = False
        """Whether the server has returned a thought beside an answer, so that it takes none for the other."""

    def finished(self, answer: Generation, request: GenerationRequest, found: Capabilities) -> Generation:
        """The answer with what the server left to us; notes what the server does not do."""
        answer = self._reclaimed(answer)
        self._unopened = self._unopened or (request.messages is not None and is_unopened(answer.text))
        answer = apart(answer, request, self._unopened and not self._is_off)
        ends = [at for stop in request.sampling.stop if (at := answer.text.find(stop)) >= 0]
        if ends:
            answer = replace(answer, text=answer.text[: min(ends)], finish_reason="stop")
        if request.top_logprobs and not found.logprobs and answer.text and not answer.logprobs:
            self._words.note("returns no log-probabilities; verdicts use only the label")
        return answer

    @property
    def _is_off(self) -> bool:
        return self._config.reasoning is Reasoning.off

    def _reclaimed(self, answer: Generation) -> Generation:
        """With reasoning off, an answer that the server returns as reasoning becomes the text."""
        has_text = bool(answer.text.strip())
        self._separates = self._separates or (bool(answer.reasoning) and has_text)
        if not answer.reasoning or has_text or answer.finish_reason != "stop" or self._separates:
            return answer
        # A reasoning parser that waits for an end tag, which a model does not write if it does not think.
        if not self._is_off:
            self._words.note("returns reasoning without an answer; if these are answers, set reasoning=off")
            return answer
        self._words.note("returns answers as reasoning although reasoning is off; they are used as answers")
        return replace(answer, text=answer.reasoning, reasoning="", reasoning_tokens=0)
