"""All formats by name."""

from __future__ import annotations

from typing import Any

from staragents.data.formats.alpaca import ALPACA
from staragents.data.formats.dpo import DPO
from staragents.data.formats.format import Format
from staragents.data.formats.kto import KTO
from staragents.data.formats.openai_messages import MESSAGES
from staragents.data.formats.prompt_completion import PROMPT_COMPLETION
from staragents.data.formats.sharegpt import SHAREGPT

FORMATS: dict[str, Format[Any]] = {
    known.name: known for known in (MESSAGES, SHAREGPT, ALPACA, PROMPT_COMPLETION, DPO, KTO)
}
