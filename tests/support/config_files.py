"""Config files of a test, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.validation.loading import load_config

VALID = """
seeds: {path: "bundled:self-instruct"}
models:
  writer: {kind: fake}
  qwen2.5: {kind: fake}
agents:
  instruction:
    keep: {prompt: keep}
    more: {model: writer, prompt: rewrite.j2}
  response:
    direct: {model: qwen2.5, prompt: rewrite.j2}
  base_pairs: [keep+direct]
evolution: {draws: 1}
scoring: {target: {model: fake}, larger: {model: fake}}
judge: {model: writer}
memory: {embedder: fake}
"""


def problems(path: str | Path, *overrides: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load_config(path, overrides)
    return caught.value.problems


def written(text: str, name: str = "config.yaml") -> str:
    Path(name).write_text(text)
    return name
