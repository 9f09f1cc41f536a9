"""What a server said, in lines for users."""

from __future__ import annotations

import logging

from actors.engines.http_client import HttpClient
from staragents.base.redaction import redacted
from staragents.text.printable import printable

logger = logging.getLogger(__name__)

LONGEST_LINE = 300
LONGEST_REASON = 160


class ServerWords:
    """Makes untrusted texts of one server printable and short, without the key, which some servers echo."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._noted: dict[str, str] = {}

    @property
    def noted(self) -> list[str]:
        """The lines that `note` was given, each once."""
        return list(self._noted.values())

    def line(self, text: str) -> str:
        """One line that names the server."""
        return f"{self._client.address}: {self.short(text, LONGEST_LINE)}"

    def short(self, text: str, longest: int = LONGEST_REASON) -> str:
        """At most `longest` characters."""
        return printable(" ".join(redacted(self._client.redact(text)).split()))[:longest]

    def note(self, text: str, detail: str = "") -> None:
        """Log `text` once, with the first `detail`, which may differ each time."""
        if text not in self._noted:
            self._noted[text] = line = self.short(text + detail, LONGEST_LINE)
            logger.warning("%s %s", self._client.address, line)
