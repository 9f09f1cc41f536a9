"""Prompt templates: Jinja2 text with one block a turn, rendered in a sandbox.

A block's name begins with the role of its turn: `system`, `user`, `assistant`, and `user_1`, `assistant_1`
and so on for example turns, in the order in which they stand. A block `raw` is one text that a base model
continues. Without any block the whole text is the user turn. `{% set stop = ["..."] %}` names texts that
end the answer. Seeds and model outputs come in as values of variables and are never read as template text.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from staragents.errors import BadInput
from staragents.messages import Conversation, Message, Role
from staragents.user_files import read_text

PROMPTS = Path(__file__).parent / "prompts"
AGENT_SAMPLE = {"instruction": "Name a colour.", "history": "User: Hello.\nAssistant: Hello."}
"""The variables of an agent's template: the instruction, and the turns before it as text (may be empty)."""

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
_RAW = "raw"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered template. `turns` is empty if it has only a raw text, `raw` is None if it has only turns."""

    turns: Conversation
    raw: str | None
    stop: tuple[str, ...]


class PromptTemplate:
    """One template, checked when it is read: syntax, block names, order of turns, unknown variables."""

    def __init__(self, source: str, filename: str, sample: Mapping[str, Any]) -> None:
        """`sample` has a value for every variable the template may use.

        Raises BadInput with file and line.
        """
        self.filename = filename
        self._environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, autoescape=False, trim_blocks=True
        )
        self._blocks: list[str] = []
        self.variables: frozenset[str] = frozenset()
        """Those that it reads."""
        self._template = self._compile(source)
        self.continues = False
        """It sets `continues`: what it asks for goes on where the conversation ends, and replaces nothing."""
        empty = {name: "" if isinstance(value, str) else value for name, value in sample.items()}
        for values in (sample, empty):
            self.render(**values)
        self._check_turns()

    def __repr__(self) -> str:
        return f"PromptTemplate({self.filename!r})"

    @property
    def has_turns(self) -> bool:
        return any(name != _RAW for name in self._blocks) or not self._blocks

    @property
    def has_raw(self) -> bool:
        return _RAW in self._blocks

    def render(self, **variables: Any) -> Prompt:
        """The template with these values. Raises BadInput with file and line."""
        context = self._template.new_context(variables)
        try:
            # The whole template once, as its top level sets `stop` and whatever else its blocks share.
            whole = "".join(self._template.root_render_func(context))
            texts = {name: "".join(self._template.blocks[name](context)).strip() for name in self._blocks}
            exported = context.get_exported()
            stop = exported.get("stop", ())
            self.continues = exported.get("continues", False) is True
        except Exception as error:  # A user's template can raise anything.
            raise self._bad(error) from error
        if not isinstance(stop, list | tuple) or not all(isinstance(text, str) and text for text in stop):
            raise BadInput(f"{self.filename}: stop: expected a list of texts, got {stop!r}")
        if not self._blocks:
            return Prompt((Message("user", whole.strip()),), None, tuple(stop))
        turns = [Message(_role(name), text) for name, text in texts.items() if name != _RAW]
        # A system turn may have something to say for some instructions only; no engine likes an empty one.
        kept = tuple(turn for turn in turns if turn.content or turn.role != "system")
        return Prompt(kept, texts.get(_RAW), tuple(stop))

    def _compile(self, source: str) -> Template:
        try:
            tree = self._environment.parse(source, filename=self.filename)
            for block in tree.find_all(nodes.Block):
                if block.name != _RAW and block.name.partition("_")[0] not in _ROLES:
                    known = "system, user, assistant (or user_1 and so on) or raw"
                    raise BadInput(
                        f"{self.filename}:{block.lineno}: block: expected {known}, got {block.name}"
                    )
                self._blocks.append(block.name)
            self.variables = frozenset(meta.find_undeclared_variables(tree))
            code = self._environment.compile(source, filename=self.filename)
        except TemplateSyntaxError as error:
            raise BadInput(f"{self.filename}:{error.lineno}: {error.message}") from error
        # Of Python, which compiles what Jinja writes.
        except (RecursionError, SyntaxError, MemoryError, ValueError) as error:
            raise BadInput(f"{self.filename}: nested too deep, or not a template: {error}") from error
        return Template.from_code(self._environment, code, {})

    def _check_turns(self) -> None:
        """Chat templates refuse turns that don't alternate, and a last turn that nobody could answer."""
        roles = [_role(name) for name in self._blocks if name != _RAW]
        after_system = roles[1:] if roles[:1] == ["system"] else roles
        expected = ["user", "assistant"] * len(after_system)
        if roles and (after_system != expected[: len(after_system)] or len(after_system) % 2 == 0):
            order = "an optional system turn, then user and assistant in turn with user last"
            raise BadInput(f"{self.filename}: blocks: expected {order}, got {', '.join(roles)}")

    def _bad(self, error: Exception) -> BadInput:
        lines = [
            self._template.get_corresponding_lineno(frame.lineno or 1)
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == self.filename
        ]
        place = f"{self.filename}:{lines[-1]}" if lines else self.filename
        return BadInput(f"{place}: {error or type(error).__name__}")


def _role(block: str) -> Role:
    return _ROLES[block.partition("_")[0]]


def shipped_prompts(role: str) -> list[str]:
    """Names of the templates we ship for `instruction` or `response` agents."""
    return sorted(path.stem for path in (PROMPTS / role).glob("*.j2"))


def prompt_path(role: str, name: str) -> Path:
    """Where a shipped template, or a user's .j2 file, lies. Raises BadInput for an unknown name."""
    if name.endswith(".j2"):
        return Path(os.path.expanduser(name))
    shipped = shipped_prompts(role)
    if name not in shipped:
        raise BadInput(f"expected one of {', '.join(shipped)} or a .j2 file, got {name!r}")
    return PROMPTS / role / f"{name}.j2"


def load_prompt(role: str, name: str) -> PromptTemplate:
    """A shipped template by name, or a user's by the path of a .j2 file. Raises BadInput."""
    template = read_prompt(prompt_path(role, name), AGENT_SAMPLE)
    if template.continues and role != "instruction":
        raise BadInput(f"{template.filename}: continues: expected in prompts of instruction agents only")
    return template


def read_prompt(path: Path, sample: Mapping[str, Any]) -> PromptTemplate:
    """A template from a file. Raises BadInput."""
    return PromptTemplate(read_text(path), str(path), sample)
