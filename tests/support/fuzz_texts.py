"""Inputs and checks of prompts, verdicts and answers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st

from staragents.agents.clean_instruction import clean_instruction
from staragents.agents.language import SeedLanguages
from staragents.agents.order_verdict import _WRITTEN_VERDICT, parse_verdict
from staragents.agents.prompt_templates import AGENT_SAMPLE, PromptTemplate
from staragents.agents.rejects import answer_problem, rewrite_problem
from staragents.base.errors import BadInput
from staragents.base.generation import Generation, TokenLogprobs
from staragents.base.messages import Message
from staragents.base.records import Seed
from staragents.config import JudgeConfig, Template, Verdicts
from staragents.scoring.templates import prompt_text
from staragents.text.printable import printable
from staragents.text.untrusted_text import as_evidence
from tests.support.fuzz_fragments import TEXTS, fragments

# Templates ------------------------------------------------------------------------------------------------

JINJA = fragments(
    *(
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "instruction",
        "history",
        " if ",
        " for ",
        " in ",
        "endif",
        "endfor",
    ),
    *(
        "block user",
        "block raw",
        "block user_1",
        "block assistant_1",
        "block system",
        "endblock",
        "set stop = [",
    ),
    *(
        "'x'",
        "]",
        "|",
        "upper",
        "join",
        "(",
        ")",
        ".",
        "__class__",
        "[0]",
        "+",
        "**",
        "*",
        "9",
        "range",
        "loop",
    ),
    *(
        "else",
        "macro m()",
        "endmacro",
        "import",
        "include",
        "extends",
        "-%}",
        "{%-",
        '"',
        "\n",
        "%",
        "self",
        "%s",
    ),
)


def check_prompt(source: str) -> None:
    with suppress(BadInput):
        template = PromptTemplate(source, "fuzz.j2", AGENT_SAMPLE)
        prompt = template.render(instruction="{{ 7 * 7 }} {% x %}", history="}}")
        assert prompt.turns or prompt.raw is not None


CONVERSATIONS = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXTS), max_size=5
).map(tuple)


def check_scored_prompt(messages: Any, template: Template) -> None:
    text = prompt_text(messages, template, None)
    assert all(message.content in text for message in messages if message.role != "system")


# Model outputs --------------------------------------------------------------------------------------------

VERDICTS = fragments(
    *(
        '{"reason": "',
        '", "verdict": "',
        "verdict",
        "'",
        '"',
        "*",
        ":",
        "=",
        " A",
        "B",
        "tie",
        "C",
        "[[",
        "]]",
        "}",
    ),
    *("\\", "\\u00", "**", " ", "\n", "{", "[", "Verdict: ", "[[tie]]", "<|im_end|>", "</data>"),
)
LOGPROBS = st.lists(
    st.builds(
        TokenLogprobs,
        VERDICTS,
        st.dictionaries(
            st.sampled_from(["A", "B", "tie", "t", " A", '"B"', ""]) | TEXTS, st.floats(), max_size=4
        ),
    ),
    max_size=4,
).map(tuple)


def check_verdict(text: str, logprobs: Any, verdict: Verdicts) -> None:
    generation = Generation(text, "stop", 1, 1, 0.0, logprobs)
    found = parse_verdict(generation, JudgeConfig(verdict=verdict))
    assert found is None or (found.label in ("A", "B", "tie") and 0 <= found.a_wins <= 1)
    assert _WRITTEN_VERDICT.search(as_evidence(text)) is None


ANSWERS = fragments(
    *(
        "I'm sorry",
        "I cannot",
        "As an AI language model",
        ", ",
        ". ",
        "\n",
        "\n\n",
        "- ",
        "* ",
        ":",
        ":\n",
        "<|",
    ),
    *(
        "|>",
        "assistant:",
        "User:",
        "the instruction",
        "rewritten instruction",
        "to ",
        ", you can",
        "?",
        " the ",
        "1.",
    ),
    *(
        "Here are some ",
        "</s>",
        "中",
        "word ",
        "```",
        '"',
        "Rewrite this: ",
        "unfortunately",
        "I am ",
        "_",
        " ",
    ),
)


def check_answer(seed: str, text: str, cut: bool) -> None:
    generation = Generation(text, "length" if cut else "stop", 1, 1, 0.0)
    languages = SeedLanguages(Seed("s", 0, (Message("user", seed), Message("assistant", text))))
    for problem in (
        rewrite_problem(seed, text, generation, languages),
        answer_problem(seed, text, generation, seed, languages),
        answer_problem(text, seed, generation, text, languages),
    ):
        assert problem is None or problem.isidentifier()
    clean_instruction(text)
    assert "\x1b" not in printable(text)
