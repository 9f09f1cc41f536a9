"""Rewrites, answers and judges seeds with distilabel and a model that answers at once; prints seconds.

Runs in distilabel's own environment and imports nothing of ours. A row is what one of our candidates is: a
new instruction, its answer, and a verdict on both beside the seed; without IFD, policy, or second order.

    python distilabel_pipeline.py SEEDS.jsonl
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from distilabel.models.llms import LLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

BATCH = 50
WORDS = "bado fikula menopi rasute vobado filakume nopira sutevo " * 4


class InstantModel(LLM):
    """Answers at once, and notes when in a file, as each step runs in a process of its own."""

    times: str

    @property
    def model_name(self) -> str:
        return "instant"

    def generate(self, inputs: list[Any], num_generations: int = 1) -> list[dict[str, Any]]:
        with Path(self.times).open("a") as file:
            file.write(f"{time.time()}\n")
        tokens = {"input_tokens": [40], "output_tokens": [32]}
        return [{"generations": [WORDS], "statistics": tokens} for _ in inputs]


def step(name: str, template: str, columns: list[str], output: str, times: str) -> TextGeneration:
    return TextGeneration(
        name=name,
        llm=InstantModel(times=times),
        template=template,
        columns=columns,
        input_batch_size=BATCH,
        output_mappings={"generation": output},
    )


def main() -> None:
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        times = f"{folder}/times"
        with Pipeline("peer", cache_dir=f"{folder}/cache") as pipeline:
            load = LoadDataFromDicts(data=rows, batch_size=BATCH)
            rewrite = step("rewrite", "Deepen: {{ instruction }}", ["instruction"], "rewritten", times)
            answer = step("answer", "{{ rewritten }}", ["rewritten"], "answer", times)
            both = "A: {{ rewritten }} {{ answer }}\nB: {{ instruction }} {{ output }}\nWhich is better?"
            judge = step("judge", both, ["rewritten", "answer", "instruction", "output"], "verdict", times)
            load >> rewrite >> answer >> judge
        finished = len(pipeline.run(use_cache=False)["default"]["train"])
        called = sorted(map(float, Path(times).read_text().split()))
    print(json.dumps({"rows": finished, "seconds": called[-1] - called[0]}))


if __name__ == "__main__":
    main()
