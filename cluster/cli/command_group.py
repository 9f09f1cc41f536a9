"""A lazy click group: imports a command only when it is used, as importing all takes seconds."""

from __future__ import annotations

from importlib import import_module

import click
from click.shell_completion import CompletionItem

from staragents.base.errors import BadInput

COMMANDS = {
    "init": "Write a commented config, FILE, from a few questions.",
    "run": "Rewrite, score, judge and choose: from seeds to a dataset.",
    "preview": "Run the first seeds, and predict the cost of all.",
    "validate": "Check config and seeds and show what a run would do.",
    "doctor": "Check the machine and the needs of a config.",
    "plan": "Will it fit, how long will it take, what will it cost?",
    "status": "Show the progress of a run, from any shell or node.",
    "scale": "Resize a pool of a run in progress.",
    "change": "Change a run in progress: more agents, models or budget.",
    "repair": "Keep the intact parts of a damaged run, redo the rest.",
    "score": "IFD of any dataset: how hard is each answer to predict?",
    "report": "Rewrite report.html of a finished or stopped run.",
    "diagnose": "Find weaknesses of a run, and the settings to change.",
    "explain": "Explain the result of one seed.",
    "export": "Write the dataset of a run in a trainer's format.",
    "compare": "Does it help? Compare variants of a config on the same seeds.",
    "evaluate": "Are the data better? Train a student and find out.",
    "replay": "Reward of policies on recorded agents or on finished runs.",
    "memory": "Show what a run remembers, by pair; also while it is running.",
    "completion": "Print the completion script for a shell.",
}
"""In the order of `--help`, with the first sentence of their own help, which a test compares; `cluster.cli.X`
defines command X."""


class _Listed(click.Group):
    """The commands as `--help` lists them, without importing them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command:
        return click.Command(name, help=COMMANDS[name])


class CommandGroup(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"cluster.cli.{name}"), name)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        _Listed().format_commands(context, formatter)

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
            from staragents.validation.message_parts import nearest

            near = nearest(name, COMMANDS)
            instead = f", did you mean {near}?" if near else f"; expected one of {', '.join(COMMANDS)}"
            raise BadInput(f"no command {name!r}{instead}")
        return super().resolve_command(context, arguments)
