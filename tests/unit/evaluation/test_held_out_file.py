"""Held-out conversations from any dataset, with one or several writers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staragents.base.errors import BadInput
from staragents.base.messages import Message, as_dicts, conversation
from staragents.config import ColumnsConfig, Template
from staragents.evaluation.dataset_file import file_rows
from staragents.evaluation.held_out import ANSWER, about_prompts, prompts_of
from staragents.evaluation.held_out_file import read_held_out
from staragents.scoring.templates import prompt_text


def written(folder: Path, *rows: Any, name: str = "held.jsonl") -> str:
    path = folder / name
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
    return str(path)


def test_a_dataset_has_one_writer_and_repeats_are_read_once(tmp_path: Path) -> None:
    row = {"instruction": "Add.", "input": "1 and 2", "output": "3"}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
        {"role": "assistant", "content": "See you"},
    ]
    first, second = read_held_out(written(tmp_path, row, row, {"messages": turns}))
    assert first.prompt == (Message("user", "Add.\n\n1 and 2"),)
    assert first.answers == {ANSWER: "3"}
    assert [turn.content for turn in second.prompt] == ["Hi", "Hello", "Bye"]
    assert second.answers == {ANSWER: "See you"}


@pytest.mark.parametrize("template", [Template.plain, Template.alpaca])
def test_a_row_with_an_input_has_the_prompt_of_a_run_that_read_it_as_a_seed(
    tmp_path: Path, template: Template
) -> None:
    """Shards keep no input, so that the run's own arms are trained without it."""
    seed = conversation(as_dicts((Message.with_input("Add.", "1 and 2"),)))
    expected = prompt_text(seed, template, None)
    apart = {"instruction": "Add.", "input": "1 and 2"}
    joined = {"instruction": "Add.\n\n1 and 2"}
    for answer in ({"output": "3"}, {"answers": {"one": "3", "two": "Three"}}):
        for rows in ((apart, joined), (joined, apart)):
            (held_out,) = read_held_out(written(tmp_path, *({**row, **answer} for row in rows)))
            assert prompt_text(held_out.prompt, template, None) == expected
    for asked in (apart, joined):
        (row,) = file_rows(Path(written(tmp_path, {**asked, "output": "3"})), "--arm file")
        assert prompt_text(row.messages[:-1], template, None) == expected


def test_several_writers_of_a_compressed_file(tmp_path: Path) -> None:
    asked = {"instruction": "Sing.", "answers": {"one": "La.", "two": "Lalala."}, "dataset": "songs"}
    turns = {"messages": [{"role": "user", "content": "Sing again."}], "answers": {"one": "No."}}
    first, second = read_held_out(written(tmp_path, asked, turns, name="held.jsonl.gz"))
    assert first.prompt == (Message("user", "Sing."),)
    assert first.answers == {"one": "La.", "two": "Lalala."}
    assert second.prompt == (Message("user", "Sing again."),)
    assert second.answers == {"one": "No."}


def test_thoughts_are_no_part_of_an_answer_with_one_or_several_writers(tmp_path: Path) -> None:
    thought = "<think>A song.</think>La."
    alone, several = read_held_out(
        written(
            tmp_path,
            {"instruction": "Sing.", "output": thought},
            {"instruction": "Sing.", "answers": {"plain": " La.\n", "thinks": thought}},
        )
    )
    assert several.answers == {"plain": " La.\n", "thinks": alone.answers[ANSWER]}
    assert alone.answers == {ANSWER: "La."}
    assert several.prompt == (Message("user", "Sing."),)


def test_a_writer_without_an_answer_is_left_out(tmp_path: Path) -> None:
    path = written(
        tmp_path, {"instruction": "Sing.", "answers": {"one": None, "": float("nan"), "two": "La."}}
    )
    (found,) = read_held_out(path)
    assert found.answers == {"two": "La."}


def test_answers_with_their_places_in_the_context_are_one_writers(tmp_path: Path) -> None:
    answers = {"text": ["In 1911."], "answer_start": [4]}
    (one,) = read_held_out(written(tmp_path, {"context": "Text.", "question": "When?", "answers": answers}))
    assert one.prompt[0].content == "When?\n\nText."
    assert one.answers == {ANSWER: "In 1911."}


def test_answers_to_one_prompt_in_rows_of_their_own_are_known_as_one(tmp_path: Path) -> None:
    rows = [{"instruction": f"Say {n % 2}.", "output": f"{n}"} for n in range(6)]
    held_out = read_held_out(written(tmp_path, *rows))
    prompts = prompts_of(held_out)
    assert len(prompts) == 6
    first, second = (one.conversation_id for one in held_out[:2])
    assert list(prompts.values()) == [first, second] * 3
    assert about_prompts(prompts) == [
        "6 held-out conversations have 2 different prompts: those of one prompt count as one conversation"
    ]
    assert about_prompts(prompts_of(held_out[:2])) == []


def test_ids_depend_on_the_conversation_only(tmp_path: Path) -> None:
    rows = [{"instruction": f"Say {n}.", "output": str(n)} for n in range(4)]
    one = read_held_out(written(tmp_path, *rows))
    other = read_held_out(written(tmp_path, *reversed(rows), name="other.jsonl"))
    assert {row.conversation_id: row for row in one} == {row.conversation_id: row for row in other}
    assert len({row.conversation_id for row in one}) == 4


def test_a_draw_of_rows_is_the_same_every_time_and_grows_with_its_number(tmp_path: Path) -> None:
    path = written(tmp_path, *({"instruction": f"Say {n}.", "output": str(n)} for n in range(20)))
    few, more, all_rows = (read_held_out(path, rows) for rows in (5, 12, 40))
    assert (len(few), len(more), len(all_rows)) == (5, 12, 20)
    assert set(one.conversation_id for one in few) < set(one.conversation_id for one in more)
    assert few == read_held_out(path, 5)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"instruction": "Sing."}, r"held.jsonl:2:"),
        ({"instruction": "Sing.", "answers": []}, r"held.jsonl:2:answers: expected an object"),
        ({"instruction": "Sing.", "answers": {}}, r"held.jsonl:2:answers: expected an object"),
        ({"instruction": "Sing.", "answers": {"one": " "}}, r"held.jsonl:2:answers.one: expected text"),
        ({"instruction": "Sing.", "answers": {"one": 3}}, r"held.jsonl:2:answers.one: expected text, got 3"),
        ({"instruction": "Sing.", "answers": {"one": "La.", "two": ""}}, r"2:answers.two: .*, got nothing"),
        ({"instruction": "Sing.", "answers": {"one": None}}, r"2:answers: expected an object"),
        (
            {"instruction": "Sing.", "answers": {"one": ["La."]}},
            r"2:answers.one: expected text, got a list of 1",
        ),
        ({"instruction": "Sing.", "answers": {"one": "La.", "two": "\ud800"}}, r"2:answers.two: .*surrogate"),
        ({"instruction": "Sing.", "answers": {"a\nb": 3}}, r"2:answers.a\\nb: expected text, got 3"),
        (
            {"instruction": "Sing.", "answers": {"one": "<think>A song.</think>"}},
            r"2:answers.one: expected an answer after the thought, got nothing",
        ),
        (
            {"instruction": "Sing.", "answers": {"one": "La.", "two": "<think>A song."}},
            r"2:answers.two: expected an answer after the thought, got a thought without an end",
        ),
        ({"instruction": "Sing.", "answers": {"": "La."}}, r"2:answers \(a writer's name\): .*, got nothing"),
        (
            {"instruction": "Sing.", "answers": {"\udc00": "La."}},
            r"2:answers \(a writer's name\): .*surrogate",
        ),
        ({"answers": {"one": "La."}}, r"held.jsonl:2:"),
    ],
)
def test_a_bad_row_is_one_line_with_its_place(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    path = written(tmp_path, {"instruction": "Say 1.", "output": "1"}, row)
    with pytest.raises(BadInput, match=problem) as caught:
        read_held_out(path)
    assert len(caught.value.problems) == 1


def test_a_missing_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.jsonl"):
        read_held_out(str(tmp_path / "nowhere.jsonl"))
    with pytest.raises(BadInput, match="expected rows, got none"):
        read_held_out(written(tmp_path))


def test_columns_of_parquet_may_have_any_spelling_and_labels_count(tmp_path: Path) -> None:
    rows = [{"Instruction": f"Say {n}.", "output": str(n), "isCorrect": n > 0} for n in range(2)]
    pq.write_table(pa.Table.from_pylist(rows[1:]), tmp_path / "good.parquet")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "bad.parquet")
    (one,) = read_held_out(str(tmp_path / "good.parquet"))
    assert one.answers == {ANSWER: "1"}
    with pytest.raises(BadInput, match="1:isCorrect: expected a wanted answer, got False"):
        read_held_out(str(tmp_path / "bad.parquet"))


def test_what_a_user_should_know_about_the_file_is_told(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"Say {n}.", "output": str(n), "split": name}
        for n, name in enumerate(["train", "test"])
    ]
    path = written(tmp_path, *rows)
    said: list[str] = []
    assert len(read_held_out(path, told=said.append)) == 2
    (note,) = said
    assert note.startswith(f"{path}: its column split names train (1 rows), test (1 rows)")


def test_columns_of_other_names_are_read_with_one_or_several_writers(tmp_path: Path) -> None:
    columns = ColumnsConfig(instruction="ask", response="reply")
    one = {"ask": "Sing.", "reply": "La."}
    several = {"ask": "Sing again.", "answers": {"a": "La.", "b": "No."}}
    first, second = read_held_out(written(tmp_path, one, several), columns=columns)
    assert (first.prompt, first.answers) == ((Message("user", "Sing."),), {ANSWER: "La."})
    assert (second.prompt, second.answers) == ((Message("user", "Sing again."),), {"a": "La.", "b": "No."})
    with pytest.raises(BadInput, match=r"--columns instruction=\.\.\. "):
        read_held_out(written(tmp_path, one))


def test_messages_of_a_conversation_in_rows_of_their_own_are_joined(tmp_path: Path) -> None:
    turns = [("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"), ("assistant", "See you")]
    rows = [{"chat": 1, "role": role, "content": text} for role, text in turns]
    path = written(tmp_path, *rows)
    with pytest.raises(BadInput, match=r"set --columns conversation=\.\.\. to the column"):
        read_held_out(path)
    (one,) = read_held_out(path, columns=ColumnsConfig(conversation="chat"))
    assert [turn.content for turn in one.prompt] == ["Hi", "Hello", "Bye"]
    assert one.answers == {ANSWER: "See you"}
