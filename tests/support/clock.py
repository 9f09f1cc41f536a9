"""Another date for the templates that read transformers' clock."""

from __future__ import annotations

from datetime import datetime

import pytest
from transformers.utils import chat_template_utils


def set_date(monkeypatch: pytest.MonkeyPatch, year: int, month: int, day: int) -> None:
    """From now on, `strftime_now` of a chat template that is given no other is this day."""

    class Day(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Day:
            return cls(year, month, day)

    monkeypatch.setattr(chat_template_utils, "datetime", Day)
