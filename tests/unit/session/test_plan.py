"""Demand against capacity, with the arithmetic, and the forecast."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cluster.cli.plan import lines
from cluster.job import cli
from cluster.session import capacity
from cluster.session.capacity import Capacity, Node
from cluster.session.demand import Demand, PoolDemand, demand_of
from staragents.base.errors import BadInput
from staragents.models.model_size import GIB, size_of
from staragents.run.forecast import Rates, forecast
from staragents.validation.loading import load_config
from tests.support.paths import FAKE

CONFIG = str(FAKE)


def save_model(folder: Path, shards: int = 1, **config: Any) -> Path:
    """A folder as on the hub: headers without weights. 2 layers, 2 KV heads of 16."""
    folder.mkdir(parents=True)
    settings = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64}
    (folder / "config.json").write_text(json.dumps({**settings, **config}))
    names = ["model.safetensors"] if shards == 1 else [f"model-{i}.safetensors" for i in range(shards)]
    for name in names:
        tensor = {"dtype": "BF16", "shape": [1000, 64], "data_offsets": [0, 128_000]}
        header = json.dumps({"__metadata__": {"format": "pt"}, f"{name}.w": tensor}).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(header)) + header)
    if shards > 1:
        weight_map = {f"{name}.w": name for name in names}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


@pytest.mark.parametrize("shards", [1, 3])
def test_a_model_is_sized_by_its_headers(tmp_path: Path, shards: int) -> None:
    size = size_of(str(save_model(tmp_path / "model", shards)))
    assert size is not None
    assert size.parameters == shards * 64_000
    assert size.weight_bytes(2) == shards * 128_000
    assert size.kv_bytes_a_token() == 2 * 2 * 2 * 16 * 2


def test_a_quantised_model_weighs_what_is_stored(tmp_path: Path) -> None:
    size = size_of(str(save_model(tmp_path / "model", quantization_config={"bits": 4})))
    assert size is not None
    assert size.weight_bytes(2) == 128_000


@pytest.mark.parametrize("broken", ["no config", "not json", "a shard is missing", "no header", "no sizes"])
def test_a_model_that_cannot_be_sized_is_unknown_and_no_error(tmp_path: Path, broken: str) -> None:
    folder = save_model(tmp_path / "model", 2)
    if broken == "no config":
        (folder / "config.json").unlink()
    elif broken == "not json":
        (folder / "config.json").write_text("{")
    elif broken == "a shard is missing":
        (folder / "model-1.safetensors").unlink()
    elif broken == "no header":
        (folder / "model-1.safetensors").write_bytes(b"\xff" * 20)
    else:
        (folder / "config.json").write_text('{"num_attention_heads": 4}')
    assert size_of(str(folder)) is None


def test_a_model_that_is_not_downloaded_is_unknown() -> None:
    assert size_of("no-such-owner/no-such-model") is None


POOL = PoolDemand("writer", "models.writer", 2, 4, 1.0, 1.0, memory_share=0.9)


@pytest.mark.parametrize(
    ("pool", "nodes", "expected"),
    [
        (POOL, [Node(8, 1)], "expected 2 GPUs, here has 1"),
        (replace(POOL, cpus=5.0), [Node(8, 2)], "expected 10 CPUs, here has 8"),
        (replace(POOL, replicas=1, gpus=2.0), [Node(4, 1), Node(4, 1)], "one replica needs 1 CPUs and 2 G"),
        (
            replace(POOL, replicas=1, gpus=4.0, nodes=2),
            [Node(4, 2), Node(4, 1), Node(4, 1)],
            "one replica needs 1 CPUs and 2 GPUs on each of 2 nodes; the largest of here has 4",
        ),
        (
            replace(POOL, weights=20 * GIB, kv_cache=2 * GIB),
            [Node(8, 2, gpu_memory=24.0 * GIB)],
            "models.writer: weights 20.0 GiB + KV cache 2.0 GiB = 22.0 GiB of GPU memory, "
            "1 x 24.0 GiB x 0.9 (gpu_memory_utilization) = 21.6 GiB there",
        ),
        (
            replace(POOL, gpus=0.5, memory_share=0.5, weights=11 * GIB, kv_cache=2 * GIB),
            [Node(8, 2, gpu_memory=24.0 * GIB)],
            "= 13.0 GiB of GPU memory, 1 x 24.0 GiB x 0.5 (num_gpus) = 12.0 GiB there",
        ),
        (
            replace(POOL, gpus=0.0, weights=3 * GIB, kv_cache=2 * GIB),
            [Node(8, 0, memory=8.0 * GIB)],
            "need 10.0 GiB of memory (writer: 2 x weights 3.0 GiB + KV cache 2.0 GiB), here has 8.0 GiB",
        ),
    ],
)  # fmt: skip
def test_demand_that_does_not_fit_is_reported_with_the_arithmetic(
    pool: PoolDemand, nodes: list[Node], expected: str
) -> None:
    with pytest.raises(BadInput) as raised:
        Capacity("here", tuple(nodes)).check(Demand((pool,)))
    assert expected in str(raised.value)


def test_demand_that_fits_passes_and_unknown_memory_is_no_obstacle() -> None:
    Capacity("here", (Node(8, 2),)).check(Demand((replace(POOL, weights=500 * GIB),)))
    Capacity("here", (Node(1, 1, gpu_memory=24.0 * GIB, count=2),)).check(Demand((POOL,)))
    spread = replace(POOL, replicas=1, gpus=2.0, nodes=2, weights=40 * GIB)
    Capacity("here", (Node(1, 1, gpu_memory=24.0 * GIB, count=2),)).check(Demand((spread,)))


@given(replicas=st.integers(0, 9), gpus=st.integers(0, 4), nodes=st.lists(st.integers(0, 8), min_size=1))
def test_a_demand_passes_only_if_total_and_largest_node_suffice(
    replicas: int, gpus: int, nodes: list[int]
) -> None:
    pool = replace(POOL, replicas=replicas, gpus=float(gpus), cpus=0.0)
    problems = list(Capacity("here", tuple(Node(1, n) for n in nodes)).problems(Demand((pool,))))
    assert bool(problems) == (replicas * gpus > sum(nodes) or (replicas > 0 and gpus > max(nodes)))


def test_a_larger_context_needs_a_larger_cache(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model")
    change = [f"models.writer.model={model}", "models.writer.kind=vllm", "models.writer.num_gpus=1"]
    short, long = (
        demand_of(load_config(CONFIG, [*change, f"models.writer.max_model_len={length}"])).pools[0]
        for length in (1000, 2000)
    )
    assert short.kv_cache == 1000 * 256
    assert long.kv_cache == 2 * short.kv_cache
    assert short.weights == 128_000


@pytest.mark.parametrize(
    ("num_gpus", "utilization", "share", "cache"),
    [(0.0, 0.9, 0.9, 3 * GIB), (0.5, 0.9, 0.5, 3 * GIB), (0.5, 0.4, 0.4, 3 * GIB), (1.0, 0.9, 0.9, 256_000)],
)
def test_a_pool_on_a_part_of_a_gpu_uses_that_part_of_its_memory(
    tmp_path: Path, num_gpus: float, utilization: float, share: float, cache: int
) -> None:
    """With the default of 0.9, two halves took 1.8 GPUs. The cache is as large as it says."""
    model = save_model(tmp_path / "model")
    settings = {"kind": "vllm", "model": model, "num_gpus": num_gpus, "gpu_memory_utilization": utilization}
    settings |= {"max_model_len": 1000, "kv_cache_gib": 3, "num_cpus": 1}
    pool = demand_of(load_config(CONFIG, [f"models.writer.{k}={v}" for k, v in settings.items()])).pools[0]
    assert (pool.memory_share, pool.kv_cache) == (share, cache)


def test_an_impossible_config_fails_early_for_plan_and_run(tmp_path: Path) -> None:
    change = ["models.writer.num_gpus=64", f"output.dir={tmp_path / 'run'}"]
    for verb in ("plan", "run"):
        raised = CliRunner().invoke(cli, [verb, CONFIG, *change]).exception
        assert isinstance(raised, BadInput)
        assert "writer: 1 x 0 CPU + 64 GPU" in str(raised)
    assert not (tmp_path / "run").exists()


def test_plan_shows_the_cores_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """It showed what the pools ask for, which is all that a local Ray needs to get."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(capacity, "_gpu_sizes", list)
    said = CliRunner().invoke(cli, ["plan", CONFIG, "run.workers=502", "judge.model=writer"]).output
    assert "fits: 502 CPUs and 0 GPUs at the start; this machine has 2 CPUs and 0 GPUs" in said
    assert "note: 502 CPUs on 2 cores: the pools share them" in said
    assert "note: models.judge is loaded, but no agent and no judge uses it" in said
    demand = Demand((replace(POOL, gpus=0.0, cpus=7.0),))
    assert list(capacity.of_this_machine().problems(demand)) == []


def test_plan_as_json() -> None:
    result = CliRunner().invoke(cli, ["plan", CONFIG, "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert [pool["name"] for pool in found["pools"]] == ["writer", "judge", "target scorer", "larger scorer"]
    assert found["forecast"]["seeds"] == 60
    assert found["forecast"]["candidates"] == 180


def test_a_forecast_without_a_measurement_counts_what_models_may_think_apart() -> None:
    plain = forecast(load_config(CONFIG), 60, 0.0, None)
    assert plain.most_reasoning == 0
    thinks = forecast(load_config(CONFIG, ["models.writer.fake.thinks=true"]), 60, 0.0, None)
    assert thinks.most_tokens_out == plain.most_tokens_out
    # One request of the pairs that keep the instruction, two of the others.
    assert thinks.most_reasoning == 180 * 2048 * (1 * 2 + 2 * 6) / 8
    assert f"({thinks.most_reasoning:,} more if all models think)" in thinks.lines(None)[1]


def test_a_forecast_is_proportional_to_the_measurement(tmp_path: Path) -> None:
    summary = {
        "funnel": {"drawn": 30},
        "cost": {"tokens_in": 3000, "tokens_out": 600, "wall_seconds": 15.0},
        "run": {},
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    config = load_config(CONFIG)
    predicted = forecast(config, 100, 2.0, rates := Rates.of(tmp_path))
    assert predicted.candidates == 300
    assert (predicted.tokens_in, predicted.tokens_out) == (30_000, 6_000)
    assert predicted.seconds == 150
    assert predicted.gpu_hours == pytest.approx(2 * 150 / 3600, abs=1e-3)
    text = "\n".join(lines(demand_of(config), Capacity("here", (Node(8, 0),)), predicted, rates))
    assert "0:02:30 at 2.00 candidates/s" in text


def test_like_requires_a_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["plan", CONFIG, "--like", str(tmp_path)])
    assert isinstance(result.exception, BadInput)
    assert str(result.exception).startswith("--like: expected the directory of a run")


def test_custom_resources_select_nodes() -> None:
    config = load_config(CONFIG, ["models.writer.resources={writers: 1}", "models.writer.num_gpus=1"])
    demand = demand_of(config)
    plain, special = Node(8, 1), Node(8, 1, resources={"writers": 2.0})
    Capacity("the cluster", (plain, special)).check(demand)
    with pytest.raises(BadInput, match=r"models\.writer\.resources\.writers: expected a node with 1, the cl"):
        Capacity("the cluster", (plain,)).check(demand)
    with pytest.raises(BadInput, match=r"models\.writer\.num_gpus: one replica needs"):
        Capacity("the cluster", (plain, Node(8, 0, resources={"writers": 2.0}))).check(demand)
