"""Whether IFD scores on a device are right: every execution, attention kernel and number of rows at a time.

    python benchmarks/ifd_correctness.py                 # the GPU if there is one
    python benchmarks/ifd_correctness.py --device cpu

Reference: the naive loop (one row at a time, all logits) in float32 on the CPU, on small models with random
weights: grouped heads, sliding windows, biases, a LoRA adapter. Then, on a GPU: a score does not change when
memory runs out and batches are halved. Prints a line per check; exit code 1 if one fails. Needs what `ifd.py`
needs, and peft for the adapter.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from ifd import MIXES, naive, synthetic, worst
from random_llama import save

sys.path.insert(0, str(Path(__file__).parents[1]))

from staragents.base.errors import StarAgentsError
from staragents.config import Execution
from staragents.scoring import packed_attention
from staragents.scoring.ifd import Score, ScoreRow
from staragents.scoring.ifd_model import IfdModel
from staragents.scoring.model_loading import Loading, load

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 5e-3}
"""Largest relative error of an NLL. On a GPU, float32 products may not use TF32 (torch's default)."""
WINDOW = 64
COMMON: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 260,
    "max_position_embeddings": 4096,
}
OUT_OF_MEMORY_ROWS = 256
# Packs of so many tokens need more than what is left of the GPU below.
LARGE_BATCH = 1 << 20
LEFT_BYTES = 1 << 29


def models() -> dict[str, tuple[Any, Any]]:
    """Class and config by name."""
    import transformers as hf

    return {
        "llama, grouped heads": (hf.LlamaForCausalLM, hf.LlamaConfig(**COMMON)),
        "mistral, sliding window": (
            hf.MistralForCausalLM,
            hf.MistralConfig(**COMMON, sliding_window=WINDOW),
        ),
        "qwen 2, biases": (hf.Qwen2ForCausalLM, hf.Qwen2Config(**COMMON)),
        "gemma 3, both windows": (
            hf.Gemma3ForCausalLM,
            hf.Gemma3TextConfig(
                **COMMON, head_dim=64, sliding_window=WINDOW,
                layer_types=["sliding_attention", "full_attention"] * 2,
            ),
        ),
    }  # fmt: skip


class Checks:
    """Prints each check and remembers whether one failed."""

    failed = False

    def add(self, name: str, good: bool, found: str) -> None:
        print(f"{'ok' if good else 'FAILED':<8}{name:<84}{found}", flush=True)
        self.failed |= not good

    def close(
        self, name: str, scores: list[Score], reference: list[tuple[float, float]], limit: float
    ) -> None:
        error = worst(scores, reference)
        self.add(name, error <= limit, f"worst error {error:.1e}, at most {limit:.0e}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: the GPU if there is one")
    parser.add_argument("--rows", type=int, default=24)
    arguments = parser.parse_args()
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    checks = Checks()
    rows = [one for mix in MIXES.values() for one in synthetic(mix, arguments.rows // len(MIXES))]
    for name, (kind, config) in models().items():
        with tempfile.TemporaryDirectory() as folder:
            save(kind, config, folder, "cpu", torch.float32)
            check_model(checks, name, folder, rows, device)
            if name.startswith("llama"):
                check_adapter(checks, folder, rows, device)
                check_memory(checks, folder, device)
    sys.exit(checks.failed)


def check_model(checks: Checks, name: str, folder: str, rows: list[ScoreRow], device: str) -> None:
    """Padded, packed with each kernel, and row by row, in each dtype."""
    reference = naive(*load(folder, Loading(device="cpu")), rows)
    for dtype in (torch.float32, torch.bfloat16, torch.float16) if device == "cuda" else (torch.float32,):
        limit, short = TOLERANCE[dtype], str(dtype).removeprefix("torch.")
        for way, make in executions(folder, Loading(dtype=short, device=device)):
            label = f"{name}, {short}, {way}"
            try:
                scorer = make()
                scores = scorer.score(rows)
                alone = [score for one in rows for score in scorer.score([one])]
            except (StarAgentsError, RuntimeError, TypeError) as error:
                checks.add(label, False, f"{type(error).__name__}: {error}".splitlines()[0])
                continue
            checks.close(f"{label}, all rows at once", scores, reference, limit)
            checks.close(f"{label}, one by one", alone, reference, limit)


def executions(folder: str, loading: Loading) -> Iterator[tuple[str, Callable[[], IfdModel]]]:
    """Each way to run a model, with a function that loads the model for it."""

    def padded() -> IfdModel:
        return IfdModel(folder, loading=loading, execution=Execution.padded, min_answer_tokens=1)

    yield "padded", padded
    dtype = getattr(torch, loading.dtype)
    for name, kernel in packed_attention.kernels(loading.device, dtype).items():

        def packed(only: dict[str, packed_attention.Kernel] = {name: kernel}) -> IfdModel:  # noqa: B006
            with patch.object(packed_attention, "kernels", lambda *_: only):
                return IfdModel(folder, loading=loading, execution=Execution.packed, min_answer_tokens=1)

        yield f"packed by {name}", packed


def check_adapter(checks: Checks, folder: str, rows: list[ScoreRow], device: str) -> None:
    """A LoRA adapter changes the scores, to those of the same adapter on the CPU."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        print(f"{'skipped':<8}a LoRA adapter: peft is not installed (pip install peft)")
        return
    torch.manual_seed(1)
    model, _ = load(folder, Loading(device="cpu"))
    # Peft's own start, zero, would change nothing.
    lora = LoraConfig(r=8, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
    with tempfile.TemporaryDirectory() as adapter:
        get_peft_model(model, lora).save_pretrained(adapter)
        loading = Loading(dtype="float32", device="cpu", adapter=adapter)
        reference = naive(*load(folder, loading), rows)
        without = naive(*load(folder, Loading(device="cpu")), rows)
        scorer = IfdModel(folder, loading=replace(loading, device=device), min_answer_tokens=1)
        scores = scorer.score(rows)
    checks.close("llama with a LoRA adapter", scores, reference, TOLERANCE[torch.float32])
    moved = worst(scores, without)
    checks.add("llama with a LoRA adapter, beside the same without", moved > 1e-3, f"moved by {moved:.1e}")


def check_memory(checks: Checks, folder: str, device: str) -> None:
    """Batches that exceed the GPU's memory are halved until they fit, and give the same scores."""
    if device != "cuda":
        print(f"{'skipped':<8}running out of memory: only a GPU raises OutOfMemoryError")
        return
    rows = synthetic(MIXES["long"], OUT_OF_MEMORY_ROWS)
    loading = Loading(dtype="bfloat16", device=device)
    expected = IfdModel(folder, loading=loading, min_answer_tokens=1).score(rows)
    reference = [(score.nll_cond or math.nan, score.nll_direct or math.nan) for score in expected]
    for execution in (Execution.packed, Execution.padded):
        scorer = IfdModel(
            folder, loading=loading, execution=execution, batch_tokens=LARGE_BATCH, min_answer_tokens=1
        )
        torch.cuda.empty_cache()
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + LEFT_BYTES) / whole)
        warned: list[logging.LogRecord] = []
        handler = logging.Handler()
        handler.emit = warned.append  # type: ignore[method-assign, assignment]
        log = logging.getLogger("staragents.scoring.ifd_model")
        log.addHandler(handler)
        try:
            scores = scorer.score(rows)
        finally:
            log.removeHandler(handler)
            torch.cuda.set_per_process_memory_fraction(1.0)
        halved = sum("out of GPU memory" in record.getMessage() for record in warned)
        checks.add(f"{execution}: batches of {LARGE_BATCH} tokens are halved", halved > 0, f"{halved} times")
        checks.close(f"{execution}: the scores after that", scores, reference, TOLERANCE[torch.bfloat16])


if __name__ == "__main__":
    main()
