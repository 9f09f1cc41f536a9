"""Rows that are one message each become conversations if their id is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from staragents.base.messages import Message
from staragents.config import ColumnsConfig, SeedsConfig
from staragents.data.seed_file import SeedFile

ASKED, SAID = ("user", "Hello."), ("assistant", "Hi.")


def message(found: Any, turn: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {"chat": found, "role": turn[0], "content": turn[1], **more}


def lines(*rows: Any) -> str:
    return "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)


def grouped(path: Path, column: str = "chat", **settings: Any) -> SeedFile:
    return SeedFile(SeedsConfig(path=str(path), columns=ColumnsConfig(conversation=column), **settings))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "messages.jsonl"


def test_rows_with_the_same_id_are_one_seed_with_the_first_ones_number(path: Path) -> None:
    more = [message(1, ("system", "Be kind.")), message(1, ("human", "And?")), message(1, ("bot", "Well."))]
    path.write_text(lines(message("a", ASKED), message("a", SAID), *more))
    seeds = list(grouped(path).seeds())
    assert [seed.row for seed in seeds] == [1, 3]
    assert seeds[1].messages == (
        Message("system", "Be kind."),
        Message("user", "And?"),
        Message("assistant", "Well."),
    )


def test_names_may_be_those_of_sharegpt_in_any_case_and_thoughts_stay_apart(path: Path) -> None:
    rows = [{"chat": 1, "From": "human", "Value": "Hello."}, {"chat": 1, "From": "gpt", "Value": "Hi."}]
    path.write_text(lines(*rows, message(2, ASKED), message(2, SAID, thinking="A greeting.")))
    first, second = grouped(path).seeds()
    assert first.messages == (Message("user", "Hello."), Message("assistant", "Hi."))
    assert second.messages[-1] == Message("assistant", "Hi.", "A greeting.")


def test_a_conversation_ends_with_its_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(lines(message(name, ASKED), message(name, (SAID[0], name))))
    assert [(seed.row, seed.response) for seed in grouped(tmp_path).seeds()] == [(1, "a"), (3, "b")]
    (tmp_path / "b.jsonl").write_text(lines(message("a", ASKED), message("a", SAID)))
    scan = grouped(tmp_path).scan()
    assert (scan.seeds, scan.bad_rows) == (1, 2)
    assert (
        "messages of a conversation in consecutive rows, got 'a' again (2 rows like this)" in scan.problems[0]
    )


def test_a_scattered_or_damaged_conversation_is_no_seed(path: Path) -> None:
    path.write_text(
        lines(
            message(1, ASKED),
            message(1, SAID),
            message(2, ASKED),
            "oops\n",
            message(2, SAID),
            message(3, ASKED),
            {"chat": 3, "role": "narrator", "content": "Later."},
            {"role": "user", "content": "x"},
            message(1, ASKED),
            message(4, SAID),
            message(5, ASKED),
            message(5, (SAID[0], "5")),
        )
    )
    file = grouped(path)
    assert [seed.row for seed in file.seeds()] == [1, 11]
    assert [(bad.row, bad.problem.field, bad.problem.reason) for _, bad in file.bad_rows()] == [
        (3, "row", "expected a whole conversation"),
        (4, "row", "not JSON: Expecting value"),
        (6, "row", "expected a whole conversation"),
        (7, "row", "expected one message, with a role such as user and a text"),
        (8, "chat", "expected the column that seeds.columns.conversation names"),
        (9, "chat", "expected the messages of a conversation in consecutive rows"),
        (10, "messages[0].role", "expected system or user"),
    ]


WHOLE = ("row", "expected a whole conversation")


def seeds_and_bad(file: SeedFile) -> tuple[list[int], list[tuple[int, str, str]]]:
    bad = [(bad.row, bad.problem.field, bad.problem.reason) for _, bad in file.bad_rows()]
    return [seed.row for seed in file.seeds()], bad


@pytest.mark.parametrize("first", ["oops\n", {"role": "system", "content": "Be kind."}])
def test_a_bad_row_without_an_id_costs_the_conversations_before_and_after_it(path: Path, first: Any) -> None:
    rows = [message(chat, (role, f"{text}{chat}")) for chat in range(4) for role, text in (ASKED, SAID)]
    path.write_text(lines(*rows[:4], first, *rows[4:]))
    seeds, bad = seeds_and_bad(grouped(path))
    assert seeds == [1, 8]
    assert [row for row, *_ in bad] == [3, 5, 6]
    assert (bad[0][1:], bad[2][1:]) == (WHOLE, WHOLE)


def test_a_bad_row_with_an_id_costs_its_own_conversation_alone(path: Path) -> None:
    narrated = {"chat": 2, "role": "narrator", "content": "Once."}
    second = [message(2, ASKED), message(2, SAID)]
    others = [message(chat, (role, f"{text}{chat}")) for chat in (1, 3) for role, text in (ASKED, SAID)]
    expected = (2, "row", "expected one message, with a role such as user and a text")
    for rows in ([narrated, *second], [second[0], narrated, second[1]], [*second, narrated]):
        path.write_text(lines(*others[:2], *rows, *others[2:]))
        seeds, bad = seeds_and_bad(grouped(path))
        assert seeds == [1, 6]
        assert sorted(problem[1:] for problem in bad) == sorted([expected[1:], WHOLE])


def test_a_conversation_of_a_bad_first_exchange_is_not_its_rest(path: Path) -> None:
    path.write_text(lines("oops\n", message(1, SAID), message(1, ASKED), message(1, SAID)))
    assert [row for row, *_ in seeds_and_bad(grouped(path))[1]] == [1, 2]
    assert seeds_and_bad(grouped(path))[0] == []


def test_a_bad_last_row_costs_no_conversation_of_the_next_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines(message(1, ASKED), message(1, SAID), "oops\n"))
    (tmp_path / "b.jsonl").write_text(lines(message(2, ASKED), message(2, SAID)))
    assert grouped(tmp_path).scan().seeds == 1


def test_conversations_longer_than_a_block_of_rows_stay_whole(path: Path) -> None:
    turns = [message(1, turn) for _ in range(800) for turn in (ASKED, SAID)]
    path.write_text(lines(*turns, message(2, ASKED), message(2, (SAID[0], "2"))))
    first, second = grouped(path).seeds()
    assert (len(first.messages), first.row, second.row) == (1600, 1, 1601)
    assert grouped(path, limit=1).scan().seeds == 1
