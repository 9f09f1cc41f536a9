"""IFD of rows under one causal language model: body once a sequence, head on answer rows only."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from staragents.config import Convention, Template
from staragents.errors import BadInput
from staragents.scoring.conventions import Passes, Span, exact, superfiltering
from staragents.scoring.ifd import Score, ScoreRow, Status
from staragents.scoring.packing import pack
from staragents.scoring.templates import prompt_text

# Logits in memory at once, in elements: 128 MiB of float32. Gemma's 262k words make 128 rows of it.
_LOGITS = 1 << 25
# A CPU is busy with this many tokens; more only add padding (measured: 8192 takes twice as long).
_CPU_BATCH_TOKENS = 512


class IfdModel:
    """A model and its tokenizer, ready to score.

    `path` is a local folder or hub id, `dtype` a torch name or `auto` (bfloat16 on CUDA, float32 on
    the CPU), `max_length` and `batch_tokens` count tokens (a CPU takes at most 512 at once). Raises
    BadInput if the model can't be loaded or can't be scored this way.
    """

    def __init__(
        self,
        path: str,
        *,
        dtype: str = "auto",
        threads: int = 1,
        template: Template = Template.plain,
        convention: Convention = Convention.exact,
        max_length: int = 2048,
        batch_tokens: int = 8192,
        min_answer_tokens: int = 5,
    ) -> None:
        torch.set_num_threads(threads)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
            model: Any = AutoModelForCausalLM.from_pretrained(
                path, dtype=self._dtype(dtype), trust_remote_code=False
            )
        except (OSError, ValueError) as error:
            raise BadInput(f"can't load the model {path}: {error}") from error
        model.requires_grad_(False).eval().to(self._device)
        # Answers are cut here, so transformers need not warn about long texts.
        self._tokenizer.model_max_length = 1 << 62
        self._body = model.base_model
        self._head = model.get_output_embeddings()
        config = model.config.get_text_config()
        self._softcap: float | None = getattr(config, "final_logit_softcapping", None)
        self._anchor = self._find_anchor(path)
        if template is Template.chat and not self._tokenizer.chat_template:
            raise BadInput(f"scoring.template: expected a model with a chat template, got {path}")
        self._check_logits(model, path)
        self._template = template
        self._convention = convention
        self._max_length = min(max_length, getattr(config, "max_position_embeddings", None) or max_length)
        self._batch_tokens = batch_tokens if self._device == "cuda" else min(batch_tokens, _CPU_BATCH_TOKENS)
        self._min_tokens = min_answer_tokens
        self.model_name = Path(path).name if Path(path).is_dir() else path
        self.parameters: int = model.num_parameters()
        vocabulary = sorted(self._tokenizer.get_vocab().items())
        self.tokenizer_id = hashlib.sha256(json.dumps(vocabulary).encode()).hexdigest()[:16]

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
        """One Score a row, in order. A row's score does not depend on the rows beside it."""
        answers = [row.messages[-1].content for row in rows]
        passes = self._passes(rows, answers)
        # Equal sequences are run once: repeated rows, the direct pass of repeated answers, and both
        # passes of a row without a prompt, whose IFD is therefore exactly 1.
        spans = list(dict.fromkeys(s for p in passes for s in (p.cond, p.direct) if s is not None))
        nlls = dict(zip(spans, self._mean_nlls(spans), strict=True))
        return [self._row_score(p, answer, nlls) for p, answer in zip(passes, answers, strict=True)]

    def _passes(self, rows: Sequence[ScoreRow], answers: list[str]) -> list[Passes]:
        prompts = [prompt_text(row.messages[:-1], self._template, self._tokenizer) for row in rows]
        # What is nothing but blanks has tokens, but no answer.
        answers = [answer if answer.strip() else "" for answer in answers]
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

    def _mean_nlls(self, spans: list[Span]) -> list[float]:
        means = [math.nan] * len(spans)
        # The last token is never an input: nothing after it is scored.
        for batch in pack([len(span.ids) - 1 for span in spans], self._batch_tokens):
            for index, mean in zip(batch, self._batch_nlls([spans[i] for i in batch]), strict=True):
                means[index] = mean
        return means

    @torch.inference_mode()
    def _batch_nlls(self, spans: list[Span]) -> list[float]:
        inputs = torch.zeros(len(spans), max(len(span.ids) for span in spans) - 1, dtype=torch.long)
        for row, span in enumerate(spans):
            inputs[row, : len(span.ids) - 1] = torch.tensor(span.ids[:-1])
        # Padding is on the right, so that causal attention never lets a real token see it, and real
        # tokens sit at the default positions 0, 1, ...: with an explicit mask the values are the same
        # and scaled-dot-product attention loses its causal fast path.
        hidden = self._body(input_ids=inputs.to(self._device), use_cache=False).last_hidden_state
        scored = [hidden[row, span.start - 1 : len(span.ids) - 1] for row, span in enumerate(spans)]
        targets = torch.tensor([token for span in spans for token in span.ids[span.start :]])
        nlls = self._token_nlls(torch.cat(scored), targets.to(self._device)).double().cpu()
        return [part.sum().item() / len(part) for part in nlls.split([span.tokens for span in spans])]

    def _token_nlls(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Float32 NLL [rows] of `targets` [rows] after `hidden` [rows, d]; never all logits at once."""
        rows = max(1, _LOGITS // self._head.weight.shape[0])
        return torch.cat(
            [
                torch.nn.functional.cross_entropy(self._logits(h), t, reduction="none")
                for h, t in zip(hidden.split(rows), targets.split(rows), strict=True)
            ]
        )

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._head(hidden).float()
        if self._softcap is not None:
            logits = torch.tanh(logits / self._softcap) * self._softcap
        return logits

    def _dtype(self, name: str) -> torch.dtype:
        if name == "auto":
            return torch.bfloat16 if self._device == "cuda" else torch.float32
        dtype = getattr(torch, name, None)
        if not isinstance(dtype, torch.dtype):
            raise BadInput(f"dtype: expected auto, float32, bfloat16 or float16, got {name!r}")
        return dtype

    def _find_anchor(self, path: str) -> int:
        for token in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        raise BadInput(f"expected a tokenizer with a BOS or EOS token, got {path}")

    @torch.inference_mode()
    def _check_logits(self, model: Any, path: str) -> None:
        """Some models scale their logits after the head: refuse what we would score wrongly."""
        probe = torch.arange(8, device=self._device)[None]
        expected = model(input_ids=probe, use_cache=False).logits.float()
        got = self._logits(self._body(input_ids=probe, use_cache=False).last_hidden_state)
        if not torch.allclose(got, expected, rtol=0.02, atol=0.02):
            raise BadInput(f"expected logits that are the output head's, got other ones from {path}")
