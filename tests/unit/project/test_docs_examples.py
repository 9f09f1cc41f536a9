"""Commands and settings in the docs and the help are valid in the current program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cluster.cli.command_group import COMMANDS
from cluster.job import cli
from staragents.config import Config
from staragents.config.tree import as_dict
from staragents.validation.config_builder import typed
from staragents.validation.merging import parse_yaml, read_file, read_overrides
from staragents.validation.tree_merge import merge
from tests.unit.project.test_docs import DOCS, ROOT

PAGES = [ROOT / "README.md", *DOCS]
COMMAND = re.compile(
    r"(?:(?<![\w/.-])(?:\.venv/bin/)?staragents|-m cluster\.job) +(?!completion)([a-z][^`\n]*)"
)
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = "|".join(as_dict(Config()))
NAMED = re.compile(r"^(?:\| `|## )([a-z][\w.*]*)", re.MULTILINE)
SETTING = re.compile(rf"`((?:{SECTIONS})\.[\w.*]+)(?:=[^`]*)?`")


def commands(text: str) -> Iterator[list[str]]:
    """The words after `staragents` of every command with arguments, excluding prose that follows one."""
    for found in COMMAND.findall(text.replace("\\\n", " ")):
        words = shlex.split(found.replace("[-", "-").replace("] ", " "), comments=True)
        if len(words) > 1 and words[0] in COMMANDS and words[-1] != "--help":
            yield words


def check(words: list[str]) -> None:
    """Raises click's errors, and fails for unknown settings."""
    verb, *arguments = words
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    given = command.make_context(verb, arguments).params
    problems: list[str] = []
    tree = read_overrides(given.get("overrides") or (), problems)
    if (path := ROOT / str(given.get("config", ""))).is_file():
        tree = merge(read_file(path, problems), tree)
    typed(tree, problems)
    assert not problems, words


def test_examples_are_found_at_all() -> None:
    """The checks below pass for a page without any; all pages together have about 100, 6 and 400."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert sum(len(list(commands(text))) for text in texts) > 70
    assert sum(len(YAML.findall(text)) for text in texts) > 3
    assert sum(len(SETTING.findall(text)) for text in texts) > 250
    assert sum(bool(SETTING.search(text)) for text in texts) > 12


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_a_page_parse(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        check(words)


@pytest.mark.parametrize("verb", [verb for verb in COMMANDS if verb != "completion"])
def test_examples_in_the_help_of_a_command_parse(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    found = list(commands(command.help or ""))
    assert verb in {words[0] for words in found}
    for words in found:
        check(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configs_on_a_page_have_only_existing_settings(page: Path) -> None:
    for block in YAML.findall(page.read_text(encoding="utf-8")):
        tree, problems = parse_yaml(block), list[str]()
        if below := tree.pop("extends", None):
            tree = merge(read_file(ROOT / below, problems), tree)
        typed(tree, problems)
        assert not problems, block


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_named_on_a_page_exist(page: Path) -> None:
    known = [name.split(".") for name in NAMED.findall((ROOT / "docs/configuration.md").read_text("utf-8"))]
    for name in SETTING.findall(page.read_text(encoding="utf-8")):
        parts = name.split(".")
        assert any(
            len(parts) == len(key) and all(a == b or "*" in (a, b) for a, b in zip(parts, key, strict=True))
            for key in known
        ), name
