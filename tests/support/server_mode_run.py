"""A whole run against a server mode, and what it shows: a row of benchmarks/servers.md."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from staragents.base.errors import StarAgentsError
from staragents.base.records import Candidate
from staragents.run_directory.run_directory import RunDirectory
from staragents.validation.loading import load_config
from tests.support.local_run import local_handles, local_run
from tests.support.paths import FAKE
from tests.support.peer_server import Peer
from tests.support.server_mode_table import serve
from tests.support.server_modes import Mode

SEEDS = 8
HEADER = (
    "| a server that | requests of the start | then sent with the judge's request "
    "| candidates: written, judged, filtered, failed | the user reads |\n|---|---|---|---|---|\n"
)


@dataclass(slots=True)
class ModeRun:
    name: str
    started: int = 0
    """Requests of the start, of both models."""
    sent: dict[str, Any] = field(default_factory=dict)
    """The judge's last request; empty if none was sent after the start."""
    summary: dict[str, Any] | None = None
    """None if the run failed."""
    candidates: list[Candidate] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """The remarks about both models, or the error."""

    def row(self) -> str:
        # Of the same remark about both models, the words of the first.
        said = {line.partition(" (the server")[0]: line for line in reversed(self.said)}
        cells = (
            self.name,
            str(self.started),
            self._sent() if self.sent else "",
            self._counts() if self.candidates else "",
            "; ".join(reversed(said.values())) or "nothing",
        )
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    def _counts(self) -> str:
        written = [one for one in self.candidates if one.written]
        counts = (
            len(written),
            sum(one.judge_win is not None for one in written),
            sum("content_filter" in (one.reject_reason or "") for one in self.candidates),
            sum(one.failed for one in self.candidates),
        )
        return ", ".join(map(str, counts))

    def _sent(self) -> str:
        """What matters of the request, without the numbers of this run."""
        form = self.sent.get("response_format", {})
        schema = "schema" if "maxLength" in json.dumps(form) else "schema without lengths"
        kinds = {"json_schema": schema, "json_object": "JSON mode"}
        unnamed = ("model", "messages", "response_format", "seed")
        parts = [f"{name}={json.dumps(value)}" for name, value in self.sent.items() if name not in unnamed]
        parts += ["seed"] if "seed" in self.sent else []
        parts.append(kinds.get(form.get("type"), "plain text"))
        has_system = self.sent["messages"][0]["role"] == "system"
        return ", ".join([*parts, *([] if has_system else ["no system turn"])])


async def run_against(peer: Peer, name: str, mode: Mode, folder: str | Path) -> ModeRun:
    """Run a few seeds whose writer and judge are on the server."""
    url = serve(peer, mode)
    settings = [
        f"models.{model}.{setting}"
        for model in ("writer", "judge")
        for setting in ("kind=openai", "model=m", f"base_url={url}")
    ]
    settings += [f'models.writer.{key}="{value}"' for key, value in mode.settings.items()]
    settings += [f"output.dir={folder}", f"seeds.limit={SEEDS}", "memory.enabled=false"]
    # Answers of one sentence have no language.
    settings += ["agents.keep_language=false", "agents.response.direct.stop=[END]"]
    config = load_config(FAKE, settings)
    found, before = ModeRun(name), len(peer.asked)
    try:
        handles = await local_handles(config)
        found.started = len(peer.asked) - before
        found.summary = await local_run(config, handles=handles)
        found.said = [line for handle in handles.values() for line in await handle.remarks()]
    except StarAgentsError as error:
        found.said = [f"error: {error}"]
        found.started = found.started or len(peer.asked) - before
    asked = peer.asked[before + found.started :]
    judged = [body for body in asked if "verdict" in json.dumps(body["messages"]).lower()]
    found.sent = judged[-1] if judged and found.summary else {}
    if found.summary:
        found.candidates = [one for seed in RunDirectory(folder).seeds() for one in seed]
    address = str(peer.server.make_url("/")).rstrip("/")
    found.said = [line.replace(address, "http://host") for line in found.said]
    return found
