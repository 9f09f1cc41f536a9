"""What memory does to a whole run: writes a config whose agents and judge answer from a table, not a model.

    python benchmarks/recorded_run.py runs/recorded [--table recorded_agents.jsonl.gz]
    staragents compare runs/recorded/recorded.yaml --ablation full,no-memory -o runs/memory

Open runs/memory/compare.html for reward over the seeds. Without a table it plants one: four kinds of
instructions, and six agents of which four suit one kind each. With a table, embeddings are MiniLM's.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from pathlib import Path
from typing import Any

import yaml

KINDS = {
    "rivers": "Describe the course of river number {} from its spring to the sea.",
    "code": "Write a function that sorts list number {} without a library.",
    "letters": "Draft a polite letter to customer {} about a late parcel.",
    "recipes": "Give the recipe of soup number {} for a family of four.",
}
SUITED, OTHERWISE, GENERALIST = 0.8, 0.2, 0.4
"""Mean wins of a specialist on its own kind and elsewhere, and of an agent without a kind."""


def planted(rows: int) -> list[dict[str, Any]]:
    made = []
    for number in range(rows):
        rng = random.Random(number)
        kind = rng.choice(list(KINDS))
        means = {f"{one}-agent": SUITED if one == kind else OTHERWISE for one in KINDS}
        means |= {"general-a": GENERALIST, "general-b": GENERALIST}
        made.append(
            {
                "instruction": KINDS[kind].format(number),
                "reference": f"A plain answer to request {number}, written before any agent saw it.",
                "response": {
                    agent: f"The {agent} answers request {number} with care and in its own way."
                    for agent in means
                },
                "win": {agent: min(0.99, max(0.01, rng.gauss(mean, 0.1))) for agent, mean in means.items()},
            }
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--rows", type=int, default=200, help="of a planted table")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    table = (arguments.table or folder / "table.jsonl").absolute()
    if arguments.table is None:
        table.write_text("".join(json.dumps(row) + "\n" for row in planted(arguments.rows)))
    data = gzip.decompress(table.read_bytes()) if table.suffix == ".gz" else table.read_bytes()
    rows = [json.loads(line) for line in data.splitlines()]
    seeds = folder / "seeds.jsonl"
    pairs = [{"instruction": row["instruction"], "output": row["reference"]} for row in rows]
    seeds.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    recorded = {"kind": "recorded", "table": str(table), "num_cpus": 0}
    names = {f"agent{number}": agent for number, agent in enumerate(rows[0]["response"])}
    config = {
        "seeds": {"path": str(seeds.absolute())},
        "models": {
            **{name: {**recorded, "model": agent} for name, agent in names.items()},
            "judge": {**recorded, "model": "judge"},
        },
        "agents": {
            "instruction": {"keep": {"prompt": "keep"}},
            "response": {name: {"model": name, "prompt": "direct"} for name in names},
            "keep_language": False,
        },
        "scoring": {"target": {"model": "fake"}, "larger": {"model": "fake"}},
        "judge": {"model": "judge"},
        "reward": {"composite": "judge_only"},
        "memory": {} if arguments.table else {"embedder": "fake"},
        "run": {"admitted_seeds": 4},
    }
    (folder / "recorded.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    print(f"{folder / 'recorded.yaml'}: {len(rows)} seeds, {len(names)} recorded agents")


if __name__ == "__main__":
    main()
