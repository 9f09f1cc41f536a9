"""IFD scoring speed, as a ratio to the usual loop and as a share of the FLOP limit.

Baseline: one row at a time, two forward passes with the logits of every token (the Superfiltering and
Cherry_LLM scripts), in the same process with the same number of threads. Limit: 2 N (q + 2a) FLOP for the
backbone of N parameters and 2 d V 2a for the head, at the rate of a large matrix product measured in this
run; padding, prompt logits and attention do not count. Needs torch, transformers, tokenizers, numpy and
pyarrow. With `--naive-rows`, the baseline scores only the first rows; `ratio` is that of the FLOP/s.

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
from random_llama import SIZES, save_random

sys.path.insert(0, str(Path(__file__).parents[1]))

from staragents.base.messages import Message
from staragents.config import Execution
from staragents.scoring.conventions import Passes
from staragents.scoring.ifd import Score, ScoreRow
from staragents.scoring.ifd_model import IfdModel
from staragents.scoring.model_loading import Loading, load

# Answer and prompt tokens of the synthetic mixes: (median, standard deviation of the logarithm) each.
MIXES = {"short": ((40, 0.6), (20, 0.6)), "long": ((400, 0.4), (150, 0.6)), "mixed": ((120, 1.2), (60, 1.0))}
PROFILED_ROWS = 64


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
    parser.add_argument("--random-weights", choices=SIZES, help="a Llama of this size with random weights")
    parser.add_argument("--data", help="JSON or JSON.gz with Alpaca columns, instead of the synthetic mixes")
    parser.add_argument("--mix", choices=MIXES, action="append", help="synthetic lengths; default: all")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each method; the best counts")
    parser.add_argument(
        "--naive-rows", type=int, help="rows of the baseline, once; default: all, in all rounds"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: the GPU if there is one")
    parser.add_argument("--profile", type=Path, help="write a profile of packed scoring to this file")
    arguments = parser.parse_args()
    arguments.device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not arguments.models and not arguments.random_weights:
        parser.error("expected a model or --random-weights")
    torch.set_num_threads(arguments.threads)
    on_gpu = arguments.device == "cuda"
    device = torch.cuda.get_device_name() if on_gpu else platform.processor() or "CPU"
    print(f"{device}, {arguments.threads} threads, torch {torch.__version__}")
    if arguments.random_weights:
        with tempfile.TemporaryDirectory() as folder:
            save_random(arguments.random_weights, folder, arguments.device)
            benchmark(folder, arguments.random_weights, arguments)
    for model in arguments.models:
        benchmark(resolved(model), model, arguments)


def benchmark(path: str, name: str, arguments: argparse.Namespace) -> None:
    """Print one table: a line per mix and method."""
    chosen = mixes(arguments)
    results: dict[tuple[str, str], tuple[Any, float]] = {}
    memory: dict[Execution, float] = {}
    loading = Loading(device=arguments.device)
    # One copy of the model at a time, ours first, so that the measured memory is that of scoring alone.
    for way in (Execution.packed, Execution.padded):
        scorer = IfdModel(
            path,
            loading=loading,
            threads=arguments.threads,
            execution=way,
            batch_tokens=arguments.batch_tokens,
            min_answer_tokens=1,
        )
        for mix, rows in chosen.items():
            step = functools.partial(scorer.score, rows)
            results[mix, way.value] = timed(step, arguments.rounds)
        memory[way] = memory_gib(arguments.device)
        if way is Execution.packed and arguments.profile:
            write_profile(scorer, chosen, arguments.profile)
        passes = {mix: scorer._row_tokenizer.passes(rows)[1] for mix, rows in chosen.items()}
        del scorer
    model, tokenizer = load(path, loading)
    rates = []
    for mix, rows in chosen.items():
        rates.append(peak(model.dtype, model.device))
        step = functools.partial(naive, model, tokenizer, rows[: arguments.naive_rows])
        results[mix, "naive"] = timed(step, 1 if arguments.naive_rows else arguments.rounds)
    rate = max(*rates, peak(model.dtype, model.device))
    print(
        f"\n{name}, limits at {rate / 1e12:.3g} TFLOP/s, "
        f"peak memory of packed scoring {memory[Execution.packed]:.2f} GiB"
    )
    print(f"{'rows':8}{'way':>8}{'rows/s':>9}{'ratio':>7}{'of limit':>10}{'worst error':>13}")
    for mix in chosen:
        table(mix, model, passes[mix], results, rate)


def table(
    mix: str, model: Any, passes: list[Passes], results: dict[tuple[str, str], tuple[Any, float]], rate: float
) -> None:
    """Print the lines of one mix; `rate` is the limit in FLOP/s."""
    reference, baseline = results[mix, "naive"]
    of_baseline = least_work(model, passes[: len(reference)])
    for way in ("naive", "padded", "packed"):
        scores, seconds = results[mix, way]
        work = of_baseline if way == "naive" else least_work(model, passes)
        ratio = (work.flop / seconds) / (of_baseline.flop / baseline)
        print(
            f"{mix:8}{way:>8}{work.rows / seconds:9.2f}{ratio:7.2f}"
            f"{work.flop / seconds / rate:10.0%}{worst(scores[: len(reference)], reference):13.1e}"
        )
    work = least_work(model, passes)
    print(
        f"{'':8}limit {work.rows * rate / work.flop:.2f} rows/s; {work.tokens / work.rows:.0f} tokens "
        f"per row, {work.answer_tokens / work.rows:.0f} of them scored"
    )


def write_profile(scorer: IfdModel, chosen: dict[str, list[ScoreRow]], path: Path) -> None:
    """Write the operations of packed scoring, for each mix, that take the most time on the device."""
    from torch.profiler import ProfilerActivity, profile

    on_gpu = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    order = "self_cuda_time_total" if on_gpu else "self_cpu_time_total"
    with path.open("w", encoding="utf-8") as file:
        for mix, rows in chosen.items():
            with profile(activities=activities) as found:
                scorer.score(rows[:PROFILED_ROWS])
            text = found.key_averages().table(sort_by=order, row_limit=25, max_name_column_width=60)
            file.write(f"{mix}, {len(rows[:PROFILED_ROWS])} rows\n{text}\n\n")


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


def resolved(model: str) -> str:
    if not model.startswith("packaged:"):
        return model
    from staragents.models.model_names import resolve_model

    return resolve_model(model)


def memory_gib(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
