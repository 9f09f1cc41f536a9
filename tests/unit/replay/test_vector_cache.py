"""Embeddings are computed once, whatever happens to the file that keeps them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from staragents.replay.vector_cache import cached_vectors

TEXTS = ("cook a soup", "sail a ship")


class Counting:
    def __init__(self, value: float = 1.0) -> None:
        self.calls = 0
        self.value = value

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.calls += 1
        return np.full((len(texts), 3), self.value, dtype=np.float32)


def test_the_same_texts_and_model_are_embedded_once(tmp_path: Path) -> None:
    embed = Counting()
    first, second = (cached_vectors(TEXTS, "model", embed, tmp_path) for _ in range(2))
    assert embed.calls == 1
    assert (first == second).all()
    for texts, model in ((TEXTS[::-1], "model"), (TEXTS, "other"), (("cook a", " soupsail a ship"), "model")):
        cached_vectors(texts, model, embed, tmp_path)
    assert embed.calls == 4


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "not an archive", "of other texts"])
def test_a_damaged_file_is_computed_anew_and_replaced(tmp_path: Path, damage: str) -> None:
    embed = Counting()
    cached_vectors(TEXTS, "model", embed, tmp_path)
    (path,) = tmp_path.glob("*.npz")
    content = path.read_bytes()
    if damage == "of other texts":
        np.savez(path, vectors=np.ones((5, 3), dtype=np.float32))
    else:
        middle = content.index(np.float32(1.0).tobytes())
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes(
            {"empty": b"", "cut": content[:-30], "flipped": flipped, "not an archive": b"x" * 100}[damage]
        )
    assert (cached_vectors(TEXTS, "model", embed, tmp_path) == 1.0).all()
    assert embed.calls == 2
    cached_vectors(TEXTS, "model", embed, tmp_path)
    assert embed.calls == 2


def test_two_writers_leave_one_whole_file(tmp_path: Path) -> None:
    inner = Counting(2.0)

    def slow(texts: Sequence[str]) -> np.ndarray:
        cached_vectors(texts, "model", inner, tmp_path)  # another process is faster
        return Counting(2.0)(texts)

    cached_vectors(TEXTS, "model", slow, tmp_path)
    assert (cached_vectors(TEXTS, "model", inner, tmp_path) == 2.0).all()
    assert inner.calls == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_can_not_be_written_is_ignored(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert cached_vectors(TEXTS, "model", Counting(), blocked).shape == (2, 3)


def test_a_local_model_counts_with_its_files(tmp_path: Path) -> None:
    model, embed = tmp_path / "model", Counting()
    model.mkdir()
    (model / "weights").write_text("old")
    cached_vectors(TEXTS, str(model), embed, tmp_path / "cache")
    later = (model / "weights").stat().st_mtime + 10
    os.utime(model / "weights", (later, later))
    cached_vectors(TEXTS, str(model), embed, tmp_path / "cache")
    assert embed.calls == 2
