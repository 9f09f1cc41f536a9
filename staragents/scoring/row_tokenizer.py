"""From rows to token sequences: the passes whose losses give the IFD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from staragents.base.errors import BadInput
from staragents.config import Convention, ScoredReasoning, Template
from staragents.scoring.conventions import Passes, Span, exact, superfiltering
from staragents.scoring.ifd import ScoreRow
from staragents.scoring.row_texts import row_texts


class RowTokenizer:
    """A model's tokenizer with the settings that decide which tokens of a row are scored, after which others.

    `max_length` and `min_answer_tokens` count tokens. Raises BadInput if the tokenizer of the model at `path`
    lacks what the settings need.
    """

    def __init__(
        self,
        tokenizer: Any,
        path: str,
        *,
        template: Template,
        convention: Convention,
        reasoning: ScoredReasoning,
        max_length: int,
        min_answer_tokens: int,
    ) -> None:
        self._tokenizer = tokenizer
        # Truncation happens here, so transformers need not warn about long texts.
        self._tokenizer.model_max_length = 1 << 62
        self._bos = self._find_bos(path)
        if template is Template.chat and not self._tokenizer.chat_template:
            raise BadInput(f"template chat: expected a model with a chat template, got {path}")
        self._template = template
        self._convention = convention
        self._reasoning = reasoning
        self._max_length = max_length
        self._min_tokens = min_answer_tokens

    def passes(self, rows: Sequence[ScoreRow]) -> tuple[list[str], list[Passes]]:
        """The scored text and the passes of each row."""
        texts = [row_texts(row.messages, self._template, self._reasoning, self._tokenizer) for row in rows]
        scored = [text.scored for text in texts]
        # A blank answer has tokens but counts as empty.
        answers = [text if text.strip() else "" for text in scored]
        return scored, self._spans([text.prompt for text in texts], answers)

    def scored_bytes(self, span: Span) -> int:
        """UTF-8 bytes of the scored tokens."""
        # Truncation may split a character.
        text = self._tokenizer.decode(span.ids[span.start :]).rstrip("\ufffd")
        return len(text.encode())

    def _spans(self, prompts: list[str], answers: list[str]) -> list[Passes]:
        prompt_ids, answer_ids = self._tokenize(prompts), self._tokenize(answers)
        if self._convention is Convention.superfiltering:
            whole_ids = self._tokenize([p + a for p, a in zip(prompts, answers, strict=True)])
            return [
                superfiltering(p, w, a, max_length=self._max_length, min_tokens=self._min_tokens)
                for p, w, a in zip(prompt_ids, whole_ids, answer_ids, strict=True)
            ]
        return [
            exact(p, a, bos=self._bos, max_length=self._max_length, min_tokens=self._min_tokens)
            for p, a in zip(prompt_ids, answer_ids, strict=True)
        ]

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        # Some tokenizers fail on an empty batch.
        ids: list[list[int]] = self._tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return ids

    def _find_bos(self, path: str) -> int:
        for token in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        raise BadInput(f"expected a tokenizer with a BOS or EOS token, got {path}")
