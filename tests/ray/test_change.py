"""Settings are changed from another process during a run on fake engines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from staragents.run_directory.run_directory import RunDirectory
from tests.ray.conftest import frozen_scorers

FAKE = "configs/fake.yaml"
SEEDS = 18
AHEAD = 4
CHANGES = ("models.second", "agents.response.brief", "agents.retired", "run.attempts")


def test_an_agent_on_a_new_model_joins_a_run_in_progress(
    tmp_path: Path, start: Callable[..., Any], wait_until: Any
) -> None:
    run_dir = tmp_path / "run"
    command = (
        "run", FAKE, f"output.dir={run_dir}", f"seeds.limit={SEEDS}", f"run.admitted_seeds={AHEAD}",
        "run.checkpoint_s=0.3", "models.writer.fake.latency_s=0.5", "evolution.draws=3",
    )  # fmt: skip
    job = start(*command)
    run = RunDirectory(run_dir)
    wait_until(lambda: (run.state() or {"cursor": 0})["cursor"] >= 2, "the first seeds", 300)

    def change(*overrides: str) -> tuple[int, str]:
        code, output = start("change", str(run_dir), *overrides).wait(300)
        assert "Traceback" not in output, output
        return code, output

    with frozen_scorers(job.processes()) as frozen:
        assert frozen == 2
        code, output = change(
            "models.second={kind: fake}", "agents.response.brief={model: second, prompt: direct}",
            "agents.retired=[step_by_step]", "run.attempts=5",
        )  # fmt: skip
        assert code == 0, output
        assert output.endswith(
            "finished: models.second, agents.response.brief, agents.retired, run.attempts\n"
        )
        changed_at = run.state()["cursor"]  # type: ignore[index]
        code, output = change("scoring.batch_tokens=64")
        assert code == 2
    assert "scoring.batch_tokens: can't change while the run is running" in output

    code, output = job.wait()
    assert code == 0, output
    assert "continuing with the new settings" in output
    assert job.left_over() == []
    candidates = [candidate for seed in run.seeds() for candidate in seed]
    assert len({candidate.candidate_id for candidate in candidates}) == len(candidates), "none twice"
    assert Counter(candidate.seed_row for candidate in candidates).keys() == set(range(1, SEEDS + 1))
    with_brief = {candidate.seed_row for candidate in candidates if candidate.pair.endswith("+brief")}
    assert with_brief, "the new agent was drawn"
    assert min(with_brief) > changed_at, "seeds that were drawn before keep their pairs"
    summary = json.loads((run_dir / "summary.json").read_text(encoding="utf-8"))
    assert summary["run"]["finished"]
    assert summary["run"]["models"].keys() == {"writer", "judge", "second"}

    code, output = start(*command).wait()
    assert code == 0, output
    (line,) = [line for line in output.splitlines() if "kept from changes to this run: " in line]
    assert set(line.partition(": ")[2].split(", ")) == set(CHANGES)
    assert "is already finished" in output
