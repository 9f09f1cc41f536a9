from collections.abc import Callable
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from staragents.report.dataset_card import markdown, write_card

HOSTILE = (
    "x\n---\nlicense: mit\n</details> <script>alert(1)</script> ![i](http://example.org/i.png) | ``` "
    "[l](javascript:alert(1)) <img src=x onerror=alert(1)> {{ 7 * 7 }} www.example.org"
)
LIVE = {"html_inline", "html_block", "link_open", "image", "code_inline", "em_open", "strong_open", "s_open"}
parser = MarkdownIt("gfm-like", {"linkify": False})


def split(card: Path) -> tuple[dict, str]:
    empty, header, body = card.read_text(encoding="utf-8").split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(header), body


def flat(tokens: list[Token]) -> list[Token]:
    return [t for token in tokens for t in (token, *flat(token.children or []))]


def test_the_header_has_the_fields_that_the_hub_reads(run_writer: Callable[..., Path]) -> None:
    header, _ = split(write_card(run_writer()))
    assert header["pretty_name"] == "Synthetic run"
    assert header["task_categories"] == ["text-generation"]
    assert header["size_categories"] == ["n<1K"]
    assert header["configs"][0] == {"config_name": "default", "data_files": "dataset.parquet"}
    assert "fake-engines" not in header["tags"]


def test_card_names_models_with_their_licences(run_writer: Callable[..., Path]) -> None:
    _, body = split(write_card(run_writer()))
    smollm = "packaged:smollm2-135m-instruct"
    assert f"| {smollm} | instruction agent, response agent, judge | vllm | Apache-2.0 |" in body
    assert "| packaged:gemma-3-270m | larger model of the IFD | transformers | Gemma Terms of Use" in body


def test_card_holds_funnel_pairs_and_config(run_writer: Callable[..., Path]) -> None:
    folder = run_writer()
    _, body = split(write_card(folder))
    assert "| candidates drawn | 180 |" in body
    assert "| keep+careful (base) | 60 |" in body
    (fenced,) = (token for token in parser.parse(body) if token.type == "fence")
    assert fenced.content.rstrip() == (folder / "config.yaml").read_text().rstrip()


def test_card_counts_the_filters_that_were_on(run_writer: Callable[..., Path]) -> None:
    written = {"rows": 50, "rewritten": 30, "filtered": {"duplicate": 4}, "flagged": {"pii": 2}}
    _, body = split(write_card(run_writer(facts={"dataset": written})))
    assert "50 instruction-tuning samples: 30 rewritten by language models, 20 kept" in body
    assert "| duplicate | left out | 4 |" in body
    assert "| pii | flagged | 2 |" in body
    assert "near duplicate |" not in body
    assert "- Flagged rows are included: pii 2." in body
    assert "The dataset was not checked for overlap with evaluation sets." in body


def test_fake_engines_are_announced_and_tagged(run_writer: Callable[..., Path]) -> None:
    header, body = split(write_card(run_writer(seeds=4, facts={"engines": {"smollm": "fake"}})))
    assert "fake-engines" in header["tags"]
    assert "**FAKE ENGINES**" in body


def test_hostile_texts_neither_change_the_header_nor_become_markup(run_writer: Callable[..., Path]) -> None:
    pairs = {f"{HOSTILE}+careful": 0.6, "deepen+brief": 0.4, "x+y": 0.3}
    folder = run_writer(seeds=20, text=HOSTILE, pairs=pairs)
    header, body = split(write_card(folder))
    assert header["license"] == "unknown"
    assert header["pretty_name"] == " ".join(HOSTILE.split())
    tokens = flat(parser.parse(body))
    html = [token.content.strip() for token in tokens if token.type in ("html_block", "html_inline")]
    assert html == ["<details>\n<summary>All settings</summary>", "</details>"]
    assert [t.attrs["href"] for t in tokens if t.type == "link_open"] == ["report.html"]
    assert not [t for t in tokens if t.type == "image"]
    (fenced,) = (token for token in tokens if token.type == "fence")
    assert fenced.content.rstrip() == (folder / "config.yaml").read_text().rstrip()


@given(st.text(alphabet=st.sampled_from("`*_[]()<>#!|~:/@$&\\ \nwx.;-"), max_size=30))
def test_any_text_survives_markdown_as_plain_text_in_a_table_cell(text: str) -> None:
    tokens = flat(parser.parse(f"| a | b |\n|---|---|\n| x{markdown(text)}x | y |\n"))
    assert not {token.type for token in tokens} & LIVE
    inline = [token for token in tokens if token.type == "inline"]
    assert len(inline) == 4
    shown = "".join(child.content for child in inline[2].children or [])
    assert shown == f"x{' '.join(text.split())}x"
