"""`export --push-to-hub`, with a fake hub at the network boundary and everything else real."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from click.testing import CliRunner, Result
from datasets import load_dataset
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from cluster.job import cli
from staragents.analysis.saved_run import SavedRun
from staragents.base.errors import BadInput, RunFailed
from staragents.export import exporter, hub

TOKEN = "hf_" + "fakefakefake" * 3


class FakeHub:
    """Records what would have been sent."""

    def __init__(self) -> None:
        self.repos: list[dict] = []
        self.commits: list[dict] = []
        self.tokens: list[str] = []
        self.refuses: Exception | None = None
        self.files = {".gitattributes", "data/mine.jsonl"}
        self.listed: list[dict] = []

    def api(self, token: str, **about: str) -> FakeHub:
        assert set(about) == {"library_name", "library_version"}
        self.tokens.append(token)
        return self

    def create_repo(self, repo_id: str, **settings: object) -> object:
        if self.refuses:
            raise self.refuses
        self.repos.append({"repo_id": repo_id, **settings})

        class Url(str):
            pass

        url = Url(f"https://hub.invalid/datasets/{repo_id}")
        url.repo_id = repo_id  # type: ignore[attr-defined]
        return url

    def list_repo_files(self, repo_id: str, **settings: object) -> list[str]:
        self.listed.append({"repo_id": repo_id, **settings})
        return sorted(self.files)

    def create_commit(
        self, repo_id: str, operations: list[CommitOperationAdd | CommitOperationDelete], **settings: object
    ) -> None:
        for one in operations:
            change = self.files.discard if isinstance(one, CommitOperationDelete) else self.files.add
            change(one.path_in_repo)
        self.commits.append({"repo_id": repo_id, "operations": operations, **settings})


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub()
    monkeypatch.setattr(hub, "HfApi", fake.api)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return fake


@pytest.fixture
def export(finished_run: Path, tmp_path: Path) -> Callable[..., Result]:
    def call(*more: str, file: str = "data.jsonl") -> Result:
        output = ["-o", str(tmp_path / file), "--validation", "0.3"]
        return CliRunner().invoke(
            cli, ["export", str(finished_run), *output, "--push-to-hub", "me/mine", *more]
        )

    return call


def test_the_real_hub_takes_the_same_calls(fake_hub: FakeHub, export: Callable[..., Result]) -> None:
    assert export().exit_code == 0
    for method, calls in (
        (HfApi.create_repo, fake_hub.repos),
        (HfApi.list_repo_files, fake_hub.listed),
        (HfApi.create_commit, fake_hub.commits),
    ):
        (recorded,) = calls
        inspect.signature(method).bind(None, **recorded)
    HfApi(token=TOKEN, library_name="staragents", library_version="1")


def test_a_push_is_one_commit_of_card_and_files(
    fake_hub: FakeHub, export: Callable[..., Result], tmp_path: Path
) -> None:
    told = export()
    assert told.exit_code == 0, told.output
    assert fake_hub.tokens == [TOKEN]
    assert fake_hub.repos == [
        {"repo_id": "me/mine", "repo_type": "dataset", "private": True, "exist_ok": True}
    ]
    (commit,) = fake_hub.commits
    assert (commit["repo_id"], commit["repo_type"]) == ("me/mine", "dataset")
    sent = {operation.path_in_repo: operation.path_or_fileobj for operation in commit["operations"]}
    assert set(sent) == {"README.md", "data/train.jsonl", "data/validation.jsonl"}
    assert Path(sent["data/train.jsonl"]).read_bytes() == (tmp_path / "data.jsonl").read_bytes()
    assert "https://hub.invalid/datasets/me/mine" in told.output


def test_a_later_push_leaves_no_file_of_an_earlier_one(
    fake_hub: FakeHub, export: Callable[..., Result]
) -> None:
    others = {"README.md", ".gitattributes", "data/mine.jsonl"}
    assert json.loads(export("--json").output)["push"]["deleted"] == []
    assert fake_hub.files == {*others, "data/train.jsonl", "data/validation.jsonl"}
    told = export("--validation", "0")
    assert "delete     data/validation.jsonl\n" in told.output
    assert fake_hub.files == {*others, "data/train.jsonl"}
    assert (
        "delete     data/train.jsonl, if the repository has it"
        in export("--dry-run", file="data.parquet").output
    )
    export(file="data.parquet")
    assert fake_hub.files == {*others, "data/train.parquet", "data/validation.parquet"}
    assert len(fake_hub.commits) == 3


def test_the_pushed_repository_loads_through_its_card(
    fake_hub: FakeHub, export: Callable[..., Result], tmp_path: Path
) -> None:
    found = json.loads(export("--json", file="data.parquet").output)
    repo = tmp_path / "repo"
    for operation in fake_hub.commits[0]["operations"]:
        content = operation.path_or_fileobj
        target = repo / operation.path_in_repo
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else Path(content).read_bytes())
    loaded = load_dataset(str(repo), cache_dir=str(tmp_path / "cache"))
    assert {split: loaded[split].num_rows for split in loaded} == {
        split: file["rows"] for split, file in found["files"].items()
    }
    header = yaml.safe_load((repo / "README.md").read_text().split("---\n")[1])
    assert "fake-engines" in header["tags"]
    assert header["size_categories"] == ["n<1K"]
    assert "report.html" not in (repo / "README.md").read_text()


@pytest.mark.parametrize("name", ["dpo", "kto", "alpaca", "messages"])
def test_the_card_describes_the_uploaded_rows(finished_run: Path, tmp_path: Path, name: str) -> None:
    run = SavedRun.open(finished_run)
    run.summary["run"] = {**run.summary["run"], "dataset": {"reasoning": 7}}
    exported = exporter.export(run, name, tmp_path / "data.jsonl")
    exported.reasoning_dropped = 7 * (name == "alpaca")
    rows = exported.files["train"][1]
    card = hub.Push.of(run, exported, "me/mine", private=True).card
    what = {"dpo": "pairs of a preferred", "kto": "answers that a judge"}.get(
        name, "instruction-tuning samples"
    )
    assert f"\n{rows} {what}" in card
    assert "kept unchanged from the seed dataset" not in card
    assert "of them have the reasoning" not in card
    assert ("The reasoning of 7 rows is left out." in card) == (name == "alpaca")


def test_a_dry_run_reports_everything_and_sends_nothing(
    fake_hub: FakeHub, export: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    told = export("--dry-run", "--json")
    push = json.loads(told.output)["push"]
    assert (push["dry_run"], push["url"]) == (True, None)
    assert set(push["files"]) == {"README.md", "data/train.jsonl", "data/validation.jsonl"}
    assert all(size > 100 for size in push["files"].values())
    assert "nothing was uploaded" in export("--dry-run").output
    assert [*fake_hub.repos, *fake_hub.commits, *fake_hub.tokens] == []


def test_without_a_token_nothing_is_written(
    fake_hub: FakeHub, export: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    told = export()
    assert isinstance(told.exception, BadInput)
    assert "HF_TOKEN" in str(told.exception)
    assert not list(tmp_path.iterdir())


def test_the_token_is_in_no_output(fake_hub: FakeHub, export: Callable[..., Result], tmp_path: Path) -> None:
    response = SimpleNamespace(headers={}, request=None, status_code=401)
    for error in (
        ConnectionError("no route to host"),
        RepositoryNotFoundError("401 Client Error.", response=response),
    ):
        fake_hub.refuses = error
        told = export()
        assert isinstance(told.exception, RunFailed)
        assert str(told.exception).startswith("--push-to-hub: the hub did not accept me/mine: ")
        assert "\n" not in str(told.exception)
        assert TOKEN not in f"{told.exception}{told.output}"
    fake_hub.refuses = None
    told = export()
    card = fake_hub.commits[0]["operations"][0].path_or_fileobj.decode()
    assert TOKEN not in told.output + card
    assert all(TOKEN not in path.read_text() for path in tmp_path.glob("*.*"))


@pytest.mark.parametrize("repo", ["a b/c", "../x/y", "a/b/c", ""])
def test_an_invalid_name_is_bad_input(finished_run: Path, repo: str) -> None:
    told = CliRunner().invoke(cli, ["export", str(finished_run), "--push-to-hub", repo, "--dry-run"])
    assert isinstance(told.exception, BadInput)
    assert f"expected OWNER/NAME, got {repo!r}" in str(told.exception)
