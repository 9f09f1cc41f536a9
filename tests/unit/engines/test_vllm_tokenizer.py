"""The tokenizer that makes vLLM's prompts: read as vLLM reads its own, tried before the model is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.engines import vllm_engine
from actors.engines.vllm_engine import VllmEngine
from staragents.base.errors import EngineDead
from staragents.base.generation import GenerationRequest, Sampling
from staragents.base.messages import Message
from staragents.config import ModelConfig
from tests.support.chat_tokenizer import DATED, chat_tokenizer
from tests.support.clock import set_date
from tests.support.hub_cache import HubCache
from tests.support.tekken import save_tekken
from tests.support.tiny_models import save_tokenizer

CHAT = GenerationRequest("p", Sampling(), 0, messages=(Message("user", "Hello"),))
RAW = GenerationRequest("p", Sampling(), 0, prompt="Hello")


def read(path: Path | str, *probes: GenerationRequest, **engine_args: Any) -> VllmEngine:
    engine = VllmEngine(ModelConfig(model="org/name", engine_args=engine_args), str(path), probes)
    engine._read_tokenizer()
    return engine


def test_mistrals_own_files_have_a_chat_template(tmp_path: Path) -> None:
    pytest.importorskip("mistral_common")
    engine = read(save_tekken(tmp_path), CHAT)
    ids = engine._prompt_ids(CHAT)
    assert ids[:2] == [1, 3]
    assert ids[-1] == 4


def test_a_model_without_a_chat_template_does_not_start_if_a_role_needs_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    save_tokenizer(tmp_path)
    with pytest.raises(EngineDead, match=r"org/name has no chat template: set models\.\*\.chat=false"):
        read(tmp_path, RAW, CHAT)
    assert read(tmp_path, RAW)._prompt_ids(RAW)


def test_a_chat_template_that_fails_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    template = "{% if messages[0]['content'] == 'Hello' %}{{ raise_exception('no greetings') }}{% endif %}"
    chat_tokenizer(template).save_pretrained(tmp_path)
    with pytest.raises(EngineDead, match="could not start org/name: no greetings"):
        read(tmp_path, CHAT)


def test_a_template_that_prints_the_date_asks_the_same_on_another_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    tokenizer = save_tokenizer(tmp_path)
    tokenizer.chat_template = DATED
    tokenizer.save_pretrained(tmp_path)
    asked = []
    for day in (1, 2):
        set_date(monkeypatch, 2027, 1, day)
        asked.append(tokenizer.decode(read(tmp_path)._prompt_ids(CHAT)))
    assert asked == ["<26 Jul 2024><user>Hello<assistant>"] * 2


@pytest.mark.parametrize(
    ("engine_args", "expected"),
    [
        ({}, ("model", None, False)),
        ({"tokenizer": "folder"}, ("folder", None, False)),
        ({"revision": "abc"}, ("model", "abc", False)),
        ({"revision": "abc", "tokenizer_revision": "def"}, ("model", "def", False)),
        ({"trust_remote_code": True}, ("model", None, True)),
    ],
)
def test_engine_args_about_the_tokenizer_hold_for_it(
    monkeypatch: pytest.MonkeyPatch, engine_args: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(vllm_engine, "load_tokenizer", lambda *given: asked.append(given) or chat_tokenizer())
    monkeypatch.setattr(vllm_engine, "model_type", lambda *_: "")
    read("model", **engine_args)
    assert asked == [expected]


def test_template_and_family_are_those_of_the_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    for commit, family in (("a" * 40, "llama"), ("b" * 40, "mistral")):
        folder = tmp_path / commit
        chat_tokenizer(f"{family}: {{{{ messages[0]['content'] }}}}").save_pretrained(folder)
        (folder / "config.json").write_text(json.dumps({"model_type": family}))
        hub.commit("org/tiny", folder, commit)
    kinds: list[str] = []
    monkeypatch.setattr(
        vllm_engine, "model_type", lambda *given, known=vllm_engine.model_type: kinds.append(known(*given))
    )
    for args in ({"revision": "a" * 40}, {}):
        engine = read("org/tiny", **args)
        turns = [{"role": "user", "content": "Hi"}]
        kinds.append(engine._tokenizer.apply_chat_template(turns, tokenize=False))
    assert kinds == ["llama", "llama: Hi", "mistral", "mistral: Hi"]


def test_a_tokenizer_that_needs_code_is_one_line_and_no_question(tmp_path: Path) -> None:
    """transformers asks on standard input if it is told neither yes nor no."""
    classes = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(classes))
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}})
    )
    (tmp_path / "own.py").write_text("")
    with pytest.raises(EngineDead, match=r"could not start org/name: .*trust_remote_code"):
        read(tmp_path)
