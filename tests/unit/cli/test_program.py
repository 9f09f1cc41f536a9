"""The command line on bad input: one clear line each, exit code 2, nothing written."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli.command_group import COMMANDS
from cluster.job import main
from tests.support.paths import FAKE, ROOT
from tests.support.program import staragents

CONFIG = str(FAKE)
GOOD = {"instruction": "Name a colour.", "output": "Blue."}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Run `run configs/fake.yaml` with overrides; returns the error lines after checking the contract."""

    def call(*overrides: str) -> list[str]:
        out = tmp_path / "run"
        assert staragents(monkeypatch, "run", CONFIG, f"output.dir={out}", *overrides) == 2
        assert not out.exists()
        lines = capsys.readouterr().err.strip().splitlines()
        assert lines
        assert not any("Traceback" in line for line in lines)
        return lines

    return call


def seeds(tmp_path: Path, content: bytes | str) -> str:
    path = tmp_path / "seeds.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return f"seeds.path={path}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "empty"),
        ("not json\n", ":1:"),
        (json.dumps({"question": "x"}) + "\n", "instruction"),
        (json.dumps({"instruction": 3, "output": "x"}) + "\n", "instruction"),
        (json.dumps({"instruction": "  ", "output": "x"}) + "\n", "instruction"),
        (b'{"instruction": "\xff", "output": "x"}\n', "UTF-8"),
        (json.dumps({"instruction": "x" * 1_000_000, "output": "x"}) + "\n", "seeds.max_chars"),
    ],
    ids=["empty", "not json", "no columns", "wrong type", "blank", "invalid utf-8", "1 MB"],
)  # fmt: skip
def test_a_file_without_one_good_row_is_bad_input(
    run, tmp_path: Path, content: str | bytes, expected: str
) -> None:
    lines = run(seeds(tmp_path, content))
    assert any(expected in line and "seeds.jsonl" in line for line in lines)


def test_a_bad_row_among_good_ones_stops_only_a_strict_run(run, tmp_path: Path) -> None:
    path = seeds(tmp_path, json.dumps(GOOD) + "\nnot json\n")
    lines = run(path, "seeds.strict=true")
    assert any("seeds.jsonl:2" in line for line in lines)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seeds.path=there/is/none.jsonl", "none.jsonl"),
        ("evolution.drawz=1", "evolution.draws"),
        ("evolution.draws=-1", "evolution.draws"),
        ("run.admitted_seeds=many", "run.admitted_seeds"),
        ("scoring.target.model=./no/such/model", "scoring.target.model"),
        ("nonsense", "key=value"),
    ],
)
def test_a_bad_setting_is_named_by_its_key(run, override: str, expected: str) -> None:
    assert any(expected in line for line in run(override))


def test_every_problem_of_a_config_is_reported_together(run) -> None:
    keys = {"evolution.draws", "run.attempts", "judge.modell"}
    lines = run("evolution.draws=-1", "run.attempts=0", "judge.modell=x")
    assert {key for line in lines for key in keys if key in line} == keys


def test_a_folder_that_is_not_a_run_directory_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    assert staragents(monkeypatch, "run", CONFIG, f"output.dir={tmp_path}") == 2
    assert "thesis.txt" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_validate_reads_gzip_and_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "seeds.json.gz"
    path.write_bytes(gzip.compress(json.dumps([GOOD, GOOD, {"instruction": "x"}]).encode()))
    code = staragents(
        monkeypatch, "validate", CONFIG, f"seeds.path={path}", f"output.dir={tmp_path}/run", "--json"
    )
    assert code == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["seeds"], found["bad_rows"], found["duplicates"]) == (1, 1, 1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_has_help_with_examples(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert staragents(monkeypatch, verb, "--help") == 0
    examples = capsys.readouterr().out.partition("\n  Examples:\n")[2].partition("\n\n")[0]
    assert re.search(rf"\bstaragents {verb}\b", examples)


def test_the_list_of_commands_says_what_each_is_for(monkeypatch, capsys) -> None:
    assert staragents(monkeypatch, "--help") == 0
    lines = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    assert not [line for line in lines if line.endswith("...")], "cut off at 80 columns"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("stauts",), "error: no command 'stauts', did you mean status?"),
        (("frobnicate",), "error: no command 'frobnicate'; expected one of init, run, preview, "),
        (("scale", "runs/x"), "error: Missing argument 'POOL'."),
        (("run", "--fast"), "error: No such option '--fast'"),
    ],
)
def test_a_mistyped_command_is_one_line(arguments, expected, monkeypatch, capsys) -> None:
    assert staragents(monkeypatch, *arguments) == 2
    first, *more = capsys.readouterr().err.splitlines()
    assert first.startswith(expected)
    assert [line.startswith("see ") for line in more] in ([], [True])


@pytest.mark.parametrize(
    ("words", "number", "expected"),
    [("staragents re", 1, ["repair", "report", "replay"]), ("staragents --de", 1, ["--debug"])],
)
def test_names_are_completed_without_importing_their_dependencies(
    words: str, number: int, expected: list[str]
) -> None:
    program = (
        "import sys; sys.argv = ['staragents']\n"
        "import atexit; atexit.register(lambda: print([m for m in ('ray', 'torch') if m in sys.modules]))\n"
        "from cluster.job import main; main()"
    )
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(number), "_STARAGENTS_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    *found, imported = done.stdout.splitlines()
    assert found == [f"plain,{name}" for name in expected]
    assert imported == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(shell: str, monkeypatch, capsys) -> None:
    assert staragents(monkeypatch, "completion", shell) == 0
    assert f"_STARAGENTS_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_tracebacks_are_shown_only_on_request(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setenv("STARAGENTS_DEBUG", "0")
    gone = str(tmp_path / "gone.yaml")
    assert staragents(monkeypatch, "run", gone) == 2
    known = capsys.readouterr().err
    assert "Traceback" not in known
    assert staragents(monkeypatch, "--debug", "run", gone) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert shown.endswith(known)


def test_an_unexpected_error_is_one_line_too(monkeypatch, capsys) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by\x1b[2J zero\nin two lines")

    monkeypatch.setattr("staragents.validation.loading.load_config", broken)
    assert staragents(monkeypatch, "validate", CONFIG) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: unexpected ZeroDivisionError: by␛[2J zero in two lines",
        "this should not happen: please report it with what --debug shows",
    ]
    monkeypatch.setattr(sys, "argv", ["staragents", "validate", CONFIG])
    monkeypatch.setenv("STARAGENTS_DEBUG", "1")
    with pytest.raises(SystemExit):
        main()
    assert "Traceback" in capsys.readouterr().err


def test_no_color_is_respected(finished_run: Path) -> None:
    def colours(**more: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "cluster.job", "explain", str(finished_run), "1"], cwd=ROOT,
            env={**os.environ, "TERM": "xterm-256color", "FORCE_COLOR": "1", **more},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert "seed" in done.stdout
        return re.findall(r"\x1b\[[0-9;]*[34][0-9]m", done.stdout)

    assert colours()
    assert colours(NO_COLOR="1") == []


def test_a_variable_that_ray_can_not_read_is_named(tmp_path: Path) -> None:
    given = {**os.environ, "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "fast"}
    command = [sys.executable, "-m", "cluster.job", "run", CONFIG, f"output.dir={tmp_path / 'run'}"]
    ended = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: RAY_SERVE_CONTROL_LOOP_INTERVAL_S: ")
    assert "report it" not in ended.stderr
