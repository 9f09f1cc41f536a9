"""What each command may import: a command that needs no Ray, torch or plotly does not wait for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli.command_group import COMMANDS, CommandGroup
from cluster.job import cli
from tests.support.paths import FAKE, ROOT

HEAVY = (
    "ray", "torch", "vllm", "transformers", "sentence_transformers", "qdrant_client", "plotly", "sklearn",
    "scipy", "datasets", "pandas",
)  # fmt: skip
REPORT = 'print("imported:", *sorted(name for name in {heavy} if name in sys.modules))'
RUN, OUT = "RUN", "OUT"
MAY_IMPORT: dict[tuple[str, ...], tuple[str, ...]] = {
    ("--help",): (),
    **{(name, "--help"): () for name in COMMANDS if name != "memory"},
    ("memory", "--help"): ("qdrant_client",),
    ("validate", str(FAKE)): (),
    ("plan", str(FAKE)): (),
    ("status", RUN): (),
    ("explain", RUN, "1"): (),
    ("export", RUN, "--format", "alpaca", "--output", OUT): (),
    ("repair", RUN): (),
    ("report", RUN): ("plotly",),
    ("diagnose", RUN): ("plotly", "scipy", "sklearn"),
    ("memory", RUN): ("qdrant_client",),
}
"""By command line; RUN is a finished run, OUT a new file."""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", MAY_IMPORT, ids=lambda arguments: " ".join(arguments[:2]))
def test_a_command_imports_no_more_than_it_needs(
    arguments: tuple[str, ...], finished_run: Path, tmp_path: Path
) -> None:
    places = {RUN: str(finished_run), OUT: str(tmp_path / "out.jsonl")}
    argv = ["staragents", *(places.get(argument, argument) for argument in arguments)]
    code = "\n".join(
        (
            "import sys",
            f"sys.argv = {argv!r}",
            "from cluster.job import main",
            "try:",
            "    main()",
            "finally:",
            f"    {REPORT.format(heavy=HEAVY)}",
        )
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("imported:")]
    assert set(line.split()[1:]) <= set(MAY_IMPORT[arguments]), done.stderr


def test_the_listed_commands_say_what_their_own_help_says() -> None:
    """The list is written down so that `--help` need not import every command."""
    assert isinstance(cli, CommandGroup)
    for name, summary in COMMANDS.items():
        command = cli.get_command(cli.make_context("staragents", ["--help"], resilient_parsing=True), name)
        assert command is not None
        assert command.get_short_help_str(limit=200) == summary
