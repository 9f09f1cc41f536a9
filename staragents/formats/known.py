"""All formats by name."""

from __future__ import annotations

from typing import Any

from staragents.formats.alpaca import ALPACA
from staragents.formats.dpo import DPO
from staragents.formats.format import Format
from staragents.formats.kto import KTO
from staragents.formats.openai_messages import MESSAGES
from staragents.formats.prompt_completion import PROMPT_COMPLETION
from staragents.formats.sharegpt import SHAREGPT

FORMATS: dict[str, Format[Any]] = {
    known.name: known for known in (MESSAGES, SHAREGPT, ALPACA, PROMPT_COMPLETION, DPO, KTO)
}
