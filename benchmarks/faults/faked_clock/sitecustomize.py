"""Imported by every Python that starts with this folder in its path, under libfaketime.

Its clock_nanosleep (0.9.10) fails for the absolute times that `time.sleep` asks for since Python 3.11, its
select does not. To be removed when systems have a later libfaketime.
"""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: SupportsIndex | float) -> None:
    select.select([], [], [], float(seconds))


time.sleep = _sleep
