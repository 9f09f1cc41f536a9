"""Losses are computed once per span and cached within bounds."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from staragents.base.messages import Message
from staragents.config import Template
from staragents.scoring.conventions import Span
from staragents.scoring.ifd import Score, ScoreRow, Status
from staragents.scoring.ifd_model import IfdModel
from staragents.scoring.model_loading import Loading
from staragents.scoring.span_cache import BYTES_PER_SPAN, SpanCache
from tests.support.hub_cache import HubCache
from tests.support.tiny_models import TEXTS, rows, save_tokenizer


def save_model(folder: Path, seed: int = 0) -> str:
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=258,
        max_position_embeddings=512,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder)
    return str(folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("tiny"))


class Counting(IfdModel):
    """Records which spans went through the model."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.run: list[Span] = []

    def _batch_nlls(self, spans: list[Span]) -> torch.Tensor:
        self.run += spans
        return super()._batch_nlls(spans)


def save_adapter(model: str, folder: Path, seed: int) -> Path:
    peft = pytest.importorskip("peft", reason="needs the extra lora")
    torch.manual_seed(seed)
    lora = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    peft.get_peft_model(LlamaForCausalLM.from_pretrained(model), lora).save_pretrained(folder)
    return folder


def test_losses_of_another_commit_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    cache = SpanCache()
    ran = []
    for seed, commit in enumerate(("a" * 40, "b" * 40)):
        hub.commit("org/tiny", Path(save_model(tmp_path / commit, seed)), commit)
        for _ in range(2):
            model = Counting("org/tiny", cache=cache)
            model.score(rows(TEXTS))
            ran.append(bool(model.run))
    assert ran == [True, False, True, False]


def test_losses_of_another_commit_of_an_adapter_are_not_taken(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = HubCache(tmp_path / "hub", monkeypatch)
    cache = SpanCache()
    scores = []
    for seed, commit in enumerate(("a" * 40, "b" * 40)):
        hub.commit("org/adapter", save_adapter(tiny, tmp_path / commit, seed), commit)
        model = Counting(tiny, cache=cache, loading=Loading(adapter="org/adapter"))
        scores.append(model.score(rows(TEXTS[:1])))
        assert model.run
    assert scores[0] != scores[1]


def test_an_answer_under_two_prompts_costs_one_direct_pass(tiny: str) -> None:
    model = Counting(tiny, cache=SpanCache())
    (first,) = model.score(rows([("One?", "The same answer.")]))
    (second,) = model.score(rows([("Two?", "The same answer.")]))
    assert [span.start for span in model.run] == [1 + len("One?\n"), 1, 1 + len("Two?\n")]
    assert first.nll_direct == second.nll_direct
    assert first.nll_cond != second.nll_cond


def test_a_second_run_over_the_same_rows_runs_nothing_and_gives_the_same_bits(
    tiny: str, tmp_path: Path
) -> None:
    first = Counting(tiny, cache=SpanCache(path=tmp_path / "losses"))
    expected = first.score(rows(TEXTS))
    assert first.run
    second = Counting(tiny, cache=SpanCache(path=tmp_path / "losses"))
    assert second.score(rows(TEXTS[::-1])) == expected[::-1]
    assert not second.run


def test_settings_that_do_not_change_the_tokens_share_losses(tiny: str) -> None:
    """Other lengths, conventions and templates give other tokens or the same loss."""
    cache = SpanCache()
    Counting(tiny, cache=cache).score(rows([("Question?", "An answer.")]))
    other = Counting(tiny, cache=cache, template=Template.alpaca, max_length=300, min_answer_tokens=1)
    other.score(rows([("Question?", "An answer.")]))
    assert [span.start > 1 for span in other.run] == [True]


def test_another_dtype_adapter_or_model_does_not_hit(tiny: str, tmp_path: Path) -> None:
    for seed in (1, 2):
        save_adapter(tiny, tmp_path / f"adapter{seed}", seed)
    other = save_model(tmp_path / "other", seed=1)
    cache = SpanCache()
    models = [
        Counting(tiny, cache=cache),
        Counting(tiny, cache=cache, loading=Loading(dtype="bfloat16")),
        Counting(tiny, cache=cache, loading=Loading(adapter=str(tmp_path / "adapter1"))),
        Counting(tiny, cache=cache, loading=Loading(adapter=str(tmp_path / "adapter2"))),
        Counting(other, cache=cache),
    ]
    scores = [model.score(rows(TEXTS[:2])) for model in models]
    assert [len(model.run) for model in models] == [4] * len(models)
    assert len({score.nll_cond for score, _ in scores}) == len(models)


def test_auto_and_its_resolved_dtype_share_losses(tiny: str) -> None:
    cache = SpanCache()
    Counting(tiny, cache=cache, loading=Loading(device="cpu")).score(rows(TEXTS))
    named = Counting(tiny, cache=cache, loading=Loading(dtype="float32", device="cpu"))
    named.score(rows(TEXTS))
    assert not named.run


def test_roles_matter_where_the_template_shows_them(tiny: str) -> None:
    turns = [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "A fine answer.")]
    one = ScoreRow(tuple(Message(role, text) for role, text in turns))
    other = ScoreRow(
        tuple(Message(role, text) for role, text in [("system", "a"), ("user", "b"), *turns[2:]])
    )
    model = Counting(tiny, cache=SpanCache(), template=Template.alpaca)
    model.score([one])
    model.score([other])
    assert len(model.run) == 3


def test_a_failed_forward_pass_is_not_cached(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Counting(tiny, cache=SpanCache())
    with monkeypatch.context() as patched:
        patched.setattr(model._head.weight, "data", torch.full_like(model._head.weight, torch.nan))
        (broken,) = model.score(rows([("a", "The answer.")]))
    (well,) = model.score(rows([("a", "The answer.")]))
    assert (broken.status, well.status) == (Status.nonfinite, Status.ok)


@pytest.fixture(scope="module")
def fresh_and_cached(tiny: str) -> tuple[IfdModel, Counting]:
    return IfdModel(tiny), Counting(tiny, cache=SpanCache())


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a", "\u4e2d\u6587", "q\x1f"]),
            st.sampled_from(["", "b", "c" * 9, "d" * 600]),
        ),
        max_size=8,
    )
)
def test_values_are_those_of_a_model_without_a_cache(
    fresh_and_cached: tuple[IfdModel, Counting], texts: list[tuple[str, str]]
) -> None:
    plain, cached = fresh_and_cached
    for score, other in zip(cached.score(rows(texts)), plain.score(rows(texts)), strict=True):
        assert as_numbers(score) == pytest.approx(as_numbers(other), rel=1e-5)
        assert (score.status, score.tokens, score.answer_bytes) == (
            other.status,
            other.tokens,
            other.answer_bytes,
        )
    assert len(cached.run) == len(set(cached.run))


def as_numbers(score: Score) -> list[float]:
    return [value for value in (score.nll_cond, score.nll_direct) if value is not None]


# -- the cache itself ------------------------------------------------------------------------------------


def of_size(spans: int, path: Path | None = None) -> SpanCache:
    return SpanCache(spans * BYTES_PER_SPAN / 2**20, path)


def test_the_least_used_entries_are_evicted_first() -> None:
    cache = of_size(32)
    for number in range(200):
        cache.put({bytes([number]): number / 7})
        assert cache.get([b"\x00"]) == {b"\x00": 0}
    held = cache.get(bytes([n]) for n in range(200))
    assert len(held) <= 34
    assert {bytes([n]) for n in range(180, 200)} <= held.keys()


def test_a_file_stays_within_its_bound(tmp_path: Path) -> None:
    cache = SpanCache(1, tmp_path / "losses")
    for start in range(0, 100_000, 1000):
        cache.put({os.urandom(16): n / 7 for n in range(start, start + 1000)})
    cache.close()
    assert 0.5 < (tmp_path / "losses").stat().st_size / 2**20 < 1.2


def test_without_room_nothing_is_cached() -> None:
    cache = SpanCache(0)
    cache.put({b"a": 1.0})
    assert cache.get([b"a"]) == {}


def test_a_file_keeps_every_bit_and_more_keys_than_sqlite_takes_in_one_query(tmp_path: Path) -> None:
    path = tmp_path / "losses.sqlite"
    many = {n.to_bytes(4): n / 7 for n in range(3000)}
    cache = SpanCache(path=path)
    cache.put(many)
    cache.close()
    assert SpanCache(path=path).get([*many, b"new"]) == many


def test_two_processes_may_share_a_file(tmp_path: Path) -> None:
    one, two = SpanCache(path=tmp_path / "c"), SpanCache(path=tmp_path / "c")
    one.put({b"a": 1.0})
    two.put({b"b": 2.0})
    assert one.get([b"b"]) == {b"b": 2.0}


def works(cache: SpanCache) -> None:
    for number in range(3):
        cache.put({bytes([number]): number / 7})
        assert cache.get([bytes([number])]) == {bytes([number]): number / 7}


def told_once(caplog: pytest.LogCaptureFixture, what: str) -> None:
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "as an NLL cache" in warning
    assert what in warning


def test_a_file_that_is_not_a_cache_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("precious " * 500)
    works(SpanCache(path=path))
    told_once(caplog, "file is not a database")
    assert path.read_text() == "precious " * 500


def test_a_missing_folder_does_not_stop_scoring(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    works(SpanCache(path=tmp_path / "none" / "losses"))
    told_once(caplog, "unable to open")


def test_a_broken_file_does_not_stop_scoring(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "losses"
    filled = SpanCache(path=path)
    filled.put({os.urandom(16): 1.0 for _ in range(5000)})
    filled.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))
    works(SpanCache(path=path))
    told_once(caplog, "malformed")


def test_a_file_locked_by_another_process_does_not_stop_scoring(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("staragents.scoring.span_cache._BUSY_S", 0.1)
    path = tmp_path / "losses"
    cache = SpanCache(path=path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    cache.put({b"lost": 1.0})
    works(cache)
    told_once(caplog, "locked")
    other.close()
