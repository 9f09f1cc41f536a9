"""Scoring files without a model: the output, the state after a kill, and refused input."""

from __future__ import annotations

import errno
import gzip
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from staragents.base.errors import BadInput, RunFailed
from staragents.base.messages import Message
from staragents.config import ColumnsConfig
from staragents.score_file import parts, spill, windows
from staragents.score_file.loading import load
from staragents.score_file.local_scorers import LocalScorers
from staragents.score_file.score_job import ScoreJob
from staragents.score_file.selection import Selection
from staragents.score_file.settings import ScoreSettings
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import Score, ScoreRow, ifd_gap
from staragents.scoring.ifd_model import IfdModel
from tests.support.tiny_models import save_tokenizer


class Silent:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scored = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, rows: int, done: int) -> None: ...

    def advance(self, rows: int) -> None:
        self.scored += rows


class Stops(FakeIfdModel):
    """Scores some rows, then the user presses Ctrl-C."""

    def __init__(self, role: str, rows: int) -> None:
        super().__init__(role)
        self._left = rows

    def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
        self._left -= len(rows)
        if self._left < 0:
            raise KeyboardInterrupt
        return super().score(rows)


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "LARGEST_WINDOW", 8)


def row(n: int, **more: Any) -> dict[str, Any]:
    return {"instruction": f"Say {n}.", "input": "", "output": f"It is {n}, and no other number.", **more}


def jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.write_bytes(b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in rows))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return jsonl(tmp_path / "data.jsonl", [row(n) for n in range(60)])


def job(
    data: Path | str, output: Path, load: Callable[..., Any] | None = None, watch: Any = None, **more: Any
) -> dict[str, Any]:
    options = {"target": "fake", "larger": "fake", **more}
    command = ScoreSettings(data=str(data), output=output, **options)
    load = load or (lambda role, path, s: FakeIfdModel(role))

    @contextmanager
    def scorers(paths: dict[str, str], s: ScoreSettings) -> Iterator[LocalScorers]:
        yield LocalScorers({role: load(role, path, s) for role, path in paths.items()})

    return ScoreJob(command, watch or Silent(), scorers).run()


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


def expected(messages: Sequence[Message]) -> dict[str, Any]:
    (target,) = FakeIfdModel("target").score([ScoreRow(tuple(messages))])
    (larger,) = FakeIfdModel("larger").score([ScoreRow(tuple(messages))])
    values: dict[str, Any] = {}
    for role, score in (("target", target), ("larger", larger)):
        values |= {
            f"{role}_nll_cond": score.nll_cond,
            f"{role}_nll_direct": score.nll_direct,
            f"{role}_ifd": score.ifd,
            f"{role}_ifd_loss_ratio": score.ifd_loss,
            f"{role}_ifd_bytes": score.ifd_bytes,
            f"{role}_tokens": score.tokens,
            f"{role}_status": score.status.value,
        }
    return values | {"answer_bytes": target.answer_bytes, "ifd_gap": ifd_gap(target, larger, True)}


@pytest.mark.parametrize("name", ["s.parquet", "s.jsonl", "s.jsonl.gz"])
def test_the_columns_of_the_input_are_kept_and_followed_by_the_scores(
    tmp_path: Path, data: Path, name: str
) -> None:
    job(data, tmp_path / name)
    rows = read(tmp_path / name)
    assert len(rows) == 60
    for n, found in enumerate(rows):
        messages = (Message("user", f"Say {n}."), Message("assistant", f"It is {n}, and no other number."))
        assert found == row(n) | expected(messages)
    assert list(rows[0])[:3] == ["instruction", "input", "output"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", name, f"{name}.summary.json"]


def test_pandas_reads_the_output(tmp_path: Path, data: Path) -> None:
    job(data, tmp_path / "s.parquet")
    frame = pandas.read_parquet(tmp_path / "s.parquet")
    ratio = (frame.target_nll_cond - frame.target_nll_direct).map(math.exp)
    assert frame.target_ifd.tolist() == pytest.approx(ratio.tolist())


def test_without_a_larger_model_its_columns_are_absent(tmp_path: Path, data: Path) -> None:
    job(data, tmp_path / "s.parquet", larger=None)
    assert not {"larger_ifd", "ifd_gap"} & set(pq.read_schema(tmp_path / "s.parquet").names)


@pytest.mark.parametrize("rows_before", [0, 8, 9, 30, 59])
def test_a_stopped_command_resumes_and_ends_with_the_same_file(
    tmp_path: Path, data: Path, rows_before: int
) -> None:
    job(data, tmp_path / "whole.parquet")
    with pytest.raises(KeyboardInterrupt):
        job(data, tmp_path / "s.parquet", lambda role, path, s: Stops(role, rows_before))
    assert not (tmp_path / "s.parquet").exists()
    watch = Silent()
    job(data, tmp_path / "s.parquet", watch=watch)
    assert watch.scored == 60 - rows_before // 8 * 8
    assert pq.read_table(tmp_path / "s.parquet") == pq.read_table(tmp_path / "whole.parquet")


def test_parts_left_half_joined_by_a_kill_are_read_once(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(parts, "PARTS_TO_JOIN", 3)
    job(data, tmp_path / "whole.parquet")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            job(data, tmp_path / "s.parquet")
    names = sorted(p.name for p in (tmp_path / "s.parquet.parts").glob("part-*"))
    assert len(names) == 4
    (tmp_path / "s.parquet.parts" / ".part-000000000024-000000000032.parquet.tmp").write_bytes(b"PAR")
    job(data, tmp_path / "s.parquet")
    assert pq.read_table(tmp_path / "s.parquet") == pq.read_table(tmp_path / "whole.parquet")


@pytest.mark.parametrize("suffix", ["s.parquet", "s.parquet.summary.json", "s.parquet.quarantine.jsonl"])
def test_a_full_disk_at_the_end_is_one_line_and_the_same_command_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    data = jsonl(tmp_path / "data.jsonl", [row(0), {"text": "bad"}])

    def full(source: Path, target: Path) -> None:
        if target.name == suffix:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    rename = os.replace
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(RunFailed, match=r"^-o: can't write .*s\.parquet: No space left on device$"):
            job(data, tmp_path / "s.parquet")
    assert not (tmp_path / "s.parquet").exists()
    assert not list(tmp_path.rglob(".*.tmp"))
    (tmp_path / "s.parquet.parts" / ".s.parquet.0123abcd.tmp").touch()
    watch = Silent()
    job(data, tmp_path / "s.parquet", watch=watch)
    assert watch.scored == 0
    names = [f"s.parquet{end}" for end in ("", ".quarantine.jsonl", ".summary.json")]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", *names]


def test_a_part_cut_short_by_a_crash_is_scored_again(tmp_path: Path, data: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        job(data, tmp_path / "s.jsonl", lambda role, path, s: Stops(role, 30))
    part = min((tmp_path / "s.jsonl.parts").glob("part-*"))
    part.write_bytes(part.read_bytes()[:100])
    job(data, tmp_path / "s.jsonl")
    assert len(read(tmp_path / "s.jsonl")) == 60


def test_a_damaged_part_is_reported_and_its_rows_are_scored_again(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "WRITE_EVERY_S", 0.0)
    job(data, tmp_path / "whole.parquet")
    with pytest.raises(KeyboardInterrupt):
        job(data, tmp_path / "s.parquet", lambda role, path, s: Stops(role, 30))
    first, second, third = sorted((tmp_path / "s.parquet.parts").glob("part-*"))
    content = bytearray(second.read_bytes())
    content[len(content) // 4] ^= 1  # in a page of values, where Parquet itself would not detect it
    second.write_bytes(content)
    watch = Silent()
    job(data, tmp_path / "s.parquet", watch=watch)
    (line,) = [line for line in watch.lines if "damaged" in line]
    assert second.name in line
    assert line.startswith("2 parts"), "what lies behind the gap is not used either"
    assert watch.scored == 60 - 8
    assert pq.read_table(tmp_path / "s.parquet") == pq.read_table(tmp_path / "whole.parquet")
    assert first.name < second.name < third.name


@pytest.mark.parametrize(
    "change",
    [
        {"max_length": 100},
        {"limit": 50},
        {"larger": None},
        {"dtype": "bfloat16"},
        {"quantization": "8bit"},
        {"device_map": "auto"},
        {"target_adapter": "who/ever"},
        {"larger_adapter": "who/ever"},
    ],
)
def test_the_parts_of_another_command_are_not_used(
    tmp_path: Path, data: Path, change: dict[str, Any]
) -> None:
    out = tmp_path / "s.parquet"
    with pytest.raises(KeyboardInterrupt):
        job(data, out, lambda role, path, s: Stops(role, 30))
    with pytest.raises(BadInput, match="a different, unfinished command"):
        job(data, out, **change)
    job(data, out, overwrite=True, **change)
    assert len(read(out)) == change.get("limit", 60)


def test_a_retrained_adapter_is_another_adapter(tmp_path: Path, data: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    job(data, tmp_path / "s.parquet", target_adapter=str(adapter))
    (adapter / "adapter_config.json").write_text('{"r": 4}')
    with pytest.raises(BadInput, match=r"changed: --target-adapter\)"):
        job(data, tmp_path / "s.parquet", target_adapter=str(adapter))


def test_a_finished_command_is_not_repeated_and_another_is_not_overwritten(
    tmp_path: Path, data: Path
) -> None:
    out = tmp_path / "s.parquet"
    first = job(data, out)
    before = out.read_bytes()

    def never(*args: Any) -> Any:
        raise AssertionError("nothing to load")

    assert job(data, out, never)["ifd_gap"] == first["ifd_gap"]
    with pytest.raises(BadInput, match=r"from a different command \(changed: --sort-by\)"):
        job(data, out, selection=Selection("ifd"))
    jsonl(data, [row(n) for n in range(1, 61)])
    with pytest.raises(BadInput, match=r"changed: .*DATA"):
        job(data, out)
    assert out.read_bytes() == before
    job(data, out, overwrite=True)
    assert read(out)[0]["instruction"] == "Say 1."


def test_somebody_elses_file_is_left_alone(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "s.jsonl"
    out.write_text("precious")
    with pytest.raises(BadInput, match="already exists"):
        job(data, out)
    assert out.read_text() == "precious"


def test_a_stopped_overwrite_resumes_without_the_option(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "s.jsonl"
    out.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        job(data, out, lambda role, path, s: Stops(role, 30), overwrite=True)
    assert out.read_text() == "old"
    watch = Silent()
    job(data, out, watch=watch)
    assert watch.scored == 36
    assert len(read(out)) == 60


def test_bad_rows_are_left_out_with_their_place_and_reason(tmp_path: Path) -> None:
    lines = [
        row(0),
        b"oops\n",
        {"x": 1},
        row(1, output=7),
        row(2, output=""),
        b'{"instruction": "\xff"}\n',
        row(3),
    ]
    data = jsonl(tmp_path / "d.jsonl", lines)
    summary = job(data, tmp_path / "s.jsonl")
    assert [r["target_status"] for r in read(tmp_path / "s.jsonl")] == ["ok", "empty", "ok"]
    assert (summary["rows"], summary["bad_rows"], summary["rows_written"]) == (7, 4, 3)
    problems = [r["problem"] for r in read(tmp_path / "s.jsonl.quarantine.jsonl")]
    assert [p.split(": ")[0] for p in problems] == [
        f"{data}:2:row",
        f"{data}:3:instruction",
        f"{data}:4:output",
        f"{data}:6:row",
    ]
    with pytest.raises(BadInput, match="4:output"):
        job(data, tmp_path / "strict.jsonl", strict=True)
    assert not list(tmp_path.glob("strict*"))


MIXED = [
    row(0, meta={"a": 1}, big=2**60 + 1, tags=[]),
    row(1, meta="text", big=0.5, tags=["x"]),
    row(2, meta=[1, "b"], extra={}, half="\ud83d"),
    row(3, meta=None, big=2**70),
]


@pytest.mark.parametrize("block_rows", [1, 1000])
def test_mixed_types_keep_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    monkeypatch.setattr("staragents.data.readers.data_files.BLOCK_ROWS", block_rows)
    data = jsonl(tmp_path / "d.jsonl", MIXED)
    job(data, tmp_path / "s.jsonl")
    assert [
        {k: r[k] for k in original} for r, original in zip(read(tmp_path / "s.jsonl"), MIXED, strict=True)
    ] == MIXED
    job(data, tmp_path / "s.parquet")
    table = pq.read_table(tmp_path / "s.parquet")
    texts = {field.name for field in table.schema if (field.metadata or {}).get(b"staragents") == b"json"}
    assert texts == {"meta", "big", "extra", "half"}
    for found, original in zip(table.to_pylist(), MIXED, strict=True):
        for name, value in original.items():
            got = found[name]
            assert (json.loads(got) if name in texts and got is not None else got) == value


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    original = pa.table(
        {
            "instruction": [f"Say {n}." for n in range(5)],
            "output": [f"It is number {n}." for n in range(5)],
            "when": pa.array(range(5), pa.timestamp("ns", "UTC")),
            "kind": pa.array(["a", "b", "a", None, "b"]).dictionary_encode(),
            "money": pa.array([1, 2, 3, 4, 5], pa.decimal128(12, 2)),
            "many": pa.array([{"x": 1}] * 5, pa.map_(pa.string(), pa.int16())),
        }
    )
    pq.write_table(original, tmp_path / "d.parquet")
    job(tmp_path / "d.parquet", tmp_path / "s.parquet")
    assert pq.read_table(tmp_path / "s.parquet").select(original.column_names) == original


def test_csv_values_stay_text(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text('q,a,id\n"Say, 7","It is seven, I think.",007\n', encoding="utf-8")
    columns = ColumnsConfig(instruction="q", response="a")
    job(tmp_path / "d.csv", tmp_path / "s.parquet", columns=columns)
    (found,) = read(tmp_path / "s.parquet")
    assert (found["q"], found["id"], found["target_status"]) == ("Say, 7", "007", "ok")


def test_scores_of_an_earlier_file_are_replaced(tmp_path: Path, data: Path) -> None:
    job(data, tmp_path / "one.parquet")
    job(tmp_path / "one.parquet", tmp_path / "two.parquet")
    assert pq.read_table(tmp_path / "one.parquet") == pq.read_table(tmp_path / "two.parquet")


@pytest.mark.parametrize("name", ["s.parquet", "s.jsonl"])
@pytest.mark.parametrize("bucket", [1, 7, 1000])
def test_sorted_output_is_the_same_with_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, bucket: int
) -> None:
    monkeypatch.setattr(spill, "BUCKET_ROWS", bucket)
    data = jsonl(
        tmp_path / "d.jsonl",
        [row(n % 40, output="" if n % 9 == 0 else f"x {n % 40}", id=n) for n in range(60)],
    )
    job(data, tmp_path / "plain.parquet")
    rows = read(tmp_path / "plain.parquet")
    job(data, tmp_path / name, selection=Selection("gap"))
    in_order = sorted(rows, key=lambda r: (r["ifd_gap"] is None, -(r["ifd_gap"] or 0)))
    assert [r["id"] for r in read(tmp_path / name)] == [r["id"] for r in in_order]


def test_top_takes_the_highest_below_one(tmp_path: Path, data: Path) -> None:
    job(data, tmp_path / "all.parquet")
    rows = read(tmp_path / "all.parquet")
    best = sorted((r["target_ifd"] for r in rows if r["target_ifd"] < 1), reverse=True)
    assert max(r["target_ifd"] for r in rows) > 1
    job(data, tmp_path / "top.parquet", selection=Selection(None, "10%"))
    top = [r["target_ifd"] for r in read(tmp_path / "top.parquet")]
    assert sorted(top, reverse=True) == best[:6]
    assert top == [r["target_ifd"] for r in rows if r["target_ifd"] in top]
    job(data, tmp_path / "more.parquet", selection=Selection("ifd", "500"))
    assert [r["target_ifd"] for r in read(tmp_path / "more.parquet")] == best


@pytest.mark.parametrize("top", ["0", "-3", "101%", "0%", "1.5", "many", "", "10 %", "nan", "1e3"])
def test_a_meaningless_top_is_bad_input(top: str) -> None:
    with pytest.raises(BadInput, match="--top: expected"):
        Selection(None, top)


def test_standard_input_is_scored_and_leaves_nothing(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data.read_bytes())))
        job("-", tmp_path / "s.jsonl")
    assert len(read(tmp_path / "s.jsonl")) == 60
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", "s.jsonl", "s.jsonl.summary.json"]


def test_two_commands_do_not_write_the_same_output(tmp_path: Path, data: Path) -> None:
    def second(role: str, path: str, s: ScoreSettings) -> FakeIfdModel:
        return FakeIfdModel(role)

    class Meanwhile(FakeIfdModel):
        def score(self, rows: Sequence[ScoreRow]) -> list[Score]:
            with pytest.raises(RunFailed, match="being written by another"):
                job(data, tmp_path / "s.jsonl", second)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job(data, tmp_path / "s.jsonl", lambda role, path, s: Meanwhile(role))


def test_a_second_command_with_the_same_cache_runs_nothing(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=258)).save_pretrained(tmp_path / "model")
    save_tokenizer(tmp_path / "model")
    options = {"target": str(tmp_path / "model"), "larger": None, "cache": tmp_path / "losses", "limit": 20}
    job(data, tmp_path / "s.jsonl", load, **options)
    with monkeypatch.context() as patched:
        patched.setattr(IfdModel, "_batch_nlls", None)
        job(data, tmp_path / "again.jsonl", load, **options)
    assert read(tmp_path / "s.jsonl") == read(tmp_path / "again.jsonl")
    assert read(tmp_path / "s.jsonl")[0]["target_ifd"]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=1, max_size=20))
def test_any_texts_are_kept_unchanged(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    rows = [dict(zip(("instruction", "input", "output"), text, strict=True)) for text in texts]
    data = jsonl(folder / "d.jsonl", rows)
    for name in ("s.parquet", "s.jsonl"):
        job(data, folder / name)
        assert [{k: r[k] for k in rows[0]} for r in read(folder / name)] == rows
