"""Turns conversations into the tokens that a student is trained on."""

from __future__ import annotations

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.config import ScoredReasoning, Template
from staragents.models.hub_commit import hub_commit
from staragents.models.tokenizer_loading import load_tokenizer
from staragents.scoring.conventions import Span, exact
from staragents.scoring.identity import model_identity
from staragents.scoring.model_loading import load_failure
from staragents.scoring.row_texts import row_texts
from staragents.text.thought_end import thought_end


class Student:
    """The tokenizer of a model to train, with the template and the length that all its cells share.

    `revision`: the commit of a hub id that all cells load, so that a change on the hub can't divide them.
    """

    def __init__(self, path: str, template: Template | None, max_length: int) -> None:
        """`path` is a local folder or hub id. `max_length` counts the tokens of prompt and answer; that
        of the model may be lower. Template None: chat if the tokenizer has one, else plain.

        Raises BadInput if the tokenizer can't be loaded, or lacks a chat template for `chat`, or an EOS;
        TemporaryFailure if the hub was too slow or too busy.
        """
        from transformers import AutoConfig

        try:
            self.revision = hub_commit(path)
            revision = self.revision or "main"
            config = AutoConfig.from_pretrained(path, trust_remote_code=False, revision=revision)
            context = getattr(config.get_text_config(), "max_position_embeddings", None)
            self._tokenizer = load_tokenizer(path, self.revision)
        except Exception as error:  # each library raises its own types
            raise load_failure(f"--student: can't load {path}", error) from error
        self._tokenizer.model_max_length = 1 << 62  # answers are cut here; transformers need not warn
        if self._tokenizer.eos_token_id is None:
            raise BadInput(f"--student: expected a tokenizer with an EOS token, got {path}")
        chat = bool(self._tokenizer.chat_template)
        if template is Template.chat and not chat:
            raise BadInput(f"evaluation.template: expected a model with a chat template for chat, got {path}")
        self.path = path
        self.template = template or (Template.chat if chat else Template.plain)
        self.max_length = min(max_length, context or max_length)
        bos = self._tokenizer.bos_token_id
        self._eos = int(self._tokenizer.eos_token_id)
        self._bos = self._eos if bos is None else int(bos)

    @property
    def identity(self) -> str:
        """Changes with the student's weights."""
        return model_identity(self.path, self.revision)

    @property
    def thought_end(self) -> int | None:
        """The token with which it ends a thought, if it has one."""
        return thought_end(self._tokenizer)

    def tokens(self, messages: Conversation) -> Span | None:
        """BOS, prompt, answer and EOS of a conversation; only answer and EOS are trained.

        The prompt is rendered and tokenised as in scoring, and all earlier turns are part of it. Reasoning is
        left out. An answer that is too long is cut, and then has no EOS. None if the prompt leaves no room.
        """
        texts = row_texts(messages, self.template, ScoredReasoning.ignore, self._tokenizer)
        prompt, answer = (self._ids(text) for text in (texts.prompt, texts.scored))
        answer.append(self._eos)
        return exact(prompt, answer, bos=self._bos, max_length=self.max_length, min_tokens=1).cond

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids
