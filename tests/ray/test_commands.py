"""The commands other than `run`, as a user starts them, on fake engines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

FAKE = "configs/fake.yaml"


def test_preview_shows_every_candidate_and_keeps_nothing(start: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "never-written"
    job = start("preview", FAKE, "-n", "2", "--json", f"output.dir={folder}")
    code, output = job.wait()
    assert code == 0, output
    *candidates, projection = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert projection["forecast"]["seeds"] == 60
    assert projection["forecast"]["candidates"] == 180
    assert len({candidate["seed_id"] for candidate in candidates}) == 2
    assert all(candidate["messages"] or candidate["reject_reason"] for candidate in candidates)
    assert "never-written" not in output
    assert list(tmp_path.iterdir()) == []
    assert job.left_over() == []


def test_doctor_reads_the_config_and_reports_what_it_finds(start: Callable[..., Any]) -> None:
    code, output = start("doctor", FAKE, "--json").wait()
    assert code == 0, output
    findings = json.loads(output[output.index("[") :])
    assert {finding["ok"] for finding in findings} <= {True, None}
    assert any("python" in finding["what"].lower() for finding in findings)


def test_doctor_names_a_missing_model(start: Callable[..., Any]) -> None:
    code, output = start(
        "doctor", FAKE, "models.writer.kind=vllm", "models.writer.model=/no/such/model"
    ).wait()
    assert code == 2, output
    assert "models.writer.model" in output
    assert "Traceback" not in output


def test_doctor_measures_the_judge_with_the_judge_alone(start: Callable[..., Any]) -> None:
    job = start("doctor", FAKE, "--judge", "4", "--json")
    code, output = job.wait()
    assert code == 0, output
    found = json.loads(output[output.index("{") :])
    assert {harm: result["trials"] for harm, result in found["harms"].items()} == {
        "truncated": 4,
        "shuffled": 4,
        "swapped": 4,
    }
    assert (found["judge"], found["margin"]) == ("fake", 0.1)
    assert 0.0 <= found["spoiled"] <= 1.0
    assert "memory" not in output
    assert job.left_over() == []
