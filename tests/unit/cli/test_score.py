"""`staragents score` on the command line: one clear line and exit code 2, or a file and a histogram."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import LlamaConfig

from cluster.job import main
from staragents.score_file.settings import ScoreSettings
from tests.support.paths import ROOT
from tests.support.tiny_models import save_tokenizer

GOOD = {"instruction": "Name a colour.", "output": "Blue is a colour, as most people know."}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(GOOD | {"n": n}) + "\n" for n in range(5)))
    return path


def score(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["staragents", "score", *map(str, arguments)])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["{tmp}/none.jsonl", "--target", "fake"], "none.jsonl"),
        (["{tmp}/text.txt", "--target", "fake"], "text.txt: expected JSONL, JSON, CSV"),
        (["{tmp}/broken.json", "--target", "fake"], "broken.json:1: not JSON"),
        (["{tmp}/columns.jsonl", "--target", "fake"], "columns.jsonl:1:response: expected the columns"),
        (["{tmp}/latin.jsonl", "--target", "fake"], "latin.jsonl:1:row: expected UTF-8"),
        (["{tmp}/empty.jsonl", "--target", "fake"], "expected rows, got none"),
        (["{data}", "--target", "packaged:none"], "--target: expected one of"),
        (["{data}", "--target", "./no/such/model"], "--target: expected a hub id"),
        (["{data}", "--target", "{tmp}/model"], "--target: can't load the model"),
        (["{data}", "--target", "{tmp}/nothing"], "--target: expected a model folder with config.json"),
        (["{data}", "--target", "{tmp}/broken"], "--target: can't load the model"),
        (
            ["{data}", "--target", "fake", "--target-adapter", "{tmp}/none"],
            "--target-adapter: expected a hub id",
        ),
        (
            ["{data}", "--target", "fake", "--larger-adapter", "{tmp}/model"],
            "--larger-adapter: expected --larger",
        ),
        (["{data}", "--target", "{tmp}/model", "--quantization", "4bit"], "--target: can't load the model"),
        (["{data}", "--target", "fake", "--quantization", "3bit"], "--quantization"),
        (["{data}", "--target", "fake", "--device-map", "everywhere"], "--device-map"),
        (["{data}", "--target", "fake", "--gpus", "1"], "--gpus: expected --ray or RAY_ADDRESS"),
        (["{data}", "--target", "fake", "--ray", "--device", "cuda:1"], "--device: expected auto on Ray"),
        (["{data}", "--target", "fake", "--top", "ten"], "--top: expected a number"),
        (["{data}", "--target", "fake", "--sort-by", "gap"], "expected --larger"),
        (["{data}", "--target", "fake", "--sort-by", "beauty"], "--sort-by"),
        (["{data}", "--target", "fake", "--columns", "question"], "--columns: expected KEY=COLUMN"),
        (["{data}", "--target", "fake", "-o", "{tmp}/s.xlsx"], "-o: expected a name that ends in .parquet"),
        (["{data}", "--target", "fake", "-o", "{tmp}"], "-o: expected a name that ends"),
        (["{data}", "--target", "fake", "-o", "{data}"], "not in DATA"),
        (
            ["{data}", "--target", "fake", "-o", "/proc/s.parquet"],
            "-o: expected a writable folder",
        ),
        (["{data}"], "--target"),
        (["{data}", "seeds.limit=5", "--target", "fake"], "seeds.limit: expected scoring.KEY=VALUE"),
        (["{data}", "scoring.max_lenght=5", "--target", "fake"], "did you mean scoring.max_length?"),
        (
            ["{data}", "scoring.max_length=1", "--target", "fake"],
            "scoring.max_length: expected at least 2, got 1",
        ),
        (
            ["{data}", "scoring.target.dtype=int3", "--target", "fake"],
            "scoring.target.dtype: expected one of auto",
        ),
        (
            ["{data}", "scoring.target.replicas=2", "--target", "fake"],
            "replicas: expected --ray or RAY_ADDRESS",
        ),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: str,
) -> None:
    (tmp_path / "text.txt").write_text("precious " * 300)
    (tmp_path / "broken.json").write_text('[{"instruction": 1,]')
    (tmp_path / "columns.jsonl").write_text('{"question": "x"}\n')
    (tmp_path / "latin.jsonl").write_bytes(b'{"instruction": "\xe9"}\n')
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "nothing").mkdir()
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaConfig(**sizes, vocab_size=258).save_pretrained(tmp_path / "broken")
    save_tokenizer(tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"cut")
    before = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    filled = [argument.format(tmp=tmp_path, data=data) for argument in arguments]
    output = [] if "-o" in filled else ["-o", str(tmp_path / "s.parquet")]
    assert score(monkeypatch, *filled, *output) == 2
    error = capsys.readouterr().err
    line, *more = [line for line in error.splitlines() if line.lower().startswith("error")]
    assert expected in line
    # A bad row is followed by how many there are.
    assert not [other for other in more if "at least one row to score, got 1 bad ones" not in other]
    assert len(more) <= 1
    assert "Traceback" not in error
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == before


def test_a_file_a_histogram_and_a_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "<b>s.jsonl", tmp_path / "ifd.html"
    models = ("--target", "fake", "--larger", "fake")
    assert score(monkeypatch, data, *models, "-o", out, "--histogram", page, "--top", "50%") == 0
    text = capsys.readouterr()
    assert "target IFD, fake: median 0." in text.out
    assert "2 of 5 rows written" in text.out
    assert "5/5 rows" in text.err
    html = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;s.jsonl" in html
    assert "<b>s.jsonl" not in html
    assert 'id="chart-gap"' in html


def test_only_json_goes_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--target", "fake", "-o", tmp_path / "s.jsonl", "--json", "--columns", "response=instruction")
    assert score(monkeypatch, data, *options) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["target"]["statuses"] == {"ok": 5}
    assert summary["settings"]["--columns"]["response"] == "instruction"


def test_settings_of_scoring_win_over_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("scoring.target.model=fake", "scoring.max_length=77", "scoring.template=alpaca")
    options = ("--max-length", "99", "--min-tokens", "2", "-o", tmp_path / "s.jsonl", "--json")
    assert score(monkeypatch, data, *words, *options) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["models"]["target"]["name"] == "fake"
    settings = summary["settings"]
    assert (settings["--max-length"], settings["--min-tokens"], settings["--template"]) == (77, 2, "alpaca")


def test_options_are_the_settings_of_a_run(tmp_path: Path) -> None:
    given = {
        "larger": "b",
        "min_tokens": 3,
        "dtype": "float32",
        "replicas": 2,
        "larger_gpus": 1.0,
        "cpus": 4.0,
    }
    settings = ScoreSettings("d", "a", tmp_path / "s.jsonl", **given)
    words = (
        "scoring.larger.model=b", "scoring.min_answer_tokens=3", "scoring.target.dtype=float32",
        "scoring.larger.dtype=float32", "scoring.target.replicas=2", "scoring.larger.replicas=2",
        "scoring.larger.num_gpus=1", "scoring.target.num_cpus=4", "scoring.larger.num_cpus=4",
    )  # fmt: skip
    same = ScoreSettings("d", "a", tmp_path / "s.jsonl", overrides=words)
    assert same.scoring == settings.scoring
    assert (same.models, same.decides_scores()) == (settings.models, settings.decides_scores())
    one = ScoreSettings(
        "d", "a", tmp_path / "s.jsonl", larger="b", overrides=("scoring.larger.dtype=float16",)
    )
    assert one.decides_scores()["--dtype"] == "auto"
    assert one.decides_scores()["scoring.larger.dtype"] == "float16"


def test_scoring_on_one_machine_does_not_import_ray(tmp_path: Path, data: Path) -> None:
    code = (
        "import sys\nfrom cluster.job import cli\n"
        f"cli.main(['score', {str(data)!r}, '--target', 'fake', '-o', {str(tmp_path / 's.jsonl')!r}],"
        " standalone_mode=False)\nassert 'ray' not in sys.modules and 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("encoding", "mark"), [("ascii", "#"), ("latin-1", "#"), ("utf-8", "\u2588")])
def test_a_histogram_is_drawn_with_what_the_terminal_has(
    data: Path, tmp_path: Path, encoding: str, mark: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "staragents", "score", data, "--target", "fake", "-o", tmp_path / "s.jsonl"],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0
    assert mark * 50 in done.stdout.decode(encoding)
    assert b"\\u" not in done.stdout


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (["--histogram", "{tmp}/x.jsonl"], "--histogram: expected another file than -o"),
        (["--histogram", "{tmp}/link/x.jsonl"], "--histogram: expected another file than -o"),
        (["--cache", "{tmp}/x.jsonl"], "--cache: expected another file than -o"),
        (["--histogram", "{tmp}/a", "--cache", "{tmp}/a"], "--cache: expected another file than --histogram"),
    ],
)
def test_two_options_never_name_the_same_file(
    files: list[str],
    line: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The histogram replaced the scores."""
    (tmp_path / "link").symlink_to(tmp_path)
    named = [text.format(tmp=tmp_path) for text in files]
    assert score(monkeypatch, data, "--target", "fake", "-o", tmp_path / "x.jsonl", *named) == 2
    assert line in capsys.readouterr().err
    assert not (tmp_path / "x.jsonl").exists()
