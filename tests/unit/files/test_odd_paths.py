"""Every path setting with an impossible file name: lines with its key, never a traceback."""

from __future__ import annotations

from itertools import product

import pytest

from staragents.base.errors import BadInput
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

SETTINGS = {
    "seeds.path": "seeds.path={}",
    "output.dir": "output.dir={}",
    "models.writer.model": "models.writer={{kind: vllm, model: {}}}",
    "models.writer.table": "models.writer={{kind: recorded, model: x, table: {}}}",
    "scoring.target.model": "scoring.target.model={}",
    "memory.embedder": "memory.embedder={}",
    "memory.reuse[0]": "memory.reuse=[{}]",
    "agents.instruction.deepen.prompt": "agents.instruction.deepen.prompt={}",
    "filters.block_list": "filters.block_list={}",
    "filters.evaluation[0]": "filters.evaluation=[{}]",
}
PATHS = {
    "null byte": '"a\\0b{}"',
    "name too long": "./" + "x" * 300 + "{}",
    "path too long": "/".join(["x" * 100] * 50) + "{}",
    "below a file": "/etc/passwd/x{}",
    "home of nobody": '"~nobody-of-that-name/x{}"',
}


@pytest.mark.parametrize(
    ("setting", "path"),
    # output.dir is taken literally: a tilde is an ordinary name.
    [pair for pair in product(SETTINGS, PATHS) if pair != ("output.dir", "home of nobody")],
)
def test_an_impossible_path_is_a_line_with_its_key(setting: str, path: str) -> None:
    value = PATHS[path].format(".j2" if setting.endswith("prompt") else "")
    with pytest.raises(BadInput) as caught:
        load_config(FAKE, [SETTINGS[setting].format(value)])
    assert any(line.startswith(setting) for line in caught.value.problems), caught.value.problems
