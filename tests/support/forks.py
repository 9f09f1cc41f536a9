"""Runs work in a forked process, which may kill itself."""

from __future__ import annotations

import gc
import os
import pickle
import traceback
from collections.abc import Callable
from typing import Any


def in_a_fork(work: Callable[[], Any]) -> tuple[int, Any]:
    """The exit status (a signal as a negative number) and what the work returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        gc.freeze()  # or its collector would copy the pages of all objects
        os.close(reading)
        code = 1
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(work(), pipe)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status), pickle.loads(data) if data else None
