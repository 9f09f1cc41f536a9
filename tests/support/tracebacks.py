"""The traceback of an error as Ray and Serve report it."""

from __future__ import annotations

import traceback


def traced(error: Exception) -> str:
    """A traceback as in Ray and Serve, with colours and their own text around it."""
    try:
        try:
            raise KeyError("an earlier one")
        except KeyError as earlier:
            raise error from earlier
    except Exception:
        return (
            "The deployment failed to start 1 times in a row. See controller logs for details. Error:\n"
            "\x1b[36mray::ServeReplica:x.initialize_and_get_metadata()\x1b[39m (pid=1, ip=127.0.0.1)\n"
            + traceback.format_exc()
        )
