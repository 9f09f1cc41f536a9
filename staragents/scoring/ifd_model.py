"""IFD under one causal language model: backbone once per sequence, head on answer tokens only."""

from __future__ import annotations

import hashlib
import logging
import math
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from staragents.base.digest import digest_of
from staragents.base.errors import BadInput, EngineError
from staragents.config import Convention, Execution, ScoredReasoning, Template
from staragents.models.hub_commit import hub_commit
from staragents.scoring.conventions import Passes, Span
from staragents.scoring.identity import model_identity
from staragents.scoring.ifd import Score, ScoreRow, Status
from staragents.scoring.losses import SMALLEST_ROOM, logits_room, token_nlls
from staragents.scoring.model_loading import Loading, load
from staragents.scoring.packed_body import PackedBackbone
from staragents.scoring.padded_body import PaddedBackbone
from staragents.scoring.row_tokenizer import RowTokenizer
from staragents.scoring.span_cache import SpanCache

logger = logging.getLogger(__name__)

# Enough tokens to keep a CPU busy; more exceed its caches.
_CPU_BATCH_TOKENS = 1024
DEFAULT_LOADING = Loading()
# Rows that are sorted and packed together; the next window is tokenised meanwhile.
_WINDOW = 512


class IfdModel:
    """A model and its tokenizer, ready to score.

    `path` is a local folder or hub id; `max_length` and `batch_tokens` count tokens (a CPU batch has at most
    1024). NLLs in `cache` are not computed again; without a cache, equal spans are deduplicated within 512
    rows only. Raises BadInput if the model can't be loaded or can't be scored this way.
    """

    def __init__(
        self,
        path: str,
        *,
        loading: Loading = DEFAULT_LOADING,
        threads: int = 1,
        template: Template = Template.plain,
        convention: Convention = Convention.exact,
        reasoning: ScoredReasoning = ScoredReasoning.ignore,
        execution: Execution = Execution.auto,
        max_length: int = 2048,
        batch_tokens: int = 8192,
        min_answer_tokens: int = 5,
        cache: SpanCache | None = None,
        loaded: tuple[Any, Any] | None = None,
        section: str = "scoring",
    ) -> None:
        """`loaded`: a model in evaluation mode and its tokenizer, to be scored instead of loading `path`, and
        without a cache, as its weights may differ from those at `path`. Its attention may be replaced.
        `section`: of the config, where messages say to change `max_length`."""
        torch.set_num_threads(threads)
        if cache is not None:
            loading = _at_commits(path, loading)
        model, tokenizer = loaded or load(path, loading)
        self._head = model.get_output_embeddings()
        self._logits_room = logits_room(self._head.weight.device)
        config = model.config.get_text_config()
        self._softcap: float | None = getattr(config, "final_logit_softcapping", None)
        self._row_tokenizer = RowTokenizer(
            tokenizer,
            path,
            template=template,
            convention=convention,
            reasoning=reasoning,
            max_length=min(max_length, getattr(config, "max_position_embeddings", None) or max_length),
            min_answer_tokens=min_answer_tokens,
        )
        self._check_logits(model, path)
        self._backbone = self._execution(model, execution, path)
        on_cpu = model.device.type == "cpu"
        self._batch_tokens = min(batch_tokens, _CPU_BATCH_TOKENS) if on_cpu else batch_tokens
        self._cache = cache
        self._section = section
        self._weights = _weights_digest(path, loading, model)
        self.model_name = Path(path).name if Path(path).is_dir() else path
        self.parameters: int = model.num_parameters()
        vocabulary = sorted(tokenizer.get_vocab().items())
        self.tokenizer_id = digest_of(vocabulary)[:16]

    @torch.inference_mode()
    def _execution(self, model: Any, execution: Execution, path: str) -> PackedBackbone | PaddedBackbone:
        if execution is not Execution.padded:
            packed = PackedBackbone(model)
            if packed.works():
                logger.info("scoring with %s in packed batches, attention kernel: %s", path, packed.kernel)
                return packed
            if execution is Execution.packed:
                raise BadInput(f"scoring.execution: expected a model that can be packed, got {path}")
        return PaddedBackbone(model)

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
        """One Score per row, in order. A row's score does not depend on the other rows.

        Raises EngineError if a single sequence exceeds the GPU's memory.
        """
        # Equal sequences are computed once: repeated rows, the direct pass of repeated answers, and both
        # passes of a row without a prompt, whose IFD is therefore exactly 1.
        return self._scored(rows, lambda passes: (passes.cond, passes.direct))

    def score_with_prompt(self, rows: Sequence[ScoreRow]) -> list[Score]:
        """Like `score`, but without the pass that only IFD needs: `nll_direct` is None."""
        return self._scored(rows, lambda passes: (passes.cond,))

    def _scored(
        self, rows: Sequence[ScoreRow], needed: Callable[[Passes], tuple[Span | None, ...]]
    ) -> list[Score]:
        """`needed`: the sequences of a row to compute."""
        windows = [rows[start : start + _WINDOW] for start in range(0, len(rows), _WINDOW)]
        scores: list[Score] = []
        with ThreadPoolExecutor(1, thread_name_prefix="tokenise") as ahead:
            for texts, passes in ahead.map(self._row_tokenizer.passes, windows):
                spans = list(dict.fromkeys(s for p in passes for s in needed(p) if s is not None))
                self._check_ids(spans)
                nlls = self._span_nlls(spans)
                scores += [self._row_score(p, text, nlls) for text, p in zip(texts, passes, strict=True)]
        return scores

    def _row_score(self, passes: Passes, answer: str, nlls: dict[Span, float]) -> Score:
        """Without `nlls` of the direct pass, a score without `nll_direct`."""
        size = len(answer.encode())
        if passes.cond is None or passes.direct is None:
            return Score(None, None, 0, passes.tokens_total, size, passes.status)
        cond, direct = nlls[passes.cond], nlls.get(passes.direct)
        tokens = passes.cond.tokens
        if passes.status is Status.truncated:
            size = self._row_tokenizer.scored_bytes(passes.cond)
        if not math.isfinite(cond) or not math.isfinite(direct or 0.0):
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
        # Convention, template and lengths affect the score only through these tokens.
        content = array("q", (span.start, *span.ids)).tobytes()
        return hashlib.blake2b(content, digest_size=16, key=self._weights).digest()

    def _mean_nlls(self, spans: list[Span]) -> list[float]:
        means: dict[int, float] = {}
        while todo := [index for index in range(len(spans)) if index not in means]:
            # The last token is never an input: nothing after it is scored.
            lengths = [len(spans[index].ids) - 1 for index in todo]
            running: tuple[list[int], torch.Tensor] | None = None
            for batch in self._backbone.batches(lengths, self._batch_tokens):
                indices = [todo[i] for i in batch]
                try:
                    nlls = self._batch_nlls([spans[index] for index in indices])
                except torch.OutOfMemoryError:
                    self._use_less(lengths[batch[0]] if len(batch) == 1 else None)
                    break
                # Read results one batch late, so that the GPU always has a batch queued.
                means |= _means(spans, running)
                running = indices, nlls
            means |= _means(spans, running)
        return [means[index] for index in range(len(spans))]

    def _use_less(self, alone: int | None) -> None:
        """After a GPU ran out of memory, halve the batches and the logits, as either may have been too much;
        `alone`: length of a single-sequence batch."""
        torch.cuda.empty_cache()
        if alone is None:
            logger.warning(
                "out of GPU memory at scoring.batch_tokens=%d: continuing with half of it", self._batch_tokens
            )
            self._batch_tokens = max(1, self._batch_tokens // 2)
        elif self._logits_room <= SMALLEST_ROOM:
            raise EngineError(
                f"out of GPU memory for one sequence of {alone} tokens with {self.model_name}: "
                f"lower {self._section}.max_length"
            )
        # Fewer tokens alone would not shrink them: their number is the same for every batch.
        self._logits_room = max(min(SMALLEST_ROOM, self._logits_room), self._logits_room // 2)

    @torch.inference_mode()
    def _batch_nlls(self, spans: list[Span]) -> torch.Tensor:
        """Float32 NLLs [answer tokens of all spans], on the device."""
        hidden = self._backbone.hidden(spans)
        targets = torch.tensor([token for span in spans for token in span.ids[span.start :]])
        return self._token_nlls(hidden, targets)

    def _token_nlls(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        weight = self._head.weight
        return token_nlls(
            hidden.to(weight.device),
            targets.to(weight.device),
            weight,
            self._head.bias,
            self._softcap,
            self._logits_room,
        )

    def _check_ids(self, spans: list[Span]) -> None:
        """Check ids first: an out-of-range id kills the CUDA context without a useful error. Tokenizers may
        have more tokens than the model if they never produce them (Gemma 3 has one)."""
        vocab_size = len(self._head.weight)
        largest = max((max(span.ids) for span in spans), default=0)
        if largest >= vocab_size:
            name = self.model_name
            raise BadInput(
                f"expected a tokenizer with ids below {vocab_size}, the vocabulary size of {name}, "
                f"got {largest}"
            )

    @torch.inference_mode()
    def _check_logits(self, model: Any, path: str) -> None:
        """Some models transform their logits after the head: reject those we would score incorrectly."""
        probe = torch.arange(8, device=model.device)[None]
        logits = model(input_ids=probe, use_cache=False).logits[0, :-1].float()
        targets = probe[0, 1:]
        expected = torch.nn.functional.cross_entropy(logits, targets.to(logits.device), reduction="none")
        hidden = model.base_model(input_ids=probe, use_cache=False).last_hidden_state[0, :-1]
        got = self._token_nlls(hidden, targets).to(expected.device)
        if not torch.allclose(got, expected, rtol=0.02, atol=0.02):
            raise BadInput(f"expected logits that equal the output head's, got different ones from {path}")


def _means(spans: Sequence[Span], batch: tuple[list[int], torch.Tensor] | None) -> dict[int, float]:
    """Each span's mean NLL by its index, as float64 sum over count."""
    if batch is None:
        return {}
    indices, nlls = batch
    parts = nlls.double().cpu().split([spans[index].tokens for index in indices])
    return {index: part.sum().item() / len(part) for index, part in zip(indices, parts, strict=True)}


def _at_commits(path: str, loading: Loading) -> Loading:
    """NLLs are kept, but a hub id refers to the current state of its branch."""
    adapter = loading.adapter
    return replace(
        loading,
        revision=loading.revision or hub_commit(path),
        adapter_revision=loading.adapter_revision or (hub_commit(adapter) if adapter else None),
    )


def _weights_digest(path: str, loading: Loading, model: Any) -> bytes:
    """Digest of everything that determines the model's output for given token ids."""
    adapter = model_identity(loading.adapter, loading.adapter_revision) if loading.adapter else None
    facts = [model_identity(path), loading.revision, adapter, loading.quantization, str(model.dtype)]
    return bytes.fromhex(digest_of(facts))
