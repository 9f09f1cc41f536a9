"""Functions that take untrusted input, each with an input strategy and a check of its result.

A check accepts BadInput or what the function documents for bad input; anything else is a bug.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from staragents.base.errors import BadInput
from staragents.config import Config, RowFormat, Template, Verdicts
from staragents.validation.loading import from_yaml, load_config, to_yaml
from tests.support.fuzz_data import COLUMNS, FILES, NAMES, PATHS, ROWS, check_file, check_path, check_row
from tests.support.fuzz_fragments import FOLDER, fragments
from tests.support.fuzz_texts import (
    ANSWERS,
    CONVERSATIONS,
    JINJA,
    LOGPROBS,
    VERDICTS,
    check_answer,
    check_prompt,
    check_scored_prompt,
    check_verdict,
)

_KEYS = (
    "seeds",
    "path",
    "limit",
    "columns",
    "models",
    "writer",
    "kind",
    "agents",
    "instruction",
    "evolution",
)
YAML = fragments(
    *(f"{key}:" for key in _KEYS),
    *(f"{key}: " for key in _KEYS),
    *(
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "&a ",
        "*a",
        "<<: ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "null",
        "true",
        "1e3",
        ".nan",
    ),
    *(
        "${",
        "${seeds.path}",
        "${oc.env:HOME}",
        "???",
        "extends: x.yaml",
        "'",
        '"',
        "|",
        ">",
        "#",
        "!!python/name:os",
    ),
    *("fake", "auto", "0x1F", "\t", "%YAML 1.1", "---", "...", "?", "@", "`"),
    often=300,
)
OVERRIDES = st.lists(
    fragments("seeds.", "path", "=", ".", "models.a.", "kind", "fake", "${", "}", "[", "{", ":", "*a", "'"),
    max_size=3,
)


def check_config(text: str, overrides: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        path = Path(folder, "config.yaml")
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        with suppress(BadInput):
            # Hashing its embedder, a packaged file, would take most of the time and is not tested here.
            config = load_config(path, ["memory.enabled=false", *overrides])
            assert isinstance(config, Config)
            assert from_yaml(to_yaml(config)) == config


TARGETS: dict[str, tuple[Callable[..., None], tuple[st.SearchStrategy[Any], ...]]] = {
    "rows": (
        check_row,
        (ROWS, COLUMNS | st.none(), st.sampled_from(RowFormat), st.booleans(), st.booleans()),
    ),
    "files": (check_file, (FILES, NAMES, st.none() | st.integers(1, 3))),
    "paths": (check_path, (PATHS,)),
    "prompts": (check_prompt, (JINJA,)),
    "scored prompts": (
        check_scored_prompt,
        (CONVERSATIONS, st.sampled_from([Template.plain, Template.alpaca])),
    ),
    "verdicts": (check_verdict, (VERDICTS, LOGPROBS, st.sampled_from(Verdicts))),
    "answers": (check_answer, (ANSWERS, ANSWERS, st.booleans())),
    "configs": (check_config, (YAML, OVERRIDES)),
}
