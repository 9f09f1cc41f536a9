"""Thoughts are split from answers for every family's markup; a tag that an answer quotes is no thought."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.text.thinking import opening_tag, shows_thought, split_thinking
from tests.support.growth import assert_linear

HARMONY = "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}"
SHAPES = {
    "Qwen3, GLM, Magistral": "<think>\n{}\n</think>\n\n{}",
    "DeepSeek R1: the prompt opened it": "{}\n</think>\n\n{}",
    "without line breaks": "<think>{}</think>{}",
    "EXAONE": "<thought>\n{}\n</thought>\n\n{}",
    "thinking": "<thinking>{}</thinking>\n{}",
    "reasoning": "<reasoning>{}</reasoning>{}",
    "reason": "<reason>{}</reason>{}",
    "upper case": "<THINK>{}</THINK>{}",
    "Seed-OSS": "<seed:think>{}</seed:think>{}",
    "MiniMax M3": "<mm:think>{}</mm:think>{}",
    "Mistral": "[THINK]{}[/THINK]{}",
    "Kimi-VL": "\u25c1think\u25b7{}\u25c1/think\u25b7{}",
    "Sky-T1": "<|begin_of_thought|>{}<|end_of_thought|><|begin_of_solution|>{}<|end_of_solution|>",
    "Command A": "<|START_THINKING|>{}<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
    "Apertus": "<|inner_prefix|>{}<|inner_suffix|>{}",
    "Solar Open": "<|think|>{}<|end|><|begin|>assistant<|content|>{}",
    "GLM with a box": "<think>{}</think>\n<|begin_of_box|>{}<|end_of_box|>",
    "a prompt's own tags": "<thought_process>\n{}\n</thought_process>\n\n{}",
    "Claude": "<antThinking>{}</antThinking>\n{}",
    "Hermes": "<SCRATCHPAD>{}</SCRATCHPAD>\n{}",
    "LLaVA-CoT": "<REASONING>{}</REASONING>\n\n<CONCLUSION>{}</CONCLUSION>",
    "two families' tags": "<think>{}</thinking>\n{}",
    "Kimi K3": (
        "<|open|>think<|sep|>{}<|close|>think<|sep|>"
        "<|open|>response<|sep|>{}<|close|>response<|sep|><|close|>message<|sep|>"
    ),
    "Command A, with the end of its turn": (
        "<|START_THINKING|>{}<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|><|END_OF_TURN_TOKEN|>"
    ),
    "Gemma 4": "<|channel>thought\n{}<channel|>{}",
    "gpt-oss": HARMONY,
    "gpt-oss, last message ended": HARMONY + "<|return|>",
    "gpt-oss with a role": "<|start|>assistant" + HARMONY,
    "gpt-oss without a channel": (
        "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|message|>{}<|return|>"
    ),
    "gpt-oss without <|message|>": "<|channel|>analysis<|message|>{}<|end|><|channel|>final {}",
    "gpt-oss without <|end|>": "<|channel|>analysis<|message|>{}<|channel|>final<|message|>{}",
    "gpt-oss with a format": HARMONY.replace("final<", "final <|constrain|>json<"),
    "gpt-oss without special tokens": "analysis{}assistantfinal{}",
    "Granite 3.2": "Here is my thought process: {} Here is my response: {}",
    "Granite, quantised": "Here's my thought process:\n{}\nHere's my response:\n{}",
    "Hunyuan": "<think>\n{}\n</think>\n<answer>\n{}\n</answer>",
    "Ernie": "{}\n</think>\n\n<response>\n{}\n</response>\n",
    "MedGemma": "<unused94>thought\n{}<unused95>{}",
    "Open WebUI": (
        '<details type="reasoning" done="true">\n<summary>Thought for 3 s</summary>\n> {}\n</details>\n{}'
    ),
    "a tag with attributes": '<think lang="en">{}</think>{}',
    "an answer in <output>": "<thinking>{}</thinking>\n\n<output>\n{}\n</output>",
    "an answer that its stop string ended": "<think>{}</think>\n<answer>{}",
    "closed after the answer": "<think>{}</think>\n{}\n</think>",
    "closed twice": "<think>\n{}\n</think>\n\n</think>\n\n{}",
    "opened twice": "<think>\n<think>{}</think>{}",
}
ANSWERS = (
    "Blue.",
    "A model writes `<think>` first and `</think>` last.",
    "```xml\n<think>\nsteps\n</think>\n```\nThis is how R1 answers.",
    "The <think> tag opens a thought and the </think> tag closes it.",
    "The closing tag </think> ends a thought.",
    "It ends with \"</think>\", not with '</thought>'.",
    "Say (</think>) to stop.",
    "I thought about <b>this</b>; <answer>42</answer> is markup.",
    "Here is my thought process: first, I count.",
    "An analysis of the final channel.",
    "analysis(data) draws the plot.",
    "analysisResults = model.fit()",
    "Put </think> at the end of your plan, then go on.",
    "<think> tags surround what a model thinks.",
    "<think> is the opening tag. </think> closes it.",
    "<think>...</think> is how R1 writes.",
    "Use:\n\n    <think>\n    steps\n    </think>\n\nin the prompt.",
    "````\n```\n<think>\n```\n</think>\n````\nDone.",
    "<rejection_reason>Late</rejection_reason>\n<code>12</code>",
    "<think about it> and answer.",
    "<|channel|> is a token of gpt-oss.",
    "<output>42</output> is what it prints.",
    "<details>\nThe long story.\n</details>",
    "",
)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_a_thought_is_split_from_its_answer(shape: str) -> None:
    split = split_thinking(shape.format("We compare colours.", "Blue."))
    assert (split.reasoning, split.answer.rstrip()) == ("We compare colours.", "Blue.")
    assert split.found
    assert not split.cut_off


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_writes_about_tags_stays_as_it_is(answer: str) -> None:
    assert split_thinking(answer).answer == answer
    assert not split_thinking(answer).found
    after_thought = split_thinking(f"<think>\nThey ask about tags.\n</think>\n\n{answer}")
    assert after_thought.answer == answer


def test_an_answer_that_is_markup_keeps_it() -> None:
    answer = "<response>ok</response> is the whole body."
    assert split_thinking(f"<think>Short.</think>\n{answer}").answer == answer


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Okay, so the user wants a colour.\n\nBlue.", True),
        ("Hmm, the user's question is about colours. Blue.", True),
        ("Okay, let's name one: blue.", False),
        ("The user wants a login page. Write its HTML.", False),
        ("First, the user must log in.", False),
        ("First, the user needs to log in.", False),
        ("Well, the user is redirected to the page.", False),
        ("So, the users want blue.", False),
    ],
)
def test_a_thought_without_tags_shows_where_it_speaks_of_the_user(text: str, is_one: bool) -> None:
    assert shows_thought(text) is is_one


def test_an_answer_about_channels_keeps_its_tokens() -> None:
    answer = "The `<|end|>` token ends a message, and <|start|> begins one.\n<|channel|> names it."
    assert split_thinking(HARMONY.format("We compare.", f"{answer}<|return|>")).answer == answer


@pytest.mark.parametrize("answer", ["Blue.", "Blue:\n```py\nx = 'blue'\n```"])
def test_code_that_a_thought_does_not_finish_hides_no_end(answer: str) -> None:
    """As where a token limit ends the thought."""
    thought = "I write\n```py\nx ="
    for opened in ("", "<think>"):
        split = split_thinking(f"{thought}\n</think>\n\n{answer}", opened)
        assert (split.reasoning, split.answer) == (thought, answer)


def test_the_result_of_a_tool_is_no_answer() -> None:
    call = "<|start|>functions.f<|message|>42<|end|><|start|>assistant<|channel|>final<|message|>It is 42."
    assert split_thinking(call).answer == "It is 42."


def test_messages_of_one_channel_are_paragraphs() -> None:
    final = "<|end|><|start|>assistant<|channel|>final<|message|>"
    split = split_thinking(f"{HARMONY.format('We compare.', 'Blue.')}{final}Or green.<|return|>")
    assert split.answer == "Blue.\n\nOr green."


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("Sure.\n<think>Two.</think>\nFour.", "Sure.\nFour.", "Two."),
        ("<think>One.</think>Sure.\n  <think>\nTwo.\n</think>\nFour.", "Sure.\n  Four.", "One.\n\nTwo."),
        ("Sure.\n[THINK]Two.[/THINK]\nFour.", "Sure.\nFour.", "Two."),
        ("Sure.\n<seed:think>Two.</seed:think>Four.", "Sure.\nFour.", "Two."),
        ("Sure.\n<reason>Late.</reason>\nFour.", None, ""),
        ("Sure.\n<think>Two.\nFour.", None, ""),
        ("Sure, <think>Two.</think> Four.", None, ""),
        ("```\n<think>\nTwo.\n</think>\n```\nFour.", None, ""),
    ],
)
def test_a_later_thought_is_taken_out_of_rows_and_shown_in_answers(
    text: str, answer: str | None, reasoning: str
) -> None:
    split = split_thinking(text, later=True)
    assert (split.answer, split.reasoning) == (answer or text, reasoning)
    assert shows_thought(text) == (answer is not None)
    assert split_thinking(text).answer == text or text.startswith("<think>")


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nOkay, the user", "<thought>First", "[THINK]So", "<|channel|>analysis<|message|>We need",
        "analysisWe need to", "<|channel>thought\nFirst", "<|START_THINKING|>I", "<seed:think>Got it",
        "<think>a</think><think>b", "<|channel|>analysis<|message|>We<|end|><|start|>assistant",
    ],
)  # fmt: skip
def test_a_thought_that_never_ends_has_no_answer(text: str) -> None:
    split = split_thinking(text)
    assert split.cut_off
    assert split.answer == ""
    assert split.reasoning


def test_only_a_token_limit_tells_a_cut_off_thought_of_granite() -> None:
    text = "Here is my thought process: first, I"
    assert split_thinking(text, truncated=True).cut_off
    assert split_thinking(text).answer == text


@pytest.mark.parametrize("empty", ["<think>\n\n</think>\n\n", "<think></think>", "\n</think>\n\n"])
def test_an_empty_thought_is_removed(empty: str) -> None:
    split = split_thinking(f"{empty}Blue.")
    assert (split.reasoning, split.answer, split.found) == ("", "Blue.", True)


@pytest.mark.parametrize(
    ("prompt", "tag"),
    [
        ("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n", "<think>"),
        ("<\uff5cAssistant\uff5c><think>", "<think>"),
        ("[INST]Hi[/INST][THINK]", "[THINK]"),
        ("<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>analysis<|message|>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),
        ("<|im_start|>assistant\n", ""),
        ("", ""),
    ],
)
def test_the_end_of_a_prompt_tells_that_a_thought_is_open(prompt: str, tag: str) -> None:
    assert opening_tag(prompt) == tag


def test_a_thought_opened_by_the_prompt_is_cut_off_without_its_closing_tag() -> None:
    assert split_thinking("Okay, a colour", "<think>").cut_off
    split = split_thinking("They mention the <think> tag.\n</think>\n\nBlue.", "<think>")
    assert (split.reasoning, split.answer) == ("They mention the <think> tag.", "Blue.")
    split = split_thinking(
        "We<|end|><|start|>assistant<|channel|>final<|message|>Blue.", opening_tag("a" + HARMONY[:30])
    )
    assert (split.reasoning, split.answer) == ("We", "Blue.")


def test_a_quoted_closing_tag_does_not_end_a_thought() -> None:
    text = "<think>\nI write `</think>` in a fence:\n```\n</think>\n```\nDone.\n</think>\nBlue."
    assert split_thinking(text).answer == "Blue."
    unclosed = "<think>\n```py\nx = 1\n</think>\nBlue."
    assert split_thinking(unclosed).answer == "Blue."


_PIECES = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "[THINK]", "[/THINK]", "<|channel|>", "analysis", "final", "<|message|>",
         "<|end|>", "<answer>", "</answer>", "```\n", "```py\n", "````\n", "`", "\n", " ", "word",
         "Here is my thought process:",
         "Here is my response:", "<|channel>thought", "<channel|>", "assistantfinal"]
    )
    | st.text(max_size=5),
    max_size=30,
).map("".join)  # fmt: skip


@given(_PIECES)
def test_no_text_is_lost_or_raises(text: str) -> None:
    for later in (False, True):
        split = split_thinking(text, later=later)
        kept = re.findall("word", split.reasoning + split.answer)
        assert len(kept) == text.count("word")
        assert 0 <= split.start <= len(text)
        if not split.found:
            assert split.answer == text


@given(_PIECES)
def test_the_answer_begins_where_it_says(text: str) -> None:
    split = split_thinking(text)
    assert text[split.start :].startswith(split.answer[:1])


@pytest.mark.parametrize(
    "piece",
    ["<think>", "</think>", "<think>```</think>", "`", "<think>\n```\n</think>\n", "<|channel|>", "\n", " ",
     "`</think>`", " </think> tag", "x</think>", "<|channel|>final<|message|>", "<answer>", "\n<think>a",
     '<details type="reasoning">', '<details type="reasoning"></details>', "<think a=", "<think>a</think>\n",
     "</", "````\n</think>", "```py\n</think>\n", "<|start|>assistant<|message|>", "~~~\n```\n"],
)  # fmt: skip
def test_hostile_text_takes_linear_time(piece: str) -> None:
    def split(start: str, end: str, size: int) -> None:
        for later in (False, True):
            split_thinking(f"{start}{piece * size}{end}", later=later)

    for start, end in (("", ""), ("<think>", ""), ("<|channel|>final<|message|>a", "b")):
        assert_linear(partial(split, start, end), 5_000)
    assert_linear(lambda size: shows_thought(piece * size), 5_000)
