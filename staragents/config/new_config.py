"""The answers to `staragents init` and the commented YAML made from them."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from staragents.config.tree import escaped
from staragents.text.printable import one_line


class Engine(StrEnum):
    """Where the generating models run."""

    packaged = "packaged"
    gpu = "gpu"
    api = "api"


@dataclass(frozen=True, slots=True)
class Models:
    """Suggested models for one kind of engine."""

    writer: str
    judge: str
    target: str
    larger: str


SUGGESTED = {
    Engine.packaged: Models(
        "packaged:smollm2-135m-instruct",
        "packaged:smollm2-135m-instruct",
        "packaged:smollm2-135m-instruct",
        "packaged:gemma-3-270m",
    ),
    # Under Apache-2.0, not gated. The judge thinks before its verdict.
    Engine.gpu: Models(
        "Qwen/Qwen3-4B-Instruct-2507",
        "openai/gpt-oss-20b",
        "Qwen/Qwen3-0.6B-Base",
        "Qwen/Qwen3-1.7B-Base",
    ),
    Engine.api: Models("", "", "Qwen/Qwen3-0.6B-Base", "Qwen/Qwen3-1.7B-Base"),
}


@dataclass(frozen=True, slots=True)
class Answers:
    """`base_url` and `key_env` apply to `api` only."""

    seeds: str
    engine: Engine
    writer: str
    judge: str
    target: str
    larger: str
    output: str
    base_url: str = "http://127.0.0.1:8000/v1"
    key_env: str = ""

    def yaml(self, file: str, needs_gpu: bool = False) -> str:
        """The config for `file`; `needs_gpu`: whether the installed vLLM runs on GPUs only. Answers are
        quoted, so none can break the YAML."""
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters["quoted"] = _quoted
        template = environment.get_template("new_config.yaml.j2")
        return template.render(**asdict(self), file=one_line(file), needs_gpu=needs_gpu)


def _quoted(text: str) -> str:
    line: str = yaml.safe_dump(escaped(text), allow_unicode=True, default_style='"', width=sys.maxsize)
    return line.rstrip("\n")
