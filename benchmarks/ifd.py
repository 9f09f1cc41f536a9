"""IFD scoring speed, as a ratio to the usual loop and as a share of the FLOP limit.

Baseline: one row at a time, two forward passes with the logits of every token (the Superfiltering and
Cherry_LLM scripts), in the same process with the same number of threads. Limit: 2 N (q + 2a) FLOP for the
backbone of N parameters and 2 d V 2a for the head, at the rate of a large matrix product measured in this
run; padding, prompt logits and attention do not count. Needs torch, transformers, tokenizers, numpy and
pyarrow.

    python benchmarks/ifd.py packaged:smollm2-135m-instruct packaged:gemma-3-270m --data DATA.json.gz
    python benchmarks/ifd.py --random-weights llama-7b --rows 512        # one GPU, nothing to download
"""

from __future__ import annotations

import argparse
import functools
import gzip
import json
import math
import os
import platform
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As in `staragents score`: with long spinning, other processes on the machine would distort the result.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from staragents.base.messages import Message
from staragents.config import Execution
from staragents.scoring.conventions import Passes
from staragents.scoring.ifd import Score, ScoreRow
from staragents.scoring.ifd_model import IfdModel
from staragents.scoring.model_loading import Loading, load

# (layers, hidden, inner, heads, key/value heads, vocabulary size)
RANDOM = {
    "llama-7b": (32, 4096, 11008, 32, 32, 32000),
    "llama-1b": (16, 2048, 8192, 32, 8, 128256),
    "tiny": (2, 64, 128, 4, 2, 512),
}
# Answer and prompt tokens of the synthetic mixes: (median, standard deviation of the logarithm) each.
MIXES = {"short": ((40, 0.6), (20, 0.6)), "long": ((400, 0.4), (150, 0.6)), "mixed": ((120, 1.2), (60, 1.0))}


@dataclass
class Work:
    """The least work needed to score some rows."""

    rows: int
    tokens: int
    answer_tokens: int
    flop: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", help="hub ids, folders or packaged:NAME")
    parser.add_argument("--random-weights", choices=RANDOM, help="a Llama of this size with random weights")
    parser.add_argument("--data", help="JSON or JSON.gz with Alpaca columns, instead of the synthetic mixes")
    parser.add_argument("--mix", choices=MIXES, action="append", help="synthetic lengths; default: all")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each method; the best counts")
    arguments = parser.parse_args()
    if not arguments.models and not arguments.random_weights:
        parser.error("expected a model or --random-weights")
    torch.set_num_threads(arguments.threads)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "CPU"
    print(f"{device}, {arguments.threads} threads, torch {torch.__version__}")
    if arguments.random_weights:
        with tempfile.TemporaryDirectory() as folder:
            save_random(arguments.random_weights, folder)
            benchmark(folder, arguments.random_weights, arguments)
    for model in arguments.models:
        benchmark(resolved(model), model, arguments)


def benchmark(path: str, name: str, arguments: argparse.Namespace) -> None:
    """Print one table: a line per mix and method."""
    chosen = mixes(arguments)
    results: dict[tuple[str, str], tuple[Any, float]] = {}
    memory: dict[Execution, float] = {}
    rates = []
    # One copy of the model at a time, ours first, so that the measured memory is that of scoring alone.
    for way in (Execution.packed, Execution.padded):
        scorer = IfdModel(
            path,
            threads=arguments.threads,
            execution=way,
            batch_tokens=arguments.batch_tokens,
            min_answer_tokens=1,
        )
        for mix, rows in chosen.items():
            step = functools.partial(scorer.score, rows)
            results[mix, way.value] = timed(step, arguments.rounds)
        memory[way] = memory_gib()
    passes = {mix: scorer._passes(rows) for mix, rows in chosen.items()}
    del scorer
    model, tokenizer = load(path, Loading())
    for mix, rows in chosen.items():
        rates.append(peak(model.dtype, model.device))
        results[mix, "naive"] = timed(functools.partial(naive, model, tokenizer, rows), arguments.rounds)
    rate = max(*rates, peak(model.dtype, model.device))
    print(
        f"\n{name}, limits at {rate / 1e12:.3g} TFLOP/s, "
        f"peak memory of packed scoring {memory[Execution.packed]:.2f} GiB"
    )
    print(f"{'rows':8}{'way':>8}{'rows/s':>9}{'ratio':>7}{'of limit':>10}{'worst error':>13}")
    for mix in chosen:
        reference, baseline = results[mix, "naive"]
        work = least_work(model, passes[mix])
        for way in ("naive", "padded", "packed"):
            scores, seconds = results[mix, way]
            print(
                f"{mix:8}{way:>8}{work.rows / seconds:9.2f}{baseline / seconds:7.2f}"
                f"{work.flop / seconds / rate:10.0%}{worst(scores, reference):13.1e}"
            )
        print(
            f"{'':8}limit {work.rows * rate / work.flop:.2f} rows/s; {work.tokens / work.rows:.0f} tokens "
            f"per row, {work.answer_tokens / work.rows:.0f} of them scored"
        )


def timed(step: Callable[[], Any], rounds: int) -> tuple[Any, float]:
    best = math.inf
    for _ in range(rounds):
        started = time.perf_counter()
        result = step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return result, best


@torch.no_grad()
def naive(model: Any, tokenizer: Any, rows: Sequence[ScoreRow]) -> list[tuple[float, float]]:
    """Mean NLLs with and without the prompt: one row at a time, all logits."""
    bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    found = []
    for row in rows:
        prompt, answer = (
            tokenizer(text, add_special_tokens=False)["input_ids"]
            for text in (f"{row.messages[0].content}\n", row.messages[1].content)
        )
        means = []
        for context in ([bos, *prompt], [bos]):
            ids = torch.tensor([context + answer], device=model.device)
            labels = ids.clone()
            labels[0, : len(context)] = -100
            means.append(model(ids, labels=labels).loss.item())
        found.append((means[0], means[1]))
    return found


def worst(scores: Sequence[Score | tuple[float, float]], reference: Sequence[tuple[float, float]]) -> float:
    """Largest relative error of an NLL against the baseline."""
    return max(
        abs(ours - other) / abs(other)
        for score, pair in zip(scores, reference, strict=True)
        for ours, other in zip(
            (score.nll_cond or 0.0, score.nll_direct or 0.0) if isinstance(score, Score) else score,
            pair,
            strict=True,
        )
    )


def least_work(model: Any, rows: Sequence[Passes]) -> Work:
    head = model.get_output_embeddings().weight
    embeddings = {id(p) for p in (head, model.get_input_embeddings().weight)}
    backbone = sum(p.numel() for p in model.parameters() if id(p) not in embeddings)
    spans = [span for row in rows for span in (row.cond, row.direct) if span is not None]
    tokens = sum(len(span.ids) - 1 for span in spans)
    answer_tokens = sum(span.tokens for span in spans)
    flop = 2.0 * backbone * tokens + 2.0 * head.numel() * answer_tokens
    return Work(len(rows), tokens, answer_tokens, flop)


def peak(dtype: torch.dtype, device: torch.device) -> float:
    """FLOP/s of the fastest of several large matrix products."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    out, best = torch.empty_like(a), math.inf
    for _ in range(12):
        _, seconds = timed(lambda: torch.mm(a, b, out=out), 1)
        best = min(best, seconds)
    return 2 * size**3 / best


def mixes(arguments: argparse.Namespace) -> dict[str, list[ScoreRow]]:
    if arguments.data:
        raw = Path(arguments.data).read_bytes()
        rows = json.loads(gzip.decompress(raw) if arguments.data.endswith(".gz") else raw)
        texts = [
            ("\n".join(filter(None, (row["instruction"], row.get("input")))), row["output"])
            for row in rows
            if row["output"].strip()
        ]
        return {"data": [row(*text) for text in texts[: arguments.rows]]}
    return {name: synthetic(MIXES[name], arguments.rows) for name in arguments.mix or MIXES}


def synthetic(mix: tuple[tuple[int, float], tuple[int, float]], rows: int) -> list[ScoreRow]:
    """Rows of random letters: in the tokenizer of the random models, each letter is a token."""
    rng = random.Random(0)

    def text(median: int, spread: float) -> str:
        length = min(1800, max(5, round(rng.lognormvariate(math.log(median), spread))))
        return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=length))

    return [row(text(*mix[1]), text(*mix[0])) for _ in range(rows)]


def row(prompt: str, answer: str) -> ScoreRow:
    return ScoreRow((Message("user", prompt), Message("assistant", answer)))


def save_random(name: str, folder: str) -> None:
    """Save a Llama with random weights and bytes as tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    layers, hidden, inner, heads, kv_heads, vocab_size = RANDOM[name]
    config = LlamaConfig(
        num_hidden_layers=layers, hidden_size=hidden, intermediate_size=inner, num_attention_heads=heads,
        num_key_value_heads=kv_heads, vocab_size=vocab_size, max_position_embeddings=4096,
    )  # fmt: skip
    on_gpu = torch.cuda.is_available()
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if on_gpu else torch.float32)
    with torch.device("cuda" if on_gpu else "cpu"):
        LlamaForCausalLM(config).save_pretrained(folder)
    torch.set_default_dtype(torch.float32)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<s>", "</s>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(
        folder
    )


def resolved(model: str) -> str:
    if not model.startswith("packaged:"):
        return model
    from staragents.models.packaged_models import resolve_model

    return resolve_model(model)


def memory_gib() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
