"""`staragents validate` as a user sees it: counts by format and reason, a sample, and hostile files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster.job import main
from staragents.config import SeedsConfig
from staragents.data.seed_file import SeedFile
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.local_run import local_run
from tests.support.paths import FAKE, SHARED

CONFIG = str(FAKE)
DEV = SHARED / "dev"
ALPACA = {"instruction": "Name a colour.", "output": "Blue."}
CHAT = {"conversations": [{"from": "human", "value": "Hi."}, {"from": "gpt", "value": "Hello."}]}
PAIR = {"question": "What is a heron?", "answer": "A bird."}


@pytest.fixture
def validate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def call(path: Path, *overrides: str) -> tuple[int, str]:
        out = f"output.dir={tmp_path / 'run'}"
        monkeypatch.setattr(
            sys,
            "argv",
            ["staragents", "validate", CONFIG, out, f"seeds.path={path}", "seeds.limit=null", *overrides],
        )
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert not (tmp_path / "run").exists()
        return int(ended.value.code or 0), said.out + said.err

    return call


def written(path: Path, *rows: Any, end: str = "\n") -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path


def test_a_model_that_nobody_uses_is_named(validate, tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", ALPACA)
    note = "note: models.judge is loaded, but no agent and no judge uses it; models.judge=null leaves it out"
    assert note in validate(path, "judge.model=writer")[1].splitlines()
    assert "is loaded, but" not in validate(path, "judge.model=writer", "models.judge=null")[1]


def test_mixed_formats_are_used_and_counted(validate, tmp_path: Path) -> None:
    path = written(
        tmp_path / "s.jsonl", ALPACA, CHAT, PAIR, ALPACA, "oops", {"x": 1}, {"x": 2}, {"instruction": 5}
    )
    code, said = validate(path)
    assert code == 0
    assert "3 seeds, 4 bad rows, 1 duplicates" in said
    assert "formats: 1 alpaca, 1 sharegpt, 1 question_answer" in said
    assert "  2 x instruction: expected the columns of a known format" in said
    assert "s.jsonl:5:row: not JSON" in said
    assert "    instruction: Name a colour." in said
    code, said = validate(path, "--json")
    facts = json.loads(said)
    assert facts["formats"] == {"alpaca": 1, "sharegpt": 1, "question_answer": 1}
    assert sum(facts["reasons"].values()) == facts["bad_rows"] == 4
    assert facts["sample"][1]["messages"][0] == {"role": "user", "content": "Hi."}


def test_one_format_can_be_selected(validate, tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", ALPACA, CHAT, PAIR)
    code, said = validate(path, "seeds.format=sharegpt")
    assert code == 0
    assert "1 seeds, 2 bad rows" in said


def test_a_misspelt_setting_has_a_suggestion(validate, tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", ALPACA)
    assert "did you mean seeds.columns.instruction?" in validate(path, "seeds.columns.instructoin=x")[1]
    assert "seeds.format: expected one of auto, alpaca" in validate(path, "seeds.format=alpcaa")[1]
    code, said = validate(path, "seeds.columns.instruction=instructoin")
    assert code == 2
    assert "seeds.columns.instruction names, got 'instruction', 'output', did you mean 'instruction'?" in said


def test_ambiguous_columns_name_the_setting_to_use(validate, tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", {"question": "a", "answer": "b", "response": "c"})
    code, said = validate(path)
    assert code == 2
    assert "set seeds.columns.response; the columns are 'question', 'answer', 'response'" in said
    assert validate(path, "seeds.columns.response=answer")[0] == 0


def test_a_half_written_last_line_is_reported_as_a_bad_row(validate, tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", ALPACA, json.dumps(PAIR)[:-4], end="")
    code, said = validate(path)
    assert code == 0
    assert "s.jsonl:2:row: not JSON" in said
    assert "the last line is incomplete: was the file still being written?" in said


def test_utf_16_text_is_read_and_named(validate, tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text(json.dumps(ALPACA), encoding="utf-16")
    code, said = validate(tmp_path / "s.jsonl")
    assert code == 0
    assert "note: " in said
    assert "s.jsonl: read as UTF-16, as its first bytes show" in said


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_not_part_of_the_text(tmp_path: Path, end: str) -> None:
    for name, text in (
        ("s.jsonl", end.join(map(json.dumps, (ALPACA, PAIR)))),
        ("s.csv", f"instruction,output{end}Name a colour.,Blue.{end}What is a heron?,A bird.{end}"),
    ):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        seeds = list(SeedFile(SeedsConfig(path=str(tmp_path / name))).seeds())
        assert [seed.response for seed in seeds] == ["Blue.", "A bird."]


def test_null_and_nan_cells_are_missing_texts(validate, tmp_path: Path) -> None:
    path = written(
        tmp_path / "s.jsonl",
        '{"instruction": "a", "input": NaN, "output": "b"}',
        '{"instruction": "a", "input": null, "output": "c"}',
        '{"instruction": NaN, "output": "b"}',
        '{"instruction": "a", "output": null}',
    )
    said = validate(path)[1]
    assert "2 seeds, 2 bad rows" in said
    assert "s.jsonl:3:instruction: expected text, got nan" in said
    assert "s.jsonl:4:output: expected text, got null" in said


def test_nested_junk_gives_bad_rows(validate, tmp_path: Path) -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = {"messages": [deep]}
    junk = [
        '{"messages": ' * 3000 + "1" + "}" * 3000,
        deep,
        {"instruction": {"a": [{}]}, "output": [[[]]]},
        [[]],
    ]
    said = validate(written(tmp_path / "s.jsonl", ALPACA, *junk, {"prompt": {"replies": [[1]]}}, {"": None}))[
        1
    ]
    assert "1 seeds, 6 bad rows" in said


ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"


def test_escape_sequences_do_not_reach_the_terminal(validate, tmp_path: Path) -> None:
    path = written(
        tmp_path / "s.jsonl",
        {"instruction": f"Say{ESCAPES}", "output": ESCAPES},
        {ESCAPES: 1},
        {"instruction": [ESCAPES, 1], "output": "x"},
        {"messages": [{"role": ESCAPES, "content": "x"}]},
    )
    code, said = validate(path)
    assert code == 0
    assert "1 seeds, 3 bad rows" in said
    odd = tmp_path / f"{ESCAPES}.jsonl"
    said += validate(written(odd, "oops"))[1]
    assert not set("\x1b\x07\x9b\u202e") & set(said)


async def test_ids_in_rows_are_not_used_as_paths(tmp_path: Path) -> None:
    rows = [
        {
            "id": "../../../etc/passwd",
            "seed_id": "/tmp/x",
            "name": "..\\..",
            "instruction": f"Say {n}.",
            "output": "x",
        }
        for n in range(3)
    ]
    path = written(tmp_path / "in.jsonl", *rows)
    out = tmp_path / "deep" / "er" / "run"
    await local_run(load_config(CONFIG, [f"seeds.path={path}", f"output.dir={out}"]))
    assert {file.name for file in tmp_path.iterdir()} == {"in.jsonl", "deep"}
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["er"]
    assert len(list(RunDirectory(out).seeds())) == 3


def test_equal_ids_are_not_duplicates_but_equal_conversations_are(validate, tmp_path: Path) -> None:
    rows = [{"id": 7, **ALPACA}, {"id": 7, **PAIR}, {"id": 8, **PAIR}]
    assert "2 seeds, 0 bad rows, 1 duplicates" in validate(written(tmp_path / "s.jsonl", *rows))[1]


@pytest.mark.skipif(not DEV.is_dir(), reason="the shared datasets are not there")
@pytest.mark.parametrize("path", sorted(DEV.glob("*")) if DEV.is_dir() else [], ids=lambda path: path.name)
async def test_a_real_dataset_runs_with_no_option_but_its_path(tmp_path: Path, path: Path) -> None:
    out = tmp_path / "run"
    await local_run(load_config(CONFIG, [f"seeds.path={path}", "seeds.limit=8", f"output.dir={out}"]))
    assert len(list(RunDirectory(out).seeds())) == 8


def test_thoughts_and_places_for_images_are_counted(validate, tmp_path: Path) -> None:
    thought = {"instruction": "What is 2 + 2?", "output": "<think>Two and two.</think>It is 4."}
    image = {"instruction": "<image>What is this?", "output": "A heron."}
    cut = {"instruction": "What is 3 + 3?", "output": "<think>Three and"}
    path = written(tmp_path / "s.jsonl", ALPACA, thought, image, cut)
    code, said = validate(path)
    assert code == 0
    assert "3 seeds, 1 bad rows" in said
    assert "1 with reasoning before an answer\n" in said
    assert "note: the reasoning of 1 seeds is dropped" in said
    assert "1 with a placeholder for an image, video or audio, whose content no agent sees\n" in said
    assert "  1 x output: expected an answer after the thought\n" in said
    assert "    response:    It is 4.\n" in said
    facts = json.loads(validate(path, "--json")[1])
    assert (facts["with_reasoning"], facts["with_images"]) == (1, 1)
    assert facts["sample"][1]["messages"][1] == {
        "role": "assistant",
        "content": "It is 4.",
        "reasoning_content": "Two and two.",
    }


def test_a_file_of_single_messages_is_one_line_that_names_the_setting(validate, tmp_path: Path) -> None:
    rows = [{"chat": n // 2, "role": ("user", "assistant")[n % 2], "content": f"text {n}"} for n in range(40)]
    path = written(tmp_path / "s.jsonl", *rows)
    code, said = validate(path)
    assert code == 2
    assert said.count("expected a whole conversation, got one message") == 1
    assert "set seeds.columns.conversation to the column" in said
    assert "(40 rows like this)" in said
    code, said = validate(path, "seeds.columns.conversation=chat")
    assert code == 0
    assert "20 seeds, 0 bad rows, 0 duplicates" in said
    code, said = validate(path, "seeds.columns.conversation=chats")
    assert code == 2
    assert "chats: expected the column that seeds.columns.conversation names" in said
