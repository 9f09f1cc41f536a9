"""A lazy click group: imports a command only when it is used, as importing all takes seconds."""

from __future__ import annotations

from importlib import import_module

import click
from click.shell_completion import CompletionItem

from staragents.base.errors import BadInput
from staragents.validation.merging import nearest

COMMANDS = (
    "init", "run", "preview", "validate", "doctor", "plan", "status", "scale", "change", "repair", "score",
    "report", "diagnose", "explain", "export", "compare", "replay", "memory", "completion",
)  # fmt: skip
"""In the order of `--help`; `cluster.cli.X` defines command X."""


class CommandGroup(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"cluster.cli.{name}"), name)
        return command

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names only: their help texts would require importing all commands while the user waits."""
        names = [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, context, incomplete)

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises BadInput with the most similar command."""
        name = arguments[0] if arguments else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            near = nearest(name, COMMANDS)
            instead = f", did you mean {near}?" if near else f"; expected one of {', '.join(COMMANDS)}"
            raise BadInput(f"no command {name!r}{instead}")
        return super().resolve_command(context, arguments)
