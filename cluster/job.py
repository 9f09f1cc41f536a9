"""The command line: `staragents ...`, or `python -m cluster.job ...` for `ray job submit`."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback

import click

import staragents
from actors import lean_imports
from actors.logs import PACKAGES, LogHandler
from cluster.cli.command_group import CommandGroup
from cluster.terminal.stop_signals import stop_on_signals
from cluster.terminal.terminal import say
from staragents.base import environment
from staragents.base.errors import INTERRUPTED, BadInput, StarAgentsError
from staragents.base.one_root import check_one_root
from staragents.base.redaction import guard_logs, redacted
from staragents.files.standard_streams import flush_all, secure_standard_streams

LONGEST_REASON = 500


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(staragents.__version__, prog_name="staragents")
@click.option("-v", "--verbose", is_flag=True, help="Log what this command and its actors do.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors. Permanently: STARAGENTS_DEBUG=1.")
def cli(verbose: bool, debug: bool) -> None:
    """Turn an instruction-tuning dataset into a better one.

    \b
    Start here:
      staragents validate configs/demo.yaml     check config and seeds, load no model
      staragents preview configs/demo.yaml      run three seeds through the pipeline
      staragents run configs/demo.yaml          the whole run; run it again to resume

    Exit codes: 0 success, 1 failed, 2 bad input, 130 interrupted.
    """
    if debug:
        environment.set_debug()
    guard_logs()
    if verbose:
        environment.set_verbose()
    verbose = environment.verbose()
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[LogHandler()])
    if verbose:
        for ours in PACKAGES:
            logging.getLogger(ours).setLevel(logging.DEBUG)
    for noisy in ("httpx", "httpx2", "ray", "sentence_transformers"):
        logging.getLogger(noisy).setLevel(logging.INFO if verbose else logging.ERROR)


def main() -> None:
    """Entry point: known errors go to standard error, one line per problem, without a traceback."""
    lean_imports.install()
    secure_standard_streams()
    stop_on_signals()
    try:
        check_one_root()
        code = cli.main(standalone_mode=False)
        flush_all()
        sys.exit(code if isinstance(code, int) else 0)
    except click.UsageError as error:
        say(f"error: {redacted(error.format_message())}", err=True)
        if error.ctx is not None:
            say(f"see {error.ctx.command_path} --help", err=True)
        sys.exit(2)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except StarAgentsError as error:
        if environment.debug():
            say(redacted(traceback.format_exc()), err=True)
        for line in str(error).split("\n"):
            say(f"error: {line}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if environment.debug():
            say(redacted(traceback.format_exc()), err=True)
        reason = redacted(" ".join(str(error).split()))[:LONGEST_REASON]
        if isinstance(error, ValueError) and (variable := _variable_in(reason)):
            say(f"error: {variable}: {reason}", err=True)
            sys.exit(BadInput.exit_code)
        say(f"error: unexpected {type(error).__name__}: {reason}", err=True)
        click.echo("this should not happen: please report it with what --debug shows", err=True)
        sys.exit(1)


def _variable_in(reason: str) -> str | None:
    """The environment variable that an error is about: Ray reads some of its own while it is imported."""
    found = re.search(r"(?i)environment variable\W{1,3}(\w+)", reason)
    return found[1] if found and found[1] in os.environ else None


if __name__ == "__main__":
    main()
