from hypothesis import given
from hypothesis import strategies as st

from staragents.scoring.conventions import Span, exact, superfiltering
from staragents.scoring.ifd import Status

BOS = 999
ids = st.lists(st.integers(0, 998), max_size=40)


@given(ids, ids, st.integers(1, 60), st.integers(1, 8))
def test_exact_scores_the_same_tokens_in_both_passes(
    prompt: list[int], answer: list[int], max_length: int, min_tokens: int
) -> None:
    passes = exact(prompt, answer, bos=BOS, max_length=max_length, min_tokens=min_tokens)
    assert passes.tokens_total == len(answer)
    if passes.status not in (Status.ok, Status.truncated):
        assert passes.cond is None
        assert passes.direct is None
        return
    assert passes.cond is not None
    assert passes.direct is not None
    kept = passes.cond.ids[passes.cond.start :]
    assert kept == passes.direct.ids[passes.direct.start :] == tuple(answer[: len(kept)])
    assert len(kept) == min(len(answer), max_length - 1 - len(prompt)) >= min_tokens
    assert (passes.status is Status.truncated) == (len(kept) < len(answer))
    assert passes.cond.ids[: passes.cond.start] == (BOS, *prompt)
    assert passes.direct.ids[:1] == (BOS,)


@given(ids.filter(bool), st.integers(10, 60))
def test_without_a_prompt_both_passes_are_one(answer: list[int], max_length: int) -> None:
    passes = exact([], answer, bos=BOS, max_length=max_length, min_tokens=1)
    assert passes.cond == passes.direct


def test_statuses_of_exact() -> None:
    def status(prompt: int, answer: int) -> Status:
        return exact([1] * prompt, [2] * answer, bos=BOS, max_length=20, min_tokens=5).status

    assert status(3, 0) is Status.empty
    assert status(3, 4) is Status.too_short
    assert status(3, 5) is Status.ok
    assert status(14, 5) is Status.ok
    assert status(14, 6) is Status.truncated
    assert status(15, 6) is Status.prompt_too_long
    assert status(30, 6) is Status.prompt_too_long


def test_a_prompt_that_begins_with_bos_gets_no_second_one() -> None:
    passes = exact([BOS, 1], [2, 3], bos=BOS, max_length=20, min_tokens=1)
    assert passes.cond == Span((BOS, 1, 2, 3), 2)


def test_superfiltering_leaves_out_the_first_token_of_the_direct_pass() -> None:
    passes = superfiltering([1, 2], [1, 2, 3, 4, 5], [3, 4, 5], max_length=20, min_tokens=1)
    assert passes.cond == Span((1, 2, 3, 4, 5), 2)
    assert passes.direct == Span((3, 4, 5), 1)
    assert passes.status is Status.ok


def test_superfiltering_cuts_the_direct_pass_to_the_room_beside_the_prompt_plus_one() -> None:
    passes = superfiltering([1] * 6, [1] * 6 + [2] * 9, [2] * 9, max_length=10, min_tokens=1)
    assert passes.cond == Span((1,) * 6 + (2,) * 4, 6)
    assert passes.direct == Span((2,) * 5, 1)
    assert passes.status is Status.truncated


def test_superfiltering_never_reads_more_than_1024_tokens() -> None:
    passes = superfiltering([1] * 24, [1] * 24 + [2] * 2000, [2] * 2000, max_length=4096, min_tokens=1)
    assert passes.cond is not None
    assert len(passes.cond.ids) == 1024
    assert passes.direct is not None
    assert len(passes.direct.ids) == 1001


def test_statuses_of_superfiltering() -> None:
    def status(prompt: int, answer: int, min_tokens: int = 1) -> Status:
        p, a = [1] * prompt, [2] * answer
        return superfiltering(p, p + a, a, max_length=10, min_tokens=min_tokens).status

    assert status(2, 0) is Status.empty
    # One token has nothing left to score in the direct pass: NaN in the original.
    assert status(2, 1) is Status.too_short
    assert status(2, 3, min_tokens=5) is Status.too_short
    assert status(10, 3) is Status.prompt_too_long
    assert status(2, 3) is Status.ok
