from hypothesis import given
from hypothesis import strategies as st

from staragents.base.messages import Message
from staragents.scoring.fake_ifd_model import FakeIfdModel
from staragents.scoring.ifd import ScoreRow, Status

texts = st.text(st.characters(exclude_categories=["Cs"]))


def row(prompt: str, answer: str) -> ScoreRow:
    return ScoreRow((Message("user", prompt), Message("assistant", answer)))


@given(texts, texts.filter(str.strip))
def test_scores_are_plausible_and_the_same_in_every_batch(prompt: str, answer: str) -> None:
    for role in ("target", "larger"):
        [alone] = FakeIfdModel(role).score([row(prompt, answer)])
        in_batch = FakeIfdModel(role).score([row("other", "text"), row(prompt, answer)])[1]
        assert alone == in_batch
        assert alone.ifd is not None
        assert 0.3 <= alone.ifd <= 1.1
        assert alone.nll_cond is not None
        assert alone.nll_cond > 0


def test_the_larger_model_has_the_smaller_ifd_on_average() -> None:
    rows = [row(f"question {i}", f"answer {i}") for i in range(500)]
    target = [score.ifd or 0 for score in FakeIfdModel("target").score(rows)]
    larger = [score.ifd or 0 for score in FakeIfdModel("larger").score(rows)]
    assert 0.02 < (sum(target) - sum(larger)) / len(rows) < 0.08
    assert any(t < b for t, b in zip(target, larger, strict=True))


def test_a_blank_answer_is_empty() -> None:
    [score] = FakeIfdModel("target").score([row("question", " \n")])
    assert score.status is Status.empty
    assert score.ifd is None
