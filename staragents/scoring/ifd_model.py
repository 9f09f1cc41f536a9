"""IFD of rows under one causal language model: body once a sequence, head on answer rows only."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from staragents.config import Convention, Execution, Template
from staragents.errors import BadInput, EngineError
from staragents.scoring.conventions import Passes, Span, exact, superfiltering
from staragents.scoring.identity import model_identity
from staragents.scoring.ifd import Score, ScoreRow, Status
from staragents.scoring.losses import token_nlls
from staragents.scoring.model_loading import Loading, load
from staragents.scoring.packed_body import PackedBody
from staragents.scoring.padded_body import PaddedBody
from staragents.scoring.span_cache import SpanCache
from staragents.scoring.templates import prompt_text

logger = logging.getLogger(__name__)

# A CPU is busy with this many tokens; more only leave its caches.
_CPU_BATCH_TOKENS = 1024
AS_IT_IS = Loading()
# Rows whose sequences are sorted and packed together; the next so many are tokenised meanwhile.
_WINDOW = 512


class IfdModel:
    """A model and its tokenizer, ready to score.

    `path` is a local folder or hub id, `max_length` and `batch_tokens` count tokens (a CPU takes at most
    1024 at once). What `cache` holds is not computed again; without one, only equal spans of 512 rows are run
    once. Raises BadInput if the model can't be loaded or can't be scored this way.
    """

    def __init__(
        self,
        path: str,
        *,
        loading: Loading = AS_IT_IS,
        threads: int = 1,
        template: Template = Template.plain,
        convention: Convention = Convention.exact,
        execution: Execution = Execution.auto,
        max_length: int = 2048,
        batch_tokens: int = 8192,
        min_answer_tokens: int = 5,
        cache: SpanCache | None = None,
    ) -> None:
        torch.set_num_threads(threads)
        model, self._tokenizer = load(path, loading)
        # Answers are cut here, so transformers need not warn about long texts.
        self._tokenizer.model_max_length = 1 << 62
        self._head = model.get_output_embeddings()
        config = model.config.get_text_config()
        self._softcap: float | None = getattr(config, "final_logit_softcapping", None)
        self._anchor = self._find_anchor(path)
        if template is Template.chat and not self._tokenizer.chat_template:
            raise BadInput(f"template chat: expected a model with a chat template, got {path}")
        self._check_logits(model, path)
        self._body = self._execution(model, execution, path)
        self._template = template
        self._convention = convention
        self._max_length = min(max_length, getattr(config, "max_position_embeddings", None) or max_length)
        on_cpu = model.device.type == "cpu"
        self._batch_tokens = min(batch_tokens, _CPU_BATCH_TOKENS) if on_cpu else batch_tokens
        self._min_tokens = min_answer_tokens
        self._cache = cache
        self._weights = _weights_digest(path, loading, model)
        self.model_name = Path(path).name if Path(path).is_dir() else path
        self.parameters: int = model.num_parameters()
        vocabulary = sorted(self._tokenizer.get_vocab().items())
        self.tokenizer_id = hashlib.sha256(json.dumps(vocabulary).encode()).hexdigest()[:16]

    @torch.inference_mode()
    def _execution(self, model: Any, execution: Execution, path: str) -> PackedBody | PaddedBody:
        if execution is not Execution.padded:
            packed = PackedBody(model)
            if packed.works():
                logger.info("scoring with %s in packs, attention by %s", path, packed.kernel)
                return packed
            if execution is Execution.packed:
                raise BadInput(f"scoring.execution: expected a model that can be packed, got {path}")
        return PaddedBody(model)

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
        """One Score a row, in order. A row's score does not depend on the rows beside it.

        Raises EngineError if a GPU has no memory for a single sequence.
        """
        windows = [rows[start : start + _WINDOW] for start in range(0, len(rows), _WINDOW)]
        scores: list[Score] = []
        with ThreadPoolExecutor(1, thread_name_prefix="tokenise") as ahead:
            for window, passes in zip(windows, ahead.map(self._passes, windows), strict=True):
                scores += self._window_scores(window, passes)
        return scores

    def _window_scores(self, rows: Sequence[ScoreRow], passes: list[Passes]) -> list[Score]:
        # Equal sequences are run once: repeated rows, the direct pass of repeated answers, and both
        # passes of a row without a prompt, whose IFD is therefore exactly 1.
        spans = list(dict.fromkeys(s for p in passes for s in (p.cond, p.direct) if s is not None))
        self._check_ids(spans)
        nlls = self._span_nlls(spans)
        return [
            self._row_score(p, row.messages[-1].content, nlls) for row, p in zip(rows, passes, strict=True)
        ]

    def _passes(self, rows: Sequence[ScoreRow]) -> list[Passes]:
        prompts = [prompt_text(row.messages[:-1], self._template, self._tokenizer) for row in rows]
        # What is nothing but blanks has tokens, but no answer.
        answers = [row.messages[-1].content if row.messages[-1].content.strip() else "" for row in rows]
        prompt_ids, answer_ids = self._tokenize(prompts), self._tokenize(answers)
        if self._convention is Convention.superfiltering:
            whole_ids = self._tokenize([p + a for p, a in zip(prompts, answers, strict=True)])
            return [
                superfiltering(p, w, a, max_length=self._max_length, min_tokens=self._min_tokens)
                for p, w, a in zip(prompt_ids, whole_ids, answer_ids, strict=True)
            ]
        return [
            exact(p, a, anchor=self._anchor, max_length=self._max_length, min_tokens=self._min_tokens)
            for p, a in zip(prompt_ids, answer_ids, strict=True)
        ]

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        # An empty batch is an error in some tokenizers.
        ids: list[list[int]] = self._tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return ids

    def _row_score(self, passes: Passes, answer: str, nlls: dict[Span, float]) -> Score:
        size = len(answer.encode())
        if passes.cond is None or passes.direct is None:
            return Score(None, None, 0, passes.tokens_total, size, passes.status)
        cond, direct = nlls[passes.cond], nlls[passes.direct]
        tokens = passes.cond.tokens
        if passes.status is Status.truncated:
            # The cut may fall inside a character.
            text = self._tokenizer.decode(passes.cond.ids[passes.cond.start :]).rstrip("\ufffd")
            size = len(text.encode())
        if not (math.isfinite(cond) and math.isfinite(direct)):
            return Score(None, None, tokens, passes.tokens_total, size, Status.nonfinite)
        return Score(cond, direct, tokens, passes.tokens_total, size, passes.status)

    def _span_nlls(self, spans: list[Span]) -> dict[Span, float]:
        if self._cache is None:
            return dict(zip(spans, self._mean_nlls(spans), strict=True))
        keys = {span: self._key(span) for span in spans}
        known = self._cache.get(keys.values())
        new = [span for span, key in keys.items() if key not in known]
        fresh = dict(zip(new, self._mean_nlls(new), strict=True))
        self._cache.put({keys[span]: nll for span, nll in fresh.items()})
        return {span: fresh[span] if span in fresh else known[key] for span, key in keys.items()}

    def _key(self, span: Span) -> bytes:
        # Convention, template and lengths only decide which tokens these are.
        content = array("q", (span.start, *span.ids)).tobytes()
        return hashlib.blake2b(content, digest_size=16, key=self._weights).digest()

    def _mean_nlls(self, spans: list[Span]) -> list[float]:
        means: dict[int, float] = {}
        while todo := [index for index in range(len(spans)) if index not in means]:
            # The last token is never an input: nothing after it is scored.
            lengths = [len(spans[index].ids) - 1 for index in todo]
            running: tuple[list[int], torch.Tensor] | None = None
            for batch in self._body.batches(lengths, self._batch_tokens):
                indices = [todo[place] for place in batch]
                try:
                    nlls = self._batch_nlls([spans[index] for index in indices])
                except torch.OutOfMemoryError:
                    self._batch_tokens = self._smaller(lengths[batch[0]] if len(batch) == 1 else None)
                    break
                # Read one batch behind: a GPU has the next one queued while this one's values leave it.
                means |= _means(spans, running)
                running = indices, nlls
            means |= _means(spans, running)
        return [means[index] for index in range(len(spans))]

    def _smaller(self, alone: int | None) -> int:
        """The token budget after the GPU had no memory for a batch, or for the one sequence in it."""
        torch.cuda.empty_cache()
        if alone is not None:
            raise EngineError(
                f"no GPU memory for one sequence of {alone} tokens of {self.model_name}: "
                "lower scoring.max_length"
            )
        logger.warning(
            "no GPU memory for scoring.batch_tokens=%d: going on with half of it", self._batch_tokens
        )
        return max(1, self._batch_tokens // 2)

    @torch.inference_mode()
    def _batch_nlls(self, spans: list[Span]) -> torch.Tensor:
        """Float32 NLLs [answer tokens of all spans], on the device."""
        hidden = self._body.hidden(spans)
        targets = torch.tensor([token for span in spans for token in span.ids[span.start :]])
        return self._token_nlls(hidden, targets)

    def _token_nlls(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        weight = self._head.weight
        return token_nlls(
            hidden.to(weight.device), targets.to(weight.device), weight, self._head.bias, self._softcap
        )

    def _find_anchor(self, path: str) -> int:
        for token in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        raise BadInput(f"expected a tokenizer with a BOS or EOS token, got {path}")

    def _check_ids(self, spans: list[Span]) -> None:
        """A GPU that reads beyond the embeddings fails for good, and says not why. Tokenizers may know more
        words than the model as long as they do not use them (Gemma 3 has one)."""
        words = len(self._head.weight)
        largest = max((max(span.ids) for span in spans), default=0)
        if largest >= words:
            name = self.model_name
            raise BadInput(
                f"expected a tokenizer with ids below {words}, the vocabulary of {name}, got {largest}"
            )

    @torch.inference_mode()
    def _check_logits(self, model: Any, path: str) -> None:
        """Some models scale their logits after the head: refuse what we would score wrongly."""
        probe = torch.arange(8, device=model.device)[None]
        logits = model(input_ids=probe, use_cache=False).logits[0, :-1].float()
        targets = probe[0, 1:]
        expected = torch.nn.functional.cross_entropy(logits, targets.to(logits.device), reduction="none")
        hidden = model.base_model(input_ids=probe, use_cache=False).last_hidden_state[0, :-1]
        got = self._token_nlls(hidden, targets).to(expected.device)
        if not torch.allclose(got, expected, rtol=0.02, atol=0.02):
            raise BadInput(f"expected logits that are the output head's, got other ones from {path}")


def _means(spans: Sequence[Span], batch: tuple[list[int], torch.Tensor] | None) -> dict[int, float]:
    """Each span's mean by its index. Sum and count, divided once."""
    if batch is None:
        return {}
    indices, nlls = batch
    parts = nlls.double().cpu().split([spans[index].tokens for index in indices])
    return {index: part.sum().item() / len(part) for index, part in zip(indices, parts, strict=True)}


def _weights_digest(path: str, loading: Loading, model: Any) -> bytes:
    """Of all that decides what the model says about a sequence of token ids."""
    adapter = model_identity(loading.adapter) if loading.adapter else None
    # A hub id stands for whatever its branch holds now.
    commit = getattr(model.config, "_commit_hash", None)
    facts = [model_identity(path), commit, adapter, loading.quantization, str(model.dtype)]
    return hashlib.sha256(json.dumps(facts).encode()).digest()
