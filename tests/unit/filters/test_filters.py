"""Each filter alone, and all of them in a run."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.analysis.one_pass import one_pass
from staragents.base.errors import BadInput
from staragents.base.messages import Conversation
from staragents.config import Config, Fallback, FilterAction, FiltersConfig
from staragents.data.seed_file import SeedFile
from staragents.filters.contamination import Contamination
from staragents.filters.personal_data import personal_data
from staragents.filters.row_filters import RowFilters
from staragents.filters.secrets import secrets
from staragents.filters.text import odd_length, refusal, repetition
from staragents.run.dataset import Written, writing_dataset
from staragents.run.work import Left, work_of
from staragents.run_directory.resume_check import check_resume
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.filtered_talks import only, talk
from tests.support.growth import assert_linear
from tests.support.local_run import decided, local_run
from tests.support.paths import ROOT, SHARED

pytestmark = pytest.mark.slow

EVALUATION = SHARED / "eval"
LONG = "Compose an engaging travel blog post about a recent trip to the coast, with sights to see there."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to jane.doe+x@mail.example-corp.de today.", "e-mail address"),
        ("Write to jane@example.com or joe@my.test, root@localhost.", None),
        ("user@host and @property and a @ b", None),
        ("Call +49 30 901820 now", "telephone number"),
        ("Call (212) 736-5000 or 212-736-5000.", "telephone number"),
        ("Call 212-555-0123, as in films.", None),
        ("From 2019-2020 and 1,234,567 people; 3.14159265358979; 10000000000000", None),
        ("IBAN DE89 3704 0044 0532 0130 00.", "bank account"),
        ("IBAN DE88 3704 0044 0532 0130 00.", None),
        ("card 4111 1111 1111 1111", "card number"),
        ("card 4111 1111 1111 1112", None),
        ("SSN 536-22-1234", "social security number"),
        ("SSN 000-22-1234 or 666-22-1234", None),
        ("host 8.8.8.8 is public", "IP address"),
        ("host 192.168.0.1, 127.0.0.1, version 1.2.3.4.5 and 999.1.1.1", None),
    ],
)
def test_personal_data_is_recognised_by_its_form(text: str, found: str | None) -> None:
    assert personal_data(talk(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("key AKIA" + "IOSFODNN7EXAMPLE", "AWS key"),
        ("export T=ghp_" + "a1B2" * 9, "GitHub token"),
        ("hf_" + "AbCdEfGhIj" * 4, "Hugging Face token"),
        ("sk-" + "proj-" + "Ab1_" * 12, "OpenAI or Anthropic key"),
        ("-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEowIBAAKCAQEA7vzq", "private key"),
        ("password = 'hunter2'; token: abc; git sha 3f2a9c1d4e5b6a7f8c9d0e1f2a3b4c5d6e7f8091", None),
        ("a file begins with -----BEGIN PRIVATE KEY----- and then the key", None),
        ("task-force-sk-learn and risk-averse-people-who-are-not-keys-at-all-in-here-ever", None),
    ],
)
def test_secrets_are_recognised_by_their_form_and_never_repeated(text: str, found: str | None) -> None:
    assert secrets(talk(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I'm sorry, but I can't help with that.", "the response declines"),
        ("Pumps move water. As an AI language model, I have no pump.", "the response speaks as an AI"),
        ("That depends. As an AI, I don't know.", "the response speaks as an AI"),
        ("She works as an AI researcher and has a pump.", None),
        ("Sorry is a board game.", None),
    ],
)
def test_refusals_anywhere_in_the_response(text: str, found: str | None) -> None:
    assert refusal(talk(text)) == found


def test_length_is_in_words_of_the_response() -> None:
    assert odd_length(talk("..."), 1, None) == "0 words"
    assert odd_length(talk("Two words."), 1, 2) is None
    assert odd_length(talk("These are four words."), 1, 3) == "4 words"


def test_a_loop_is_found_and_a_list_is_not() -> None:
    assert repetition(talk("and then the pump " * 12))
    assert not repetition(talk("A pump moves water. A fan moves air. A belt moves goods."))


def test_a_flag_marks_and_keeps() -> None:
    filters = RowFilters(only(pii=FilterAction.flag, duplicates=FilterAction.flag))
    row = talk("Mail me: jane@pumps.de")
    assert filters.look(row).flags == ["pii"]
    finding = filters.look(row)
    assert (finding.flags, finding.dropped_by) == (["pii", "duplicate"], None)
    assert filters.flagged == {"pii": 2, "duplicate": 1}


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    rows = [{"id": 7, "turns": [LONG, "What about the sights there?"], "category": "writing"}]
    path = tmp_path / "evaluation.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_contamination_is_thirteen_consecutive_words_or_a_whole_turn(evaluation: Path) -> None:
    contamination = Contamination([str(evaluation)], 13)
    words = LONG.rstrip(".").split()
    assert contamination(talk("Sure.", LONG)) == f"also in {evaluation}:1"
    assert contamination(talk("well: " + ", ".join(words[2:15]).upper() + "!"))
    assert contamination(talk(" ".join(words[2:14]))) is None, "twelve words"
    assert contamination(talk("Sure.", "what about THE sights there"))
    assert contamination(talk("Sure.", "Now, what about the sights there?")) is None
    assert contamination(talk("Sure.", "writing")) is None


def test_evaluation_sets_in_parquet_are_read_by_every_column(tmp_path: Path) -> None:
    path = tmp_path / "eval.parquet"
    pq.write_table(pa.table({"output": ["nothing here"], "question": [{"text": LONG}]}), path)
    assert Contamination([str(path)], 13)(talk("Sure.", LONG))


@pytest.mark.parametrize("content", ["", '{"id": 1}\n'])
def test_an_evaluation_set_without_text_is_bad_input(tmp_path: Path, content: str) -> None:
    path = tmp_path / "eval.jsonl"
    path.write_text(content)
    with pytest.raises(BadInput, match=r"^filters\.evaluation\[0\]: "):
        Contamination([str(path)], 13)


def test_real_evaluation_sets_are_found_and_plain_questions_are_not() -> None:
    if not EVALUATION.is_dir():
        pytest.skip("../shared/data/eval is not here")
    contamination = Contamination([str(EVALUATION)], 13)
    questions = [
        json.loads(line) for line in (EVALUATION / "mt_bench_question.jsonl").read_text().splitlines()
    ]
    found = [contamination(talk("Sure.", question["turns"][0])) for question in questions]
    assert all(found)
    assert contamination(talk("A heat pump moves heat.", "What is a heat pump?")) is None
    seeds = SeedFile(load_config(ROOT / "configs/fake.yaml", ["seeds.limit=60"]).seeds).seeds()
    assert sum(contamination(seed.messages) is not None for seed in seeds) == 0


@settings(deadline=None)
@given(st.lists(st.sampled_from([talk("a b c"), talk("A b, c!"), talk("x@pumps.de"), talk("")]), max_size=12))
def test_the_same_rows_give_the_same_findings(rows: list[Conversation]) -> None:
    settings = FiltersConfig()
    first, second = RowFilters(settings), RowFilters(settings)
    assert [first.look(row) for row in rows] == [second.look(row) for row in rows]
    kept = [
        row
        for row, found in zip(rows, map(RowFilters(settings).look, rows), strict=True)
        if not found.dropped_by
    ]
    again = RowFilters(settings)
    assert not [row for row in kept if again.look(row).dropped_by], "what is kept once is kept again"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_breaks_a_filter(text: str) -> None:
    filters = RowFilters(FiltersConfig())
    filters.look(talk(text.encode("utf-8", "replace").decode(), text.encode("utf-8", "replace").decode()))


@pytest.mark.parametrize(
    "piece", ["1 ", "1-", "a.", "a@a.", "4", "DE89 ", "+1 ", "sk-", "eyJa.", "as an ai "]
)
def test_filtering_a_long_hostile_text_takes_linear_time(piece: str) -> None:
    assert_linear(lambda size: RowFilters(FiltersConfig()).look(talk(piece * size)), 25_000 // len(piece))


# -- on a run --------------------------------------------------------------------------------------------


def config_of(folder: Path, *overrides: str) -> Config:
    return load_config(ROOT / "configs/fake.yaml", [f"output.dir={folder}", "seeds.limit=20", *overrides])


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "dataset.jsonl").read_text().splitlines()]


def test_filters_change_the_dataset_but_no_decision(tmp_path: Path) -> None:
    plain, strict = tmp_path / "plain", tmp_path / "strict"
    asyncio.run(local_run(config_of(plain)))
    summary = asyncio.run(local_run(config_of(strict, "filters.length=drop", "filters.max_words=20")))
    assert decided(plain) == decided(strict)
    state = [json.loads((folder / "run_state.json").read_text()) for folder in (plain, strict)]
    assert state[0]["evolution"] == state[1]["evolution"]
    funnel = summary["funnel"]
    dropped = pq.read_table(strict / "filtered.parquet").to_pylist()
    assert funnel["filtered"] == {"length": len(dropped)}
    assert 0 < funnel["rows"] == len(rows(strict)) < len(rows(plain)) == 20
    assert funnel["rows"] + funnel["filtered_out"] == 20
    gave_way = {row["seed_id"] for row in dropped if row["source"] == "candidate"}
    assert funnel["seed_instead"] == len(gave_way & {row["seed_id"] for row in rows(strict)})
    assert {row["filter"] for row in dropped} == {"length"}
    assert all(row["detail"].endswith(" words") for row in dropped)


def write_dataset(run: RunDirectory, config: Config) -> Written:
    with writing_dataset(run, config) as dataset:
        one_pass(run.seeds(), dataset)
    return dataset.written


def test_a_dropped_candidate_is_replaced_by_its_seed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    asyncio.run(local_run(config_of(folder)))
    before = {row["seed_id"]: row for row in rows(folder)}
    path = tmp_path / "blocked.txt"
    path.write_text("fake\n")  # in every text of a fake engine, in no seed
    config = config_of(folder, "filters.blocked=drop", f"filters.block_list={path}")
    written = write_dataset(RunDirectory(folder), config)
    rewritten = sum(row["source"] == "candidate" for row in before.values())
    assert (written.filtered, written.seed_instead, written.filtered_out) == (
        {"blocked": rewritten},
        rewritten,
        0,
    )
    assert [row["source"] for row in rows(folder)] == ["seed"] * 20
    config.reward.fallback = Fallback.none
    written = write_dataset(RunDirectory(folder), config)
    assert (written.rows, written.seed_instead, written.filtered_out) == (0, 0, rewritten)


def test_other_filters_on_a_finished_run_rewrite_its_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = config_of(folder)
    asyncio.run(local_run(first))
    whole = (folder / "dataset.parquet").read_bytes()
    scan, run = SeedFile(first.seeds).scan(), RunDirectory(folder)
    assert work_of(first, scan).left is Left.nothing
    shards = {path: path.read_bytes() for path in run.shards()}
    other = config_of(folder, "filters.length=drop", "filters.max_words=20")
    assert check_resume(run, other), "filters are no part of the fingerprint"
    summary = asyncio.run(local_run(other))
    assert summary["funnel"]["filtered"] == {"length": len(pq.read_table(folder / "filtered.parquet"))}
    assert "max_words: 20" in (folder / "config.yaml").read_text()
    assert work_of(first, scan).left is Left.results
    asyncio.run(local_run(first))
    assert (folder / "dataset.parquet").read_bytes() == whole
    assert {path: path.read_bytes() for path in run.shards()} == shards


def test_a_config_with_unusable_filters_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as told:
        config_of(
            tmp_path / "run", "filters.evaluation=[nowhere.jsonl]", "filters.ngram=2", "filters.pii=perhaps"
        )
    for key in ("filters.evaluation[0]", "filters.ngram", "filters.pii"):
        assert any(line.startswith(key) for line in told.value.problems), told.value.problems


@pytest.mark.parametrize(
    ("settings", "thought", "found"),
    [
        ({"pii": FilterAction.drop}, "Write to jane.doe+x@mail.example-corp.de.", "pii"),
        ({"secrets": FilterAction.drop}, "The key is AKIAIOSFODNN7EXAMPLQ here.", "secrets"),
        ({"blocked": FilterAction.drop}, "He is a damned fool.", "blocked"),
        ({"contamination": FilterAction.drop}, LONG, "contamination"),
        ({"length": FilterAction.drop, "min_words": 8}, "One two three four five six seven eight.", "length"),
        ({"repetition": FilterAction.drop}, "and on " * 200, None),
    ],
)
def test_what_must_not_reach_a_model_is_found_in_reasoning(
    tmp_path: Path, settings: dict[str, object], thought: str, found: str | None
) -> None:
    (tmp_path / "blocked.txt").write_text("damned fool\n")
    (tmp_path / "eval.jsonl").write_text(json.dumps({"question": LONG}) + "\n")
    more = {"block_list": str(tmp_path / "blocked.txt"), "evaluation": [str(tmp_path / "eval.jsonl")]}
    filters = RowFilters(only(**settings, **more))
    question, answer = talk("It moves heat.")
    assert filters.look((question, replace(answer, reasoning_content=thought))).dropped_by == found
