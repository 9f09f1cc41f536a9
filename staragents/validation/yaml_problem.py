"""Describes YAML errors without quoting content: a file given by mistake may contain secrets."""

from __future__ import annotations

import re

import yaml

# Content that PyYAML quotes, and duplicate keys that don't look like settings.
_CONTENT = re.compile(r"'[^']{2,}'|\"[^\"]{2,}\"|(?<=duplicate key )(?![\w.-]{1,60}$).+", re.DOTALL)


class NotYaml(ValueError):
    """The text is not a mapping of sections. The message quotes none of it."""


def yaml_problem(error: BaseException) -> str:
    """The rest of a message after the file name, such as `:3: not YAML: found duplicate key run`."""
    line, problem = "", "a value or nesting that can't be read"
    if isinstance(error, yaml.MarkedYAMLError):
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = _CONTENT.sub("...", error.problem or error.context or problem)
    elif isinstance(error, NotYaml):
        problem = str(error)
    elif isinstance(error, yaml.reader.ReaderError):
        problem = f"expected text, got the character {error.character:#x} at position {error.position + 1}"
    return f"{line}: not YAML: {problem}"
