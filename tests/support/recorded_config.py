"""A config whose answers and verdicts come from a table with a planted truth."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import yaml

from staragents.base.records import stable_seed


def planted_rows(wins: dict[str, float], rows: int) -> list[dict[str, Any]]:
    """Each agent's recorded wins scatter by 0.1 around its own mean."""
    made = []
    for number in range(rows):
        rng = random.Random(number)
        made.append(
            {
                "instruction": f"Describe machine number {number} of the mill.",
                "reference": f"Machine {number} grinds grain into flour between two stones.",
                "response": {
                    agent: f"{agent} writes that machine {number} has {stable_seed(agent, str(number))} "
                    "parts, each of them oiled by hand every morning."
                    for agent in wins
                },
                "win": {
                    agent: min(0.99, max(0.01, mean + rng.uniform(-0.1, 0.1))) for agent, mean in wins.items()
                },
            }
        )
    return made


def recorded_config(folder: Path, wins: dict[str, float], rows: int = 40, **sections: Any) -> Path:
    """Write table, seeds and config into `folder`; every agent of `wins` is a response agent."""
    table = planted_rows(wins, rows)
    (folder / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    (folder / "seeds.jsonl").write_text(
        "".join(
            json.dumps({"instruction": row["instruction"], "output": row["reference"]}) + "\n"
            for row in table
        )
    )
    recorded = {"kind": "recorded", "table": str(folder / "table.jsonl"), "num_cpus": 0}
    tree = {
        "seeds": {"path": str(folder / "seeds.jsonl")},
        "models": {name: {**recorded, "model": name} for name in (*wins, "judge")},
        "agents": {
            "instruction": {"keep": {"prompt": "keep"}},
            "response": {name: {"model": name, "prompt": "direct"} for name in wins},
        },
        "evolution": {"draws": 1},
        "scoring": {"target": {"model": "fake"}, "larger": {"model": "fake"}},
        "judge": {"model": "judge"},
        "reward": {"composite": "judge_only"},
        "memory": {"enabled": False},
        "run": {"admitted_seeds": 4},
        "output": {"dir": str(folder / "run")},
    }
    for name, section in sections.items():
        tree[name] = {**tree.get(name, {}), **section}
    path = folder / "recorded.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path
