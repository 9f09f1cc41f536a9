"""Imported by every Python process with this folder on its path, under libfaketime.

libfaketime's clock_nanosleep (0.9.10) fails for the absolute times that `time.sleep` uses since Python 3.11;
its select works. Remove this when systems have a newer libfaketime.
"""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: SupportsIndex | float) -> None:
    select.select([], [], [], float(seconds))


time.sleep = _sleep
