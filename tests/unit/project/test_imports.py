"""Imports flow one way, through the rooms in the order of `benchmarks.rooms.ROOMS`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.rooms import ROOMS, measured
from tests.support.paths import ROOT

FORBIDDEN = {"staragents": {"ray", "vllm"}, "cluster": {"vllm"}}
"""Libraries that a package does not import."""
TORCH_MAY_STAND_IN = ("staragents/scoring/", "staragents/models/", "staragents/evaluation/")


def imports(path: Path) -> Iterator[str]:
    """Top-level names of everything a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield (node.module or "").split(".")[0]


def test_every_room_imports_only_rooms_of_lower_layers() -> None:
    found = measured()
    assert set(found["rooms"]) == set(ROOMS)
    assert (found["up"], found["cycles"]) == ([], [])


@pytest.mark.parametrize("package", FORBIDDEN)
def test_ray_and_vllm_stay_out_of_the_domain_and_the_driver(package: str) -> None:
    modules = list((ROOT / package).rglob("*.py"))
    assert modules
    wrong = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules
        for name in imports(path)
        if name in FORBIDDEN[package]
    }
    assert not wrong


def test_torch_is_imported_only_where_models_are_scored_or_converted() -> None:
    wrong = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "staragents").rglob("*.py")
        if not str(path.relative_to(ROOT)).startswith(TORCH_MAY_STAND_IN)
        and {"torch", "transformers", "sentence_transformers"} & set(imports(path))
    }
    assert not wrong


@pytest.mark.parametrize(
    "module", ["actors.coordinator_actor", "cluster.driver.optimise", "staragents.memory.local_bank"]
)
def test_only_a_bank_on_a_server_imports_qdrant(module: str) -> None:
    """Every run waits for these imports, and a resume after a kill does again."""
    code = f"import sys, {module}; sys.exit('qdrant_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
