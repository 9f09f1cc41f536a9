"""The files in deploy/ are valid and agree with each other and with the code."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from cluster.cli.command_group import COMMANDS
from cluster.job import cli
from staragents.base.errors import BadInput
from staragents.validation.loading import load_config
from tests.support.paths import ROOT, SUPPORT

DEPLOY = ROOT / "deploy"
KUBERAY = ("rayjob", "raycluster")
SCHEMA = json.loads((SUPPORT / "kuberay_schema.json").read_text())
# Files with commands for the shell or a reader.
WITH_COMMANDS = [
    *DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.sh"), *DEPLOY.rglob("*.yml"), DEPLOY / "Dockerfile",
    ROOT / "docs/operations.md",
]  # fmt: skip


def manifest(name: str) -> Any:
    return yaml.safe_load((DEPLOY / "kuberay" / f"{name}.yaml").read_text())


def cluster_spec(name: str) -> Any:
    spec = manifest(name)["spec"]
    return spec.get("rayClusterSpec", spec)


def pods(name: str) -> Iterator[Any]:
    spec = cluster_spec(name)
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        yield group["template"]["spec"]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every `python -m cluster.job ...` and `staragents ...`, with its file."""
    for file in WITH_COMMANDS:
        text = file.read_text()
        text = re.sub(r"\\\n[ #]*", " ", text)  # continued lines
        if file.name == "rayjob.yaml":
            yield str(file.relative_to(ROOT)), shlex.split(manifest("rayjob")["spec"]["entrypoint"])[3:]
        for line in re.findall(r"(?:python -m cluster\.job|(?<![\w./-])staragents) ([a-z-][^`\n&|]*)", text):
            words = shlex.split(line, comments=True)
            if words and words[0] in COMMANDS and "..." not in line and "$@" not in line:
                yield str(file.relative_to(ROOT)), words


def installed(path: str) -> Path:
    """The repository path for a path of the image, whose code is in /app."""
    return ROOT / path.removeprefix("/app/")


@pytest.mark.parametrize("name", KUBERAY)
def test_a_manifest_matches_the_kuberay_schema(name: str) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(manifest(name))


@pytest.mark.parametrize("name", KUBERAY)
@pytest.mark.parametrize("typo", ["enableIntreeAutoscaling", "workerGroupSpec"])
def test_the_schema_finds_a_typo(name: str, typo: str) -> None:
    document = manifest(name)
    document["spec"].get("rayClusterSpec", document["spec"])[typo] = True
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


@pytest.mark.parametrize("name", KUBERAY)
def test_every_mount_has_its_volume_and_all_pods_share_one_image_and_data(name: str) -> None:
    claim = yaml.safe_load((DEPLOY / "kuberay/volume.yaml").read_text())
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    images = set()
    for pod in pods(name):
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        for container in pod["containers"]:
            images.add(container["image"])
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            assert set(mounts) <= set(volumes)
            assert mounts["data"] == "/data"
            environment = {entry["name"]: entry for entry in container["env"]}
            assert environment["HF_HOME"]["value"].startswith(mounts["data"] + "/")
            assert "value" not in environment["HF_TOKEN"], "a key belongs into a secret"
    assert len(images) == 1


@pytest.mark.parametrize("name", KUBERAY)
def test_the_images_user_may_write_to_the_volume(name: str) -> None:
    """A new volume belongs to root."""
    user = re.search(r"--uid (\d+) ray", (DEPLOY / "Dockerfile").read_text())
    assert user is not None
    assert [pod["securityContext"]["fsGroup"] for pod in pods(name)] == [int(user[1])] * 3


@pytest.mark.parametrize("name", KUBERAY)
def test_the_head_does_no_gpu_work_and_workers_request_what_they_get(name: str) -> None:
    spec = cluster_spec(name)
    assert spec["autoscalerOptions"]["version"] == "v2"
    assert spec["enableInTreeAutoscaling"]
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    head, *workers = pods(name)
    assert "nvidia.com/gpu" not in head["containers"][0]["resources"]["limits"]
    for worker in workers:
        assert worker["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] >= 1
    groups = spec["workerGroupSpecs"]
    assert all(g["minReplicas"] <= g["replicas"] <= g["maxReplicas"] for g in groups)
    kinds = [g["template"]["spec"]["nodeSelector"]["nvidia.com/gpu.product"] for g in groups]
    assert len(set(kinds)) == len(groups)


def test_the_largest_worker_groups_hold_the_job_with_its_pools_grown() -> None:
    from cluster.session.demand import demand_of

    config = load_config(ROOT / "configs/node8.yaml")
    groups = cluster_spec("rayjob")["workerGroupSpecs"]
    gpus = sum(
        g["maxReplicas"] * g["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
        for g in groups
    )
    assert demand_of(config).most_gpus <= gpus


def test_a_retried_job_resumes() -> None:
    spec = manifest("rayjob")["spec"]
    assert spec["backoffLimit"] > 0
    assert "output.dir=/data/" in spec["entrypoint"], "on the shared volume, or there is nothing to resume"


@pytest.mark.parametrize(("where", "words"), list(commands()))
def test_every_command_parses_and_its_config_exists(where: str, words: list[str]) -> None:
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    context = command.make_context(words[0], list(words[1:]))
    config = context.params.get("config")
    if config in (None, "CONFIG"):
        return
    assert installed(config).is_file(), f"{where}: {config}"
    try:
        load_config(installed(config), [o for o in context.params.get("overrides", ()) if "=" in o])
    except BadInput as error:
        # Seeds are the user's own; packages with models may not be installed here.
        others = [p for p in error.problems if not p.startswith("seeds.path") and "not installed" not in p]
        assert not others, where


def test_there_are_commands_to_check() -> None:
    assert {where for where, _ in commands()} >= {
        "deploy/kuberay/rayjob.yaml", "deploy/kuberay/raycluster.yaml", "deploy/ray_up.yaml",
        "docs/operations.md",
    }  # fmt: skip


def test_versions_are_the_tested_ones() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    for name in KUBERAY:
        assert cluster_spec(name)["rayVersion"] == pinned["ray"]
    project = (ROOT / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.*)"', project, re.M)
    assert version is not None
    texts = [file.read_text() for file in WITH_COMMANDS]
    images = {found for text in texts for found in re.findall(r"registry\.example/staragents:(\S+)", text)}
    assert images == {version[1]}


def test_the_image_has_what_the_package_needs() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = {
        word for line in re.findall(r"^COPY (.*) \S+$", text, re.M) for word in line.split() if word != "."
    }
    assert all((ROOT / name).exists() for name in copied)
    assert copied >= {"staragents", "actors", "cluster", "configs", "pyproject.toml", "README.md", "LICENSE"}
    python = re.search(r"^FROM python:(\d+\.\d+)", text, re.M)
    assert python is not None
    assert f'requires-python = ">={python[1]}' in (ROOT / "pyproject.toml").read_text()
    assert "USER ray" in text


def test_the_image_has_extras_of_the_project_for_data_filters_and_students() -> None:
    found = re.search(r'--editable "\.\[([\w,]+)\]"', (DEPLOY / "Dockerfile").read_text())
    assert found is not None
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {"cuda", "hub", "s3", "gs", "filters", "train"} <= set(found[1].split(",")) <= set(extras)


def test_the_image_has_the_torchvision_that_some_models_need() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"--override (\S+)", text) == ["overrides.txt"]
    assert "torchvision" not in (ROOT / "overrides.txt").read_text()


@pytest.mark.parametrize(
    ("gpu", "extras", "engine"),
    [
        (True, None, "cuda"),
        (False, None, "cpu"),
        (True, "demo,dev,cpu", "cpu"),
        (False, "cuda,hub", "cuda"),
    ],
)
def test_only_an_installation_for_the_cpu_leaves_torchvision_out(
    tmp_path: Path, gpu: bool, extras: str | None, engine: str
) -> None:
    """The unchanged script, with fakes that record their calls."""
    calls, programs = tmp_path / "calls", tmp_path / "programs"
    bodies = {
        programs / "uname": '[ "$1" = -s ] && echo Linux || echo x86_64',
        programs / "nvidia-smi": f"exit {0 if gpu else 1}",
        tmp_path / ".venv/bin/python": "exit 0",
        tmp_path / ".venv/bin/uv": 'echo "$*" >> "$CALLS"',
        tmp_path / "deploy/install.sh": (DEPLOY / "install.sh").read_text(),
    }
    for file, body in bodies.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(body if body.startswith("#!") else f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "CALLS": str(calls), "PYTHON": sys.executable}
    if extras is not None:
        environment["EXTRAS"] = extras
    installing = subprocess.run(
        ["sh", tmp_path / "deploy/install.sh"], env=environment, check=True, capture_output=True, text=True
    )
    first = installing.stdout.splitlines()[0]
    assert first.endswith("vLLM for CUDA" if engine == "cuda" else "vLLM for the CPU")
    call = calls.read_text()
    assert f".[{extras or f'demo,dev,{engine}'}]" in call
    assert ("overrides-cpu.txt" in call, "--torch-backend=cpu" in call) == (engine == "cpu",) * 2


@pytest.mark.parametrize("needs_gpu", [True, False])
def test_the_demo_uses_a_gpu_if_the_installed_vllm_needs_one(tmp_path: Path, needs_gpu: bool) -> None:
    """Not if the machine has one: EXTRAS may choose the vLLM for CPUs there, which can't use it."""
    for name, body in (("python", "echo y" if needs_gpu else "echo"), ("nvidia-smi", "exit 0")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    planned = subprocess.run(
        ["make", "-n", "demo", f"VENV={tmp_path}", f"READY={tmp_path / 'python'}"],
        cwd=ROOT, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert ("num_gpus" in planned.stdout) == needs_gpu


def test_the_constraints_allow_every_store_of_the_image() -> None:
    """aiobotocore, of s3fs, wants python-dateutil below 3: with 4, the image could not be built."""
    assert "\npython-dateutil==2." in (ROOT / "constraints.txt").read_text()


@pytest.mark.parametrize("name", ["Dockerfile", "slurm.sh"])
def test_a_cluster_of_ours_sends_no_usage_statistics(name: str) -> None:
    """Those on Kubernetes and cloud machines have the image. `ray start` sends them by default."""
    assert "RAY_USAGE_STATS_ENABLED=0" in (DEPLOY / name).read_text()


def test_the_cluster_launcher_accepts_its_file() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((DEPLOY / "ray_up.yaml").read_text())
    validate_config(prepare_config(config))
    nodes = config["available_node_types"]
    assert nodes["head"]["resources"] == {"CPU": 0}
    # Ray's own choice is years old.
    assert all(node["node_config"]["ImageId"].startswith("ami-") for node in nodes.values())


def test_the_image_has_what_the_cluster_launcher_needs() -> None:
    """It copies files into the container with rsync, and the head starts machines with the provider's SDK."""
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.search("apt-get install .* rsync ", text)
    assert re.search(r'train\]" boto3 ', text)
    assert "pip install boto3" in (DEPLOY / "ray_up.yaml").read_text()


def test_ray_accepts_the_runtime_env() -> None:
    from ray.runtime_env import RuntimeEnv

    settings = yaml.safe_load((DEPLOY / "runtime_env.yaml").read_text())
    assert RuntimeEnv(**settings).env_vars() == settings["env_vars"]
    assert not any(re.search("key|token|secret", name, re.I) for name in settings["env_vars"])
    assert not {"pip", "uv", "conda"} & set(settings)


LEFT_HERE = (
    ".git/objects/pack.bin", ".venv-cpu/lib/x.so", "runs/demo/candidates/0.parquet", "runs_old/x.jsonl",
    "outputs/sft/x.json", "checkpoints/step-1/x.json", "models/gemma/tokenizer.json", "seeds.jsonl.gz",
    "data/all.parquet", "model.safetensors", "adapters/adapter_model.bin", ".mypy_cache/x.json", "core.4711",
    "dist.tar.gz", "tests/x.py", "docs/x.md",
)  # fmt: skip
SENT = (
    "actors/__init__.py", "cluster/job.py", "cluster/cli/run.py", "staragents/agents/prompts/judge.j2",
    "staragents/data/self-instruct.jsonl", "configs/demo.yaml", "configs/ablations/paper.yaml", "mine.yaml",
    "prompts/mine.j2", "seeds.jsonl", "data/seeds.csv", "pyproject.toml", "deploy/runtime_env.yaml",
)  # fmt: skip


def test_a_submitted_working_directory_has_the_code_and_no_data(tmp_path: Path) -> None:
    """Above 100 MB `ray job submit` ends in a traceback."""
    from ray._private.runtime_env.packaging import _zip_files

    for name in (*LEFT_HERE, *SENT):
        (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "checkout" / name).write_text("x")
    excludes = yaml.safe_load((DEPLOY / "runtime_env.yaml").read_text())["excludes"]
    package = tmp_path / "package.zip"
    _zip_files(str(tmp_path / "checkout"), excludes, str(package), include_gitignore=True)
    with zipfile.ZipFile(package) as zipped:
        assert sorted(zipped.namelist()) == sorted(SENT)


def test_this_checkout_is_far_below_rays_upload_limit(tmp_path: Path) -> None:
    from ray._private.runtime_env.packaging import _zip_files

    excludes = yaml.safe_load((DEPLOY / "runtime_env.yaml").read_text())["excludes"]
    _zip_files(str(DEPLOY.parent), excludes, str(tmp_path / "package.zip"), include_gitignore=True)
    assert (tmp_path / "package.zip").stat().st_size < 20 << 20
    with zipfile.ZipFile(tmp_path / "package.zip") as zipped:
        assert {"cluster/job.py", "staragents/__init__.py", "configs/fake.yaml"} <= set(zipped.namelist())


def test_the_slurm_recipe_is_a_shell_script_with_a_drain_before_its_limit() -> None:
    script = DEPLOY / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert "#SBATCH --signal=B:TERM@" in text
    assert "#SBATCH --requeue" in text


def test_slurm_starts_ray_on_every_node_and_saves_before_the_limit(tmp_path: Path) -> None:
    """The unchanged script, with fakes for Slurm and Ray that record their calls."""
    calls = tmp_path / "calls"
    programs = {
        "scontrol": 'echo "scontrol $*" >> "$CALLS"; [ "$1" = show ] && printf "n1\\nn2\\nn3\\n" || true',
        "srun": 'echo "srun $*" >> "$CALLS"',
        "ray": 'echo "ray $*" >> "$CALLS"',
        "sleep": "exit 0",
        "python": f'exec {sys.executable} {tmp_path / "job.py"} "$@"',
    }
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").write_text(f'PATH="{tmp_path}:$PATH"\n')
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "job.py").write_text(
        "import os, signal, sys, time\n"
        "def stop(*_):\n    os.write(1, b'saved\\n'); time.sleep(0.3); sys.exit(130)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print(sys.argv[1:], os.environ['RAY_ADDRESS'], flush=True)\n"
        "time.sleep(30)\n"
    )
    job = subprocess.Popen(
        ["bash", DEPLOY / "slurm.sh", "configs/fake.yaml", "a=b"],
        env={
            "PATH": "/usr/bin:/bin", "CALLS": str(calls), "SLURM_SUBMIT_DIR": str(tmp_path),
            "SLURM_JOB_ID": "41", "SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_NUM_NODES": "3",
        },
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert job.stdout is not None
    started = job.stdout.readline()
    assert "'cluster.job', 'run', 'configs/fake.yaml', 'a=b'] n1:20041" in started
    job.terminate()
    output, _ = job.communicate(timeout=20)
    assert "saved" in output
    assert job.returncode == 130
    text = calls.read_text()
    assert "ray start --head --port=20041" in text
    assert "--nodes=2 --ntasks-per-node=1 --exclude=n1" in text
    assert "ray start --address=n1:20041" in text
    assert "scontrol requeue 41" in text
