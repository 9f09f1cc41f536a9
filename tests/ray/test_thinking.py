"""A job whose agents and judge think, from the command line; the models are fake and say so."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.ray.conftest import started_jobs

THINKS = ("models.writer.fake.thinks=true", "models.judge.fake.thinks=true")


def test_a_job_with_models_that_think_writes_no_thought_into_a_text(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with started_jobs() as start:
        job = start("run", "configs/fake.yaml", f"output.dir={out}", "seeds.limit=6", *THINKS)
        code, output = job.wait()
        assert code == 0, output
        assert job.left_over() == []
    summary = json.loads((out / "summary.json").read_text())
    assert summary["fake"]
    assert summary["cost"]["stages"]["answer"]["reasoning_tokens"] > 0
    assert summary["cost"]["stages"]["judge"]["reasoning_tokens"] > 0
    assert f"{summary['cost']['reasoning_tokens']:,} of " in output
    rows = [json.loads(line) for line in (out / "dataset.jsonl").open()]
    assert any(row["source"] == "candidate" for row in rows)
    for row in rows:
        assert "think>" not in json.dumps(row)
        assert row["messages"][-1]["content"].count("[fake]") <= 1
    candidates = pq.read_table(out / "candidates").to_pylist()
    assert all(dict(row["stage_tokens"])["answer.reasoning"] > 0 for row in candidates if row["messages"])
