import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.scoring.ifd import Score, Status, ifd_gap

nlls = st.floats(0.01, 50.0)


def score(cond: float | None, direct: float | None, tokens: int = 10, size: int = 40) -> Score:
    return Score(cond, direct, tokens, tokens, size, Status.ok)


@given(nlls, nlls)
def test_both_forms_cross_one_at_the_same_place(cond: float, direct: float) -> None:
    row = score(cond, direct)
    assert row.ifd is not None
    assert row.ifd_loss is not None
    assert (row.ifd < 1) == (math.exp(cond - direct) < 1)
    if abs(cond - direct) > 1e-6:
        assert (row.ifd < 1) == (row.ifd_loss < 1)


def test_ifd_is_the_ratio_of_perplexities() -> None:
    assert score(2.0, 3.0).ifd == pytest.approx(math.exp(2) / math.exp(3))
    assert score(2.0, 3.0).ifd_loss == pytest.approx(2 / 3)


def test_byte_form_equals_token_form_at_four_bytes_a_token_and_not_elsewhere() -> None:
    assert score(2.0, 3.0, tokens=10, size=40).ifd_bytes == pytest.approx(math.exp(-1))
    assert score(2.0, 3.0, tokens=10, size=20).ifd_bytes == pytest.approx(math.exp(-2))


def test_byte_form_does_not_depend_on_how_a_text_is_split() -> None:
    # The same total of -12 nats over 40 bytes, as 10 tokens or as 30.
    assert score(1.8, 3.0, tokens=10).ifd_bytes == pytest.approx(score(0.6, 1.0, tokens=30).ifd_bytes)


def test_huge_losses_do_not_overflow() -> None:
    row = score(5000.0, 1.0)
    assert row.ifd is not None
    assert math.isfinite(row.ifd)


@pytest.mark.parametrize("status", [Status.empty, Status.too_short, Status.prompt_too_long, Status.nonfinite])
def test_a_row_without_values_has_no_ifd(status: Status) -> None:
    row = Score(None, None, 0, 3, 9, status)
    assert (row.ifd, row.ifd_loss, row.ifd_bytes) == (None, None, None)


def test_loss_ratio_is_missing_when_the_direct_loss_is_zero() -> None:
    assert score(1.0, 0.0).ifd_loss is None


def test_gap_is_target_minus_larger() -> None:
    assert ifd_gap(score(2.0, 2.0), score(1.0, 2.0), same_tokenizer=True) == pytest.approx(1 - math.exp(-1))


def test_gap_of_different_tokenizers_uses_the_byte_form() -> None:
    target, larger = score(2.0, 3.0, tokens=20), score(2.0, 3.0, tokens=10)
    assert ifd_gap(target, larger, same_tokenizer=True) == 0.0
    assert ifd_gap(target, larger, same_tokenizer=False) == pytest.approx(math.exp(-2) - math.exp(-1))


def test_gap_is_missing_when_one_score_is() -> None:
    missing = Score(None, None, 0, 0, 0, Status.empty)
    assert ifd_gap(missing, score(1.0, 2.0), same_tokenizer=True) is None
    assert ifd_gap(score(1.0, 2.0), missing, same_tokenizer=False) is None
