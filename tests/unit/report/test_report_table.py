"""The table of candidates in report.html: what is packed into the page, and the page in a real browser."""

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cluster.cli.report import report
from staragents.analysis.one_pass import one_pass
from staragents.analysis.reasons import reason
from staragents.analysis.saved_run import SavedRun
from staragents.base.messages import Message
from staragents.base.records import Candidate
from staragents.report.candidate_table import (
    MAX_CHARS,
    MAX_ROWS,
    MAX_SEED_BYTES,
    MAX_TEXT_MIB,
    SEEDS_PER_BLOCK,
    CandidateTable,
)
from staragents.report.report import write_report
from staragents.run_directory.run_directory import RunDirectory
from tests.support import browser
from tests.support.browser import Browser

pytestmark = pytest.mark.slow

needs_browser = pytest.mark.skipif(browser.PROGRAM is None, reason=browser.ABSENT)

RUN = "window.ran=1;alert(1);fetch('https://example.com/').catch(Boolean)"
PAYLOAD = (
    f'</script><script>{RUN}</script><!--<script><img src=x onerror="{RUN}"> '
    f"<a href='javascript:{RUN}'>a</a></textarea></dialog><svg onload={RUN}>\u2028\u2029"
    "\x1b]0;title\x07\x1b[2J\x00 {{7*7}} ${7*7} ]]> &lt;b&gt; \u202eright to left"
)
SHOWN = PAYLOAD.translate(str.maketrans("\x1b\x07\x00\u2028\u2029\u202e", "␛␇␀\ufffd\ufffd\ufffd"))
READY = "performance.getEntriesByName('candidates-ready').length"
COUNT = "document.getElementById('table-count').textContent"
ROWS = "[...document.querySelectorAll('#table-rows .grid-row')].filter((row) => !row.hidden)"


def filled(run: SavedRun, **limits: Any) -> CandidateTable:
    table = CandidateTable(run.config, **limits)
    one_pass(run.folder.seeds(), table)
    return table


def unpacked(text: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def seeds_of(table: CandidateTable) -> list[Any]:
    return [seed for block in table.payload()["blocks"] for seed in unpacked(block)]


# ---- packed data


def test_the_table_has_every_candidate_with_its_numbers_and_its_reason(
    run_writer: Callable[..., Path],
) -> None:
    run = SavedRun.open(run_writer(seeds=SEEDS_PER_BLOCK + 6))
    groups = list(run.folder.seeds())
    rows = [row for group in groups for row in group]
    table = filled(run)
    payload = table.payload()
    index = unpacked(payload["index"])
    assert table.note == f"All {len(rows)} candidates of the run."
    assert len(payload["blocks"]) == 2
    assert index["candidates"] == [len(group) for group in groups]
    assert [index["names"]["pair"][n] for n in index["pair"]] == [row.pair for row in rows]
    for name in ("reward", "judge_win", "target_ifd", "larger_ifd", "ifd_gap"):
        assert index[name] == [
            None if (value := getattr(row, name)) is None else round(value, 3) for row in rows
        ]
    for group, (facts, texts) in zip(groups, seeds_of(table), strict=True):
        assert facts["seed"]["id"] == group[0].seed_id
        assert texts["seed"] == [message.content for message in group[0].seed_messages]
        for row, fact, text in zip(group, facts["candidates"], texts["candidates"], strict=True):
            assert fact["why"] == reason(row, group, run.config)
            assert (text["exchange"] or []) == [message.content for message in row.messages]
            assert text["rejected"] == (row.rejected_text or "")


def test_outcomes_match_the_reasons(run_writer: Callable[..., Path]) -> None:
    table = filled(SavedRun.open(run_writer()))
    index = unpacked(table.payload()["index"])
    whys = [candidate["why"] for facts, _ in seeds_of(table) for candidate in facts["candidates"]]
    starts = {
        "chosen": "chosen: ",
        "failed: rewrite": "failed at stage rewrite",
        "rejected: refusal": "rejected: it is a refusal",
        "not chosen: judge": "not chosen: the judge ",
        "not chosen: reward": "not chosen: its reward",
        "not chosen: no verdict": "not chosen: the judge's verdict was unreadable",
    }
    outcomes = [index["names"]["outcome"][n] for n in index["outcome"]]
    assert starts.keys() <= set(outcomes)
    for outcome, why in zip(outcomes, whys, strict=True):
        assert why.startswith(starts.get(outcome, "rejected: "))


@pytest.mark.parametrize("most", [0, 1, 50, 179, 180])
def test_too_many_rows_are_sampled_by_seed_id(run_writer: Callable[..., Path], most: int) -> None:
    run = SavedRun.open(run_writer())
    table = filled(run, max_rows=most)
    kept = [facts["seed"]["id"] for facts, _ in seeds_of(table)]
    order = [rows[0].seed_id for rows in run.folder.seeds()]
    assert len(kept) == most // 3
    assert kept == [seed for seed in order if seed in kept]
    if most < 180:
        assert table.note.startswith(f"{3 * len(kept)} of the 180 candidates")
    # Another order of the run's seeds keeps the same ones.
    backwards = CandidateTable(run.config, max_rows=most)
    for rows in reversed(list(run.folder.seeds())):
        backwards.add_seed(rows)
    assert {facts["seed"]["id"] for facts, _ in seeds_of(backwards)} == set(kept)


def test_too_much_text_is_cut_and_the_rows_are_kept(run_writer: Callable[..., Path]) -> None:
    run = SavedRun.open(run_writer())
    table = filled(run, max_text_mib=0.02)
    texts = [texts for _, texts in seeds_of(table)]
    left_out = [one for one in texts if one is None]
    assert 0 < len(left_out) < len(texts)
    assert sum(len(json.dumps(one)) for one in texts if one is not None) <= 1.1 * 0.02 * 2**20
    assert f"For {3 * len(left_out)} candidates only the first words are included" in table.note
    # When rows must be removed, those without texts are removed first.
    fewer = [texts for _, texts in seeds_of(filled(run, max_rows=3 * 10, max_text_mib=0.02))]
    assert None not in fewer


def test_one_huge_seed_takes_no_room_from_others(run_writer: Callable[..., Path]) -> None:
    def make_huge(seed: list[Candidate]) -> None:
        if seed[0].seed_row == 3:
            for candidate in seed:
                turns = [Message("user", "word " * MAX_CHARS)] * (MAX_SEED_BYTES // MAX_CHARS + 1)
                candidate.seed_messages = (*turns, *candidate.seed_messages)
        if seed[0].seed_row == 4:
            for candidate in seed:
                long = Message("assistant", "x" * (MAX_CHARS + 7))
                candidate.seed_messages = (candidate.seed_messages[0], long)

    seeds = seeds_of(filled(SavedRun.open(run_writer(seeds=8, edit=make_huge))))
    assert [texts is None for _, texts in seeds] == [n == 3 for n in range(8)]
    assert seeds[4][1]["seed"][1] == "x" * MAX_CHARS + " [7 more characters]"


def test_nothing_of_a_hostile_text_is_markup_in_the_file(run_writer: Callable[..., Path]) -> None:
    run = SavedRun.open(run_writer(seeds=4, text=PAYLOAD))
    packed = json.dumps(filled(run).payload())
    assert re.fullmatch(r'[\w+/=", :{}\[\]]*', packed)


def test_limits_can_be_set_and_have_the_documented_defaults(run_writer: Callable[..., Path]) -> None:
    folder = run_writer(seeds=20)
    done = CliRunner().invoke(report, [str(folder), "--rows", "30"])
    assert done.exit_code == 0
    assert "30 of the 60 candidates" in (folder / "report.html").read_text(encoding="utf-8")
    defaults = {option.name: option.default for option in report.params}
    assert (defaults["rows"], defaults["text_mib"]) == (MAX_ROWS, MAX_TEXT_MIB)
    assert CliRunner().invoke(report, [str(folder), "--rows", "1000000"]).exit_code == 2


# ---- the page in a browser


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with Browser() as one:
        yield one


def usable(tab: Browser, page: Path) -> None:
    tab.events.clear()
    tab.open(page)
    tab.until(READY)


def search(tab: Browser, words: str) -> str:
    """The table's message after a search."""
    tab.evaluate("document.getElementById('table-search').value = ''")
    tab.evaluate("document.getElementById('table-count').textContent = ''")
    tab.type("#table-search", words)
    return tab.until(f"{COUNT}.startsWith('Searching') ? '' : {COUNT}")


def choose(tab: Browser, select: str, value: str) -> str:
    tab.evaluate("document.getElementById('table-count').textContent = ''")
    tab.evaluate(
        f"(() => {{ const one = document.getElementById({json.dumps(select)});"
        f"one.value = {json.dumps(value)};"
        "one.dispatchEvent(new Event('change')); })()"
    )
    return tab.until(COUNT)


def details(tab: Browser) -> str:
    tab.until("document.getElementById('details').open")
    return tab.evaluate("document.getElementById('details').textContent")


@needs_browser
def test_only_visible_rows_are_rendered_and_scrolling_shows_the_others(
    tab: Browser, run_writer: Callable[..., Path]
) -> None:
    usable(tab, write_report(run_writer(seeds=400)))
    assert tab.evaluate(COUNT) == "1,200 of 1,200 candidates"
    tab.evaluate("document.getElementById('table-view').scrollTop = 1e9")
    tab.until(f"{ROWS}.some((row) => row.getAttribute('aria-rowindex') === '1201')")
    last = "document.querySelector('[aria-rowindex=\"1201\"]')"
    assert tab.evaluate(f"{last}.firstChild.textContent") == "399"
    view = "document.getElementById('table-view').getBoundingClientRect().bottom"
    assert tab.evaluate(f"Math.abs({last}.getBoundingClientRect().bottom - {view})") < 5
    assert tab.evaluate("document.querySelectorAll('#table-rows > *').length") < 40


@needs_browser
def test_filters_sorting_and_search_agree_with_the_run(tab: Browser, run_writer: Callable[..., Path]) -> None:
    def mark(seed: list[Candidate]) -> None:
        if seed[0].seed_row == 17 and seed[1].messages:
            seed[1].messages = (seed[1].messages[0], Message("assistant", "Ein seltenes Wort: Zyklotron."))

    folder = run_writer(seeds=100, edit=mark)
    rows = [row for seed in RunDirectory(folder).seeds() for row in seed]
    usable(tab, write_report(folder))
    chosen, refused = (
        sum(map(fits, rows))
        for fits in (lambda row: row.selected, lambda row: row.reject_reason == "refusal")
    )
    assert choose(tab, "table-outcome", "chosen") == f"{chosen} of 300 candidates"
    assert choose(tab, "table-outcome", "rejected: refusal") == f"{refused} of 300 candidates"
    rejected = sum(row.reject_reason is not None for row in rows)
    assert choose(tab, "table-outcome", "rejected") == f"{rejected} of 300 candidates"
    choose(tab, "table-outcome", "")
    of_pair = sum(row.pair == "deepen+brief" for row in rows)
    assert choose(tab, "table-pair", "deepen+brief") == f"{of_pair} of 300 candidates"
    choose(tab, "table-pair", "")
    choose(tab, "table-order", "-reward")
    rewards = tab.evaluate(f"{ROWS}.map((row) => row.children[4].textContent)")
    best = sorted((row.reward for row in rows if row.reward is not None), reverse=True)
    assert rewards == [f"{reward:.3f}" for reward in best[: len(rewards)]]
    choose(tab, "table-order", "")
    assert search(tab, "zyklotron WORT") == "1 of 300 candidates"
    assert search(tab, rows[5].candidate_id) == "1 of 300 candidates"
    assert search(tab, rows[5].seed_id) == "3 of 300 candidates"
    assert search(tab, "no such words anywhere") == "No candidate matches."


@needs_browser
def test_the_keyboard_alone_opens_moves_and_closes(tab: Browser, run_writer: Callable[..., Path]) -> None:
    folder = run_writer(seeds=30)
    rows = [row for seed in RunDirectory(folder).seeds() for row in seed]
    usable(tab, write_report(folder))
    tab.evaluate("document.getElementById('table-view').focus()")
    for key, code in (("ArrowDown", 40), ("ArrowDown", 40), ("Enter", 13)):
        tab.press(key, code)
    assert rows[2].candidate_id in details(tab)
    tab.click("#details-next")
    tab.until(f"document.getElementById('details').textContent.includes({json.dumps(rows[3].candidate_id)})")
    tab.press("Escape", 27)
    tab.until("!document.getElementById('details').open")
    assert tab.evaluate("document.activeElement.id") == "table-view"
    tab.press("End", 35)
    active = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
    assert tab.evaluate(f"{active}.getAttribute('aria-rowindex')") == str(len(rows) + 1)


@needs_browser
def test_words_that_changed_are_marked(tab: Browser, run_writer: Callable[..., Path]) -> None:
    usable(tab, write_report(run_writer(seeds=2)))
    cases = [
        ("a b c", "a x c", ["b"], ["x"]),
        ("same", "same", [], []),
        ("", "new words", [], ["new words"]),
        ("one, two.", "one; two.", [","], [";"]),
        ("热泵如何工作", "热泵怎么工作", ["如何"], ["怎么"]),
        ("tell me", "tell\n\nme", [], []),
        ("a a a", "a a", ["a"], []),
        ("x " * 9000, "y " * 9000, ["x " * 9000], ["y " * 9000]),
    ]
    for before, after, gone, came in cases:
        pieces = tab.evaluate(f"difference({json.dumps(before)}, {json.dumps(after)})")
        for text, side, changed in zip((before, after), pieces, (gone, came), strict=True):
            assert "".join(piece for piece, _ in side) == text
            assert [piece.strip() for piece, kept in side if not kept] == [one.strip() for one in changed]


@needs_browser
def test_a_candidate_is_shown_beside_its_seed(tab: Browser, run_writer: Callable[..., Path]) -> None:
    def add_context(seed: list[Candidate]) -> None:
        for candidate in seed:
            candidate.seed_messages = (Message("system", "Be brief."), *candidate.seed_messages)

    folder = run_writer(seeds=30, edit=add_context)
    run = SavedRun.open(folder)
    usable(tab, write_report(folder))
    choose(tab, "table-outcome", "chosen")
    tab.click("#table-rows .grid-row")
    text = details(tab)
    group = next(rows for rows in run.folder.seeds() if any(row.selected for row in rows))
    row = next(row for row in group if row.selected)
    said = [
        reason(row, group, run.config)[1:], "system: Be brief.", row.judge_reason,
        f"{row.propensity:.3f}", f"{row.target_ifd:.3f} (seed 0.700)",
        f"{row.judge_win:.3f} (shown first",
    ]  # fmt: skip
    assert [one for one in said if one not in text] == []
    assert (
        tab.evaluate("document.querySelector('#details ins').textContent")
        == "Name two limits in cold climates."
    )
    tab.click("#details-marks")
    tab.until("!document.querySelector('#details ins')")
    tab.click("#details-seed")
    assert tab.until(f"{COUNT}.startsWith('3 of') && {COUNT}") == "3 of 90 candidates"


@needs_browser
def test_reasoning_is_folded_before_its_answer_and_found(
    tab: Browser, run_writer: Callable[..., Path]
) -> None:
    def think(seed: list[Candidate]) -> None:
        for candidate in seed:
            if seed[0].seed_row == 3 and candidate.messages:
                question, answer = candidate.messages
                candidate.messages = (question, replace(answer, reasoning_content=f"Zyklotron. {PAYLOAD}"))

    folder = run_writer(seeds=6, edit=think)
    (thinking,) = (seed for seed in RunDirectory(folder).seeds() if seed[0].seed_row == 3)
    usable(tab, write_report(folder))
    assert search(tab, "zyklotron") == f"{sum(row.written for row in thinking)} of 18 candidates"
    tab.click("#table-rows .grid-row")
    details(tab)
    folded = "document.querySelector('#details .side details')"
    assert tab.evaluate(f"{folded}.open") is False
    assert tab.evaluate(f"{folded}.firstChild.textContent") == "Reasoning"
    assert tab.evaluate(f"{folded}.lastChild.textContent") == f"Zyklotron. {SHOWN}"
    assert tab.evaluate("window.ran") is None


@pytest.mark.slow
@needs_browser
def test_hostile_texts_are_shown_unchanged_and_nothing_runs(
    tab: Browser, run_writer: Callable[..., Path], tmp_path: Path
) -> None:
    control = tmp_path / "control.html"
    control.write_text(f"<html><body>{PAYLOAD.replace('alert(1);', '')}", encoding="utf-8")
    tab.events.clear()
    tab.open(control)
    tab.until("window.ran && document.readyState === 'complete'")  # or this test would prove nothing
    while not tab.seen("Log.entryAdded"):  # of its image, or it would count for the next page
        tab.evaluate("0")
    assert any("example.com" in one["request"]["url"] for one in tab.seen("Network.requestWillBeSent"))

    pairs = {f"<img src=x onerror={RUN}>+careful": 0.7, f"</script><b>{RUN}+brief": 0.3}
    page = write_report(run_writer(seeds=12, text=PAYLOAD, pairs=pairs))
    bare = tmp_path / "bare.html"
    bare.write_text(re.sub(r"<meta http-equiv[^>]*>", "", page.read_text(encoding="utf-8")), encoding="utf-8")
    # Escaping must suffice without the page's own policy, too.
    for path in (page, bare):
        usable(tab, path)
        assert search(tab, "</script><script>window.ran").startswith("36 of 36")
        choose(tab, "table-pair", next(iter(pairs)))
        choose(tab, "table-pair", "")
        for outcome in tab.evaluate(
            "[...document.getElementById('table-outcome').options].map((one) => one.value)"
        ):
            choose(tab, "table-outcome", outcome)
            tab.click("#table-rows .grid-row")
            details(tab)
            if outcome in ("chosen", "not chosen: judge"):
                texts = tab.evaluate(
                    "[...document.querySelectorAll('#details .text')].map((t) => t.textContent)"
                )
                assert texts == [SHOWN] * 4
            tab.click("#details-close")
        requests = [one["request"]["url"] for one in tab.seen("Network.requestWillBeSent")]
        # Plotly keeps an empty image as data.
        assert [url for url in requests if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
        assert tab.evaluate("window.ran === undefined")
        assert tab.seen("Page.javascriptDialogOpening") == []
        assert tab.seen("Runtime.exceptionThrown") == []
        assert [one["entry"] for one in tab.seen("Log.entryAdded")] == []
