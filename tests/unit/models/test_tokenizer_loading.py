"""Tokenizers of repositories with Mistral's own files: their prompts are those of mistral-common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from staragents.base.messages import Message
from staragents.config import Convention, ScoredReasoning, Template
from staragents.evaluation.student import Student
from staragents.models.tokenizer_loading import load_tokenizer
from staragents.scoring.ifd import ScoreRow
from staragents.scoring.row_tokenizer import RowTokenizer
from tests.support.tekken import save_tekken
from tests.support.tiny_models import save_tokenizer

pytest.importorskip("mistral_common")
TURNS = [
    {"role": "user", "content": "Name a colour or two.\n\n  \u00c7a va?"},
    {"role": "assistant", "content": "Blue."},
    {"role": "user", "content": "Why?"},
]
SYSTEM = [{"role": "system", "content": "Be brief."}]
OWN = "{% for m in messages %}<{{ m.content }}>{% endfor %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tekken(tmp_path_factory.mktemp("tekken"))


def ids(tokenizer: Any, turns: list[dict[str, str]]) -> list[int]:
    made = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    return list(made)


@pytest.mark.parametrize("turns", [TURNS[:1], TURNS, SYSTEM + TURNS])
def test_a_prompt_has_the_tokens_of_mistral_common(folder: Path, turns: list[dict[str, str]]) -> None:
    official = AutoTokenizer.from_pretrained(folder)
    assert official.chat_template is None
    tokenizer = load_tokenizer(str(folder))
    assert ids(tokenizer, turns) == ids(official, turns)
    text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids(official, turns)
    assert tokenizer("Hi.")["input_ids"] == official("Hi.")["input_ids"]


def test_a_template_beside_the_file_is_used(folder: Path, tmp_path: Path) -> None:
    for name in ("tekken.json", "config.json"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "chat_template.jinja").write_text(OWN)
    tokenizer = load_tokenizer(str(tmp_path))
    assert tokenizer.apply_chat_template(TURNS[2:], tokenize=False) == "<Why?>"
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)


def test_the_files_of_hugging_face_are_preferred(folder: Path, tmp_path: Path) -> None:
    for name in ("tekken.json", "config.json"):
        (tmp_path / name).symlink_to(folder / name)
    tokenizer = save_tokenizer(tmp_path)
    tokenizer.chat_template = OWN
    tokenizer.save_pretrained(tmp_path)
    found = load_tokenizer(str(tmp_path))
    assert found.chat_template == OWN
    assert len(found) == len(tokenizer)


def test_other_repositories_are_read_as_before(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    saved = save_tokenizer(tmp_path)
    assert load_tokenizer(str(tmp_path)).get_vocab() == saved.get_vocab()


def test_rows_are_scored_in_its_chat_template(folder: Path) -> None:
    tokenizer = RowTokenizer(
        load_tokenizer(str(folder)),
        str(folder),
        template=Template.chat,
        convention=Convention.exact,
        reasoning=ScoredReasoning.ignore,
        max_length=512,
        min_answer_tokens=1,
    )
    row = ScoreRow((Message("user", "Why?"), Message("assistant", "Rain.")))
    (passes,) = tokenizer.passes([row])[1]
    assert passes.cond is not None
    assert {3, 4} <= set(passes.cond.ids)


def test_a_student_is_trained_in_its_chat_template(folder: Path) -> None:
    student = Student(str(folder), None, 512)
    assert student.template is Template.chat
    span = student.tokens((Message("user", "Why?"), Message("assistant", "Rain.")))
    assert span is not None
    assert {3, 4} <= set(span.ids)
