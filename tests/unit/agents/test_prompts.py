"""Templates: valid ones, errors for invalid ones, and data that is never read as template."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staragents.agents.prompt_templates import AGENT_SAMPLE, PromptTemplate, load_prompt, shipped_prompts
from staragents.base.errors import BadInput
from staragents.base.messages import Message

EVERY_PROMPT = [(role, name) for role in ("instruction", "response") for name in shipped_prompts(role)]
DIRECT = load_prompt("response", "direct")
STYLES = ["broaden", "concretise", "constrain", "deepen", "lengthen", "reason"]


def template(source: str) -> PromptTemplate:
    return PromptTemplate(source, "my.j2", AGENT_SAMPLE)


def test_the_shipped_names_are_the_documented_ones() -> None:
    assert shipped_prompts("instruction") == sorted([*STYLES, "follow_up"])
    assert shipped_prompts("response") == ["brief", "direct", "few_shot", "step_by_step"]


@pytest.mark.parametrize(("role", "name"), EVERY_PROMPT)
def test_a_shipped_prompt_shows_instruction_last(role: str, name: str) -> None:
    template = load_prompt(role, name)
    # The text to rewrite or answer, or the conversation to continue, comes last.
    last = "history" if template.continues else "instruction"
    prompt = template.render(**{"instruction": "", "history": "", last: "Name a quokka."})

    text = prompt.raw or prompt.turns[-1].content
    assert text.count("Name a quokka.") == 1
    assert text.index("Name a quokka.") > len(text) - 120
    assert not prompt.turns or prompt.turns[-1].role == "user"


@pytest.mark.parametrize("name", STYLES)
def test_a_style_requests_only_the_new_instruction_and_shows_examples(name: str) -> None:
    turns = load_prompt("instruction", name).render(instruction="Name a quokka.", history="").turns

    assert "Reply with the new instruction only." in turns[0].content
    assert [turn.role for turn in turns] == ["system", *["user", "assistant"] * 3, "user"]


@pytest.mark.parametrize("name", [*STYLES, "few_shot"])
def test_earlier_turns_are_shown_where_the_prompt_does_not_keep_them_as_turns(name: str) -> None:
    role = "response" if name == "few_shot" else "instruction"
    prompt = load_prompt(role, name).render(instruction="And its size?", history="User: Name a quokka.")

    shown = prompt.raw or prompt.turns[0].content
    assert "User: Name a quokka." in shown


def test_only_an_instruction_prompt_may_continue(tmp_path: Path) -> None:
    (tmp_path / "on.j2").write_text("{% set continues = true %}{% block user %}{{ history }}{% endblock %}")
    assert load_prompt("instruction", str(tmp_path / "on.j2")).continues
    assert not load_prompt("instruction", "deepen").continues
    with pytest.raises(BadInput, match=r"on\.j2: continues: expected only in prompts of instruction agents"):
        load_prompt("response", str(tmp_path / "on.j2"))


def test_the_raw_prompt_ends_where_the_model_continues_and_names_its_stops() -> None:
    prompt = load_prompt("response", "few_shot").render(instruction="Name a quokka.", history="")

    assert prompt.turns == ()
    assert prompt.raw is not None
    assert prompt.raw.endswith("\n\nUser: Name a quokka.\nAssistant:")
    assert "\nUser:" in prompt.stop


def test_a_template_without_blocks_is_the_user_turn() -> None:
    prompt = template("Answer this: {{ instruction }}").render(instruction="Why?", history="")

    assert prompt.turns == (Message("user", "Answer this: Why?"),)


def test_turns_come_in_the_order_of_their_blocks() -> None:
    source = """{% block system %}S{% endblock %}
    {% block user_1 %}U1{% endblock %}{% block assistant_1 %}A1{% endblock %}
    {% block user %}{{ instruction }}{% endblock %}"""

    prompt = template(source).render(instruction="Why?", history="")

    assert [turn.role for turn in prompt.turns] == ["system", "user", "assistant", "user"]
    assert [turn.content for turn in prompt.turns] == ["S", "U1", "A1", "Why?"]


def test_an_empty_system_turn_is_left_out() -> None:
    source = "{% block system %}{{ history }}{% endblock %}{% block user %}{{ instruction }}{% endblock %}"

    assert [turn.role for turn in template(source).render(instruction="Why?", history="").turns] == ["user"]


def test_blocks_see_what_the_top_level_sets() -> None:
    source = """{% set stop = ['END'] %}{% set word = 'Please' %}
    {% block user %}{{ word }}: {{ instruction }}{% endblock %}"""

    prompt = template(source).render(instruction="Why?", history="")

    assert prompt.stop == ("END",)
    assert prompt.turns[0].content == "Please: Why?"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% block user %}\n{{ instuction }}{% endblock %}", "my.j2:2: 'instuction' is undefined"),
        ("{% if history %}\n\n{{ histry }}{% endif %}", "my.j2:3: 'histry' is undefined"),
        ("one\n{% if %}", "my.j2:2: Expected an expression"),
        ("\n{{ 1 / 0 }}", "my.j2:2: division by zero"),
        ("\n{% block human %}x{% endblock %}", "my.j2:2: block: expected system, user"),
        ("{% block assistant %}x{% endblock %}", "my.j2: blocks: expected an optional system turn"),
        (
            "{% block user %}x{% endblock %}{% block user_2 %}y{% endblock %}",
            "my.j2: blocks: expected an optional system turn, then alternating user and assistant turns "
            "ending with user, got user, user",
        ),
        ("{% set stop = 'END' %}{{ instruction }}", "my.j2: stop: expected a list of strings, got 'END'"),
        ("{% set stop = [''] %}{{ instruction }}", "my.j2: stop: expected a list of strings, got ['']"),
        ("{% include 'passwords.txt' %}", "my.j2:1: no loader"),
    ],
)
def test_a_wrong_template_is_named_with_file_and_line(source: str, problem: str) -> None:
    with pytest.raises(BadInput) as error:
        template(source)

    assert str(error.value).startswith(problem)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ instruction.__init__.__globals__ }}",
        "{{ '{0.__class__}'.format(instruction) }}",
        "{{ self._TemplateReference__context.environment.__class__ }}",
        "{% for i in range(10000000) %}x{% endfor %}",
    ],
)
def test_a_template_cannot_reach_out_of_its_sandbox(source: str) -> None:
    with pytest.raises(BadInput, match=r"my\.j2"):
        template(source)


def test_a_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.j2"
    binary.write_bytes(b"\xff\xfe\x00")

    for path in (tmp_path / "missing.j2", binary):
        with pytest.raises(BadInput, match=path.name):
            load_prompt("response", str(path))


def test_a_custom_template_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "terse.j2"
    path.write_text("{% block user %}{{ instruction }} Be brief.{% endblock %}", encoding="utf-8")

    prompt = load_prompt("response", str(path)).render(instruction="Why?", history="")

    assert prompt.turns[-1].content == "Why? Be brief."


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        BadInput, match=r"expected one of brief, direct, few_shot, step_by_step or a \.j2 file"
    ):
        load_prompt("response", "directt")


_TEMPLATE_LIKE = st.sampled_from(
    ["{{ 7 * 7 }}", "{% for x in y %}", "{#", "{% endblock %}", "<b>&amp;", "\\", "%s"]
)


@settings(deadline=None)
@given(st.lists(st.one_of(_TEMPLATE_LIKE, st.text(max_size=20))).map("".join))
def test_seed_text_is_never_read_as_template(text: str) -> None:
    prompt = DIRECT.render(instruction=text, history=text)

    assert prompt.turns[-1].content == text.strip()


@given(st.text(max_size=12), st.text(max_size=12))
@settings(max_examples=20)
@pytest.mark.parametrize(("role", "name"), EVERY_PROMPT)
def test_a_model_gets_the_part_that_it_reads(role: str, name: str, instruction: str, history: str) -> None:
    prompt = load_prompt(role, name)
    whole = prompt.render(instruction=instruction, history=history)
    chat = prompt.render_for(True, instruction=instruction, history=history)
    base = prompt.render_for(False, instruction=instruction, history=history)
    assert (chat.turns, chat.stop) == (whole.turns, whole.stop)
    assert (base.raw, base.stop) == (whole.raw, whole.stop)


def test_text_outside_the_blocks_may_use_them() -> None:
    source = '{% block user %}{{ instruction }}{% endblock %}{% set stop = [self.user() or "none"] %}'
    prompt = template(source).render(instruction="Why?", history="")
    assert (prompt.turns, prompt.stop) == ((Message("user", "Why?"),), ("Why?",))


def test_blocks_see_what_the_text_outside_them_sets() -> None:
    source = '{% set style = "short" %}{% block user %}Be {{ style }}: {{ instruction }}{% endblock %}'
    assert template(source).render(instruction="Why?", history="").turns[0].content == "Be short: Why?"
