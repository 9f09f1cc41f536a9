"""A run against each kind of server: what its start found, what was sent then, what the user read.

    python benchmarks/servers.py > benchmarks/servers.md

The servers are fake (tests/support/server_mode_table.py): each refuses something in the words of a real one.
Rows of servers that fail only at times depend on the order of requests; a test compares all others. The exit
code is 1 if a candidate failed.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from actors import generator_client
from actors.engines import openai_engine
from tests.support.peer_server import Peer
from tests.support.server_failures import FAILURES
from tests.support.server_mode_run import HEADER, SEEDS, run_against
from tests.support.server_mode_table import MODES
from tests.support.server_modes import Mode

ABOUT = f"""# A run against each kind of server

Printed by `python benchmarks/servers.py`: a run of {SEEDS} seeds whose writer and judge are on a fake server
that refuses something in the words of a real one. docs/servers.md says what each line means.
"""
OF_FAILURES = """
Servers that do not answer, or not always. Where a run fails, the error is all that the user reads.
"""


async def measured() -> int:
    """Print the tables; returns how many candidates failed at servers that take some form of each request."""
    peer = Peer()
    await peer.server.start_server()
    print(f"{ABOUT}\n{HEADER}", end="")
    failed = await rows(peer, MODES)
    print(f"{OF_FAILURES}\n{HEADER}", end="")
    await rows(peer, {name: make() for name, make in FAILURES.items()})
    await peer.server.close()
    return failed


async def rows(peer: Peer, modes: dict[str, Mode]) -> int:
    failed = 0
    for name, mode in modes.items():
        with tempfile.TemporaryDirectory() as folder:
            found = await run_against(peer, name, mode, f"{folder}/run")
        print(found.row(), flush=True)
        failed += sum(one.failed for one in found.candidates)
    return failed


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    openai_engine.PROBE_PAUSE_S = 0.0
    generator_client.backoff = lambda request_id, attempt: 0.0
    sys.exit(int(asyncio.run(measured()) > 0))
