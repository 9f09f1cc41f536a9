"""How well clusters of instructions match known kinds, and what choosing agents by cluster would earn.

    python benchmarks/kinds.py TABLE... [--embedder packaged:all-minilm-l6-v2] [--draws 2]

TABLE is a table of recorded agents (see docs/replay.md) whose rows name their kind in `dataset`. `match` is
the normalised mutual information with these kinds; `value` the mean reward per draw of the agents that are
best in each cluster by half of the rows, on the other half (mean of 10 random halves, both ways).
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from cluster.cli.replay import embed
from staragents.analysis.kinds import text_vectors
from staragents.data.readers.content import opened
from staragents.replay.recorded_table import RecordedTable

# Rows of all clusters that count for every cluster: few rows say little.
PRIOR_ROWS = 20
HALVES = 10


def value(clusters: NDArray[np.intp], rewards: NDArray[np.float64], draws: int) -> float:
    """Mean reward per draw of the best agents of each cluster, cross-fitted."""
    total = 0.0
    for number in range(HALVES):
        half = np.random.default_rng(number).permutation(len(rewards)) % 2
        for here in (0, 1):
            known = half != here
            overall = rewards[known].mean(axis=0)
            for cluster in np.unique(clusters):
                learnt, valued = known & (clusters == cluster), ~known & (clusters == cluster)
                means = (rewards[learnt].sum(axis=0) + PRIOR_ROWS * overall) / (learnt.sum() + PRIOR_ROWS)
                best = np.argsort(-means, kind="stable")[:draws]
                total += float(rewards[valued][:, best].mean(axis=1).sum())
    return total / len(rewards) / HALVES


@click.command()
@click.argument("tables", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--embedder", default="packaged:all-minilm-l6-v2", show_default=True)
@click.option("--draws", default=2, show_default=True)
def main(tables: tuple[Path, ...], embedder: str, draws: int) -> None:
    for path in tables:
        table = RecordedTable.read(path)
        with opened(path, str(path)) as content:
            names = [json.loads(line).get("dataset", "") for line in content.lines()]
        kinds = np.unique(names, return_inverse=True)[1]
        one = np.zeros(len(kinds), dtype=np.intp)
        click.echo(
            f"{table.name}: value {value(one, table.rewards, draws):.4f} without kinds, "
            f"{value(kinds, table.rewards, draws):.4f} with the {len(set(names))} named ones"
        )
        for name, vectors in (
            ("texts", text_vectors(table.instructions)),
            (embedder, embed(table.instructions, embedder)),
        ):
            for number in (4, 8):
                clusters = KMeans(number, n_init=4, random_state=0).fit_predict(vectors)
                match = normalized_mutual_info_score(kinds, clusters)
                click.echo(
                    f"  {name}, {number} clusters: match {match:.2f}, "
                    f"value {value(clusters, table.rewards, draws):.4f}"
                )


if __name__ == "__main__":
    main()
