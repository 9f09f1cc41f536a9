"""Variables of a process with vLLM, on machines where its defaults don't work."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from actors.engines.vllm_environment import vllm_environment
from staragents.config import ModelConfig

CACHES = ("VLLM_CACHE_ROOT", "TRITON_CACHE_DIR")


def test_sockets_are_in_a_short_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    assert "VLLM_RPC_BASE_PATH" not in vllm_environment(ModelConfig(), False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("a" * 80)))
    assert vllm_environment(ModelConfig(), False)["VLLM_RPC_BASE_PATH"] == "/tmp"


def test_without_a_writable_home_caches_are_in_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CACHES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STARAGENTS_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not set(CACHES) & vllm_environment(ModelConfig(), False).keys()
    monkeypatch.setenv("HOME", "/proc")
    variables = vllm_environment(ModelConfig(), False)
    assert {name: variables[name] for name in CACHES} == {
        "VLLM_CACHE_ROOT": str(tmp_path / "vllm"),
        "TRITON_CACHE_DIR": str(tmp_path / "triton"),
    }
    monkeypatch.setenv("VLLM_CACHE_ROOT", "/mine")
    assert "VLLM_CACHE_ROOT" not in vllm_environment(ModelConfig(), False)
