"""`staragents score` on a local Ray: the values of one process, despite deaths and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from cluster.pools.ray_scorers import ray_scorers
from staragents.base.errors import BadInput
from staragents.score_file.local_scorers import local_scorers
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.ifd import ScoreRow
from tests.support.tiny_models import rows, save_tokenizer

TEXTS = [(f"What is {n} and {n}?", f"It is {2 * n}" + ", I think" * (n % 7) + ".") for n in range(60)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ScoreSettings:
    """Two tiny models, two processes of the target."""
    folders = []
    for seed, name in enumerate(("target", "larger")):
        folder = tmp_path_factory.mktemp(name)
        torch.manual_seed(seed)
        sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=258)).save_pretrained(folder)
        save_tokenizer(folder)
        folders.append(str(folder))
    return ScoreSettings(
        "", folders[0], Path("unused.parquet"), folders[1], replicas=2, larger_replicas=1, cpus=0.5
    )


def windows(texts: list[tuple[str, str]]) -> Iterator[list[ScoreRow]]:
    for start in range(0, len(texts), 4):
        yield rows(texts[start : start + 4])


def kill_one_scorer() -> None:
    for process in psutil.Process().children(recursive=True):
        try:
            title = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if title.startswith("ray::Scorer"):
            os.kill(process.pid, signal.SIGKILL)
            return
    raise AssertionError("no scorer is running")


def test_scores_and_order_are_those_of_one_process_even_if_a_scorer_dies(settings: ScoreSettings) -> None:
    def windows_and_a_death() -> Iterator[list[ScoreRow]]:
        for number, window in enumerate(windows(TEXTS)):
            if number == 6:
                kill_one_scorer()
            yield window

    paths = settings.models
    with ray_scorers(paths, settings) as scorers:
        assert scorers.same_tokenizer
        many = list(scorers.score(windows_and_a_death()))
        parameters = scorers.parameters
    with local_scorers(paths, settings) as local:
        one = list(local.score(windows(TEXTS)))
        assert parameters == local.parameters
    assert len(many) == len(one) == 15
    for window, expected in zip(many, one, strict=True):
        assert list(window) == ["target", "larger"]
        for role, scores in window.items():
            for score, other in zip(scores, expected[role], strict=True):
                assert score.status == other.status
                assert score.nll_cond == pytest.approx(other.nll_cond, rel=1e-5)
                assert score.nll_direct == pytest.approx(other.nll_direct, rel=1e-5)


def test_a_model_that_does_not_load_is_bad_input_with_its_option(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.json").write_text("{}")
    broken = ScoreSettings("", "fake", Path("unused.parquet"), str(tmp_path), cpus=1)
    expected = pytest.raises(BadInput, match=r"^--larger: can't load the model .*$")
    with expected, ray_scorers(broken.models, broken):
        pass


def test_a_cluster_that_is_too_small_is_bad_input() -> None:
    greedy = ScoreSettings("", "fake", Path("unused.parquet"), replicas=100, gpus=1)
    with pytest.raises(BadInput, match="100 x 0 CPU"), ray_scorers({"target": "fake"}, greedy):
        pass


def test_ctrl_c_saves_and_the_same_command_resumes(
    tmp_path: Path, start: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    data, out = tmp_path / "data.jsonl", tmp_path / "scores.parquet"
    lines = [json.dumps({"instruction": f"Say {n}.", "output": f"It is {n}."}) + "\n" for n in range(8_000)]
    data.write_text("".join(lines))
    command = ("score", str(data), "--target", "fake", "--ray", "--replicas", "2", "-o", str(out))
    first = start(*command)
    parts = tmp_path / "scores.parquet.parts"
    wait_until(lambda: bool(list(parts.glob("part-*"))), "a part")
    first.interrupt()
    code, text = first.wait()
    assert code == 130, text
    assert "Traceback" not in text
    assert first.left_over() == []
    assert not out.exists()
    saved = sum(pq.read_metadata(part).num_rows for part in parts.glob("part-*"))
    assert 0 < saved < 8_000
    code, text = start(*command).wait()
    assert code == 0, text
    assert f"{saved:,} of 8,000 rows are already scored" in text
    assert pq.read_table(out)["instruction"].to_pylist() == [f"Say {n}." for n in range(8_000)]
    assert not parts.exists()
