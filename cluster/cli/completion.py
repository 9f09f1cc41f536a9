"""`staragents completion`: shell completion of commands, options and paths."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    Add the line for your shell to its startup file, which is named beside it.

    \b
    Examples:
      eval "$(staragents completion bash)"                     ~/.bashrc
      eval "$(staragents completion zsh)"                      ~/.zshrc
      staragents completion fish | source                      ~/.config/fish/config.fish
    """
    script = get_completion_class(shell)
    assert script is not None
    root = context.find_root().command
    click.echo(script(root, {}, "staragents", "_STARAGENTS_COMPLETE").source())
