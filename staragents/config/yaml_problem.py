"""What is wrong with a YAML text, without any of its content: a file named by mistake may hold secrets."""

from __future__ import annotations

import re

import yaml

# What PyYAML quotes, and a repeated key that does not look like a setting.
_CONTENT = re.compile(r"'[^']{2,}'|\"[^\"]{2,}\"|(?<=duplicate key )(?![\w.-]{1,60}$).+", re.DOTALL)


class NotYaml(ValueError):
    """A text that is no mapping of sections, in words of ours that quote none of it."""


def yaml_problem(error: BaseException) -> str:
    """What follows a file's name in a message, such as `:3: not YAML: found duplicate key run`."""
    line, problem = "", "a value or nesting that can't be read"
    if isinstance(error, yaml.MarkedYAMLError):
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        problem = _CONTENT.sub("...", error.problem or error.context or problem)
    elif isinstance(error, NotYaml):
        problem = str(error)
    elif isinstance(error, yaml.reader.ReaderError):
        problem = f"expected text, got the character {error.character:#x} at position {error.position + 1}"
    return f"{line}: not YAML: {problem}"
