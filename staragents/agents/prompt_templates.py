"""Prompt templates: Jinja2 text with one block per turn, rendered in a sandbox.

A block's name begins with the role of its turn: `system`, `user`, `assistant`, and `user_1`, `assistant_1`
and so on for example turns, in order. A block `raw` is a single text for a base model to continue. Without
blocks the whole text is the user turn. `{% set stop = ["..."] %}` sets stop strings. Seeds and model outputs
are passed as variables and are never parsed as template text.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta, nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from staragents.base.errors import BadInput
from staragents.base.messages import Conversation, Message, Role
from staragents.files.user_files import read_text

PROMPTS = Path(__file__).parent / "prompts"
AGENT_SAMPLE = {"instruction": "Name a colour.", "history": "User: Hello.\nAssistant: Hello."}
"""The variables of an agent's template: the instruction and the earlier turns as text (may be empty)."""

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
_RAW = "raw"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered template. `turns` is empty if there is only a raw text; `raw` is None if there are only
    turns."""

    turns: Conversation
    raw: str | None
    stop: tuple[str, ...]


class PromptTemplate:
    """A template that is checked on construction: syntax, block names, order of turns, unknown variables."""

    def __init__(self, source: str, filename: str, sample: Mapping[str, Any]) -> None:
        """`sample` has a value for every variable that the template may use.

        Raises BadInput with file and line.
        """
        self.filename = filename
        self._environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined, autoescape=False, trim_blocks=True
        )
        self._blocks: list[str] = []
        self._constant: dict[str, str] = {}
        """Texts of the blocks without variables, such as example turns."""
        self._top_shows_blocks = False
        """Whether text outside the blocks uses their texts (`self.user()`)."""
        self.variables: frozenset[str] = frozenset()
        """The variables that the template uses."""
        self._template = self._compile(source)
        self.continues = False
        """Whether the template sets `continues`: its instruction extends the conversation and replaces
        nothing."""
        empty = {name: "" if isinstance(value, str) else value for name, value in sample.items()}
        for values in (sample, empty):
            self.render(**values)
        self._check_turns()

    def __repr__(self) -> str:
        return f"PromptTemplate({self.filename!r})"

    @property
    def has_raw(self) -> bool:
        return _RAW in self._blocks

    @property
    def has_turns(self) -> bool:
        """Whether a chat model reads turns, not the raw text."""
        return self._blocks != [_RAW]

    def render(self, **variables: Any) -> Prompt:
        """Render the template. Raises BadInput with file and line."""
        return self._rendered(self._blocks, variables)

    def render_for(self, chat: bool, **variables: Any) -> Prompt:
        """Render what a model reads: the turns if it is a chat model and there are any, else the raw text."""
        blocks = self._blocks
        if self.has_raw and len(blocks) > 1:
            blocks = [name for name in blocks if (name != _RAW) is chat]
        return self._rendered(blocks, variables)

    def _rendered(self, blocks: Sequence[str], variables: dict[str, Any]) -> Prompt:
        context = self._template.new_context(variables)
        try:
            # Render the top level first: it sets `stop` and other variables that blocks share.
            whole = self._top_level(context)
            texts = {name: self._text(name, context) for name in blocks}
            exported = context.get_exported()
            stop = exported.get("stop", ())
            self.continues = exported.get("continues", False) is True
        except Exception as error:  # A user's template can raise anything.
            raise self._bad(error) from error
        if not isinstance(stop, list | tuple) or not all(isinstance(text, str) and text for text in stop):
            raise BadInput(f"{self.filename}: stop: expected a list of strings, got {stop!r}")
        if not self._blocks:
            return Prompt((Message("user", whole.strip()),), None, tuple(stop))
        turns = [Message(_role(name), text) for name, text in texts.items() if name != _RAW]
        # A system turn may be empty for some instructions, but engines reject empty turns.
        kept = tuple(turn for turn in turns if turn.content or turn.role != "system")
        return Prompt(kept, texts.get(_RAW), tuple(stop))

    def _top_level(self, context: Context) -> str:
        """Renders all text outside the blocks; with them in their places only if it uses them."""
        shown = context.blocks
        if not self._top_shows_blocks:
            context.blocks = {name: [_nothing] for name in shown}
        text = "".join(self._template.root_render_func(context))
        context.blocks = shown
        return text

    def _text(self, block: str, context: Context) -> str:
        known = self._constant.get(block)
        return "".join(self._template.blocks[block](context)).strip() if known is None else known

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
                if (text := _constant_text(block)) is not None:
                    self._constant[block.name] = text.strip()
            self._top_shows_blocks = any(
                name.name == "self"
                for node in tree.body
                if not isinstance(node, nodes.Block)
                for name in node.find_all(nodes.Name)
            )
            self.variables = frozenset(meta.find_undeclared_variables(tree))
            code = self._environment.compile(source, filename=self.filename)
        except TemplateSyntaxError as error:
            raise BadInput(f"{self.filename}:{error.lineno}: {error.message}") from error
        # From Python, which compiles the code that Jinja generates.
        except (RecursionError, SyntaxError, MemoryError, ValueError) as error:
            raise BadInput(f"{self.filename}: nested too deeply, or not a template: {error}") from error
        return Template.from_code(self._environment, code, {})

    def _check_turns(self) -> None:
        """Chat templates reject turns that don't alternate and a last turn that is not the user's."""
        roles = [_role(name) for name in self._blocks if name != _RAW]
        after_system = roles[1:] if roles[:1] == ["system"] else roles
        expected = ["user", "assistant"] * len(after_system)
        if roles and (after_system != expected[: len(after_system)] or len(after_system) % 2 == 0):
            order = "an optional system turn, then alternating user and assistant turns ending with user"
            raise BadInput(f"{self.filename}: blocks: expected {order}, got {', '.join(roles)}")

    def _bad(self, error: Exception) -> BadInput:
        lines = [
            self._template.get_corresponding_lineno(frame.lineno or 1)
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == self.filename
        ]
        location = f"{self.filename}:{lines[-1]}" if lines else self.filename
        return BadInput(f"{location}: {error or type(error).__name__}")


def _constant_text(block: nodes.Block) -> str | None:
    """The text of a block that is the same for all variables, else None."""
    parts = [
        part for node in block.body for part in (node.nodes if isinstance(node, nodes.Output) else [node])
    ]
    if all(isinstance(part, nodes.TemplateData) for part in parts):
        return "".join(part.data for part in parts if isinstance(part, nodes.TemplateData))
    return None


def _nothing(context: Context) -> Iterator[str]:
    return iter(())


def _role(block: str) -> Role:
    return _ROLES[block.partition("_")[0]]


def shipped_prompts(role: str) -> list[str]:
    """Names of the built-in templates for `instruction` or `response` agents."""
    return sorted(path.stem for path in (PROMPTS / role).glob("*.j2"))


def prompt_path(role: str, name: str) -> Path:
    """The path of a built-in template or a user's .j2 file. Raises BadInput for an unknown name."""
    if name.endswith(".j2"):
        return Path(os.path.expanduser(name))
    shipped = shipped_prompts(role)
    if name not in shipped:
        raise BadInput(f"expected one of {', '.join(shipped)} or a .j2 file, got {name!r}")
    return PROMPTS / role / f"{name}.j2"


def load_prompt(role: str, name: str) -> PromptTemplate:
    """Load a built-in template by name or a user's .j2 file by path. Raises BadInput."""
    path = prompt_path(role, name)
    template = read_prompt(path, AGENT_SAMPLE) if name.endswith(".j2") else _shipped(path)
    if template.continues and role != "instruction":
        raise BadInput(f"{template.filename}: continues: expected only in prompts of instruction agents")
    return template


@cache
def _shipped(path: Path) -> PromptTemplate:
    """Compiled once: a run reads each of its prompts three times, for 10 ms each."""
    return read_prompt(path, AGENT_SAMPLE)


def read_prompt(path: Path, sample: Mapping[str, Any]) -> PromptTemplate:
    """Read a template from a file. Raises BadInput."""
    return PromptTemplate(read_text(path), str(path), sample)
