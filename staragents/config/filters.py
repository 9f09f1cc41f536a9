"""Which chosen candidates are left out of the dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class FilterAction(StrEnum):
    off = "off"
    flag = "flag"
    drop = "drop"


@dataclass
class FiltersConfig:
    """What the finished dataset leaves out (drop) or marks in its column `flags` (flag). Draws and rewards
    stay as they are. Where a candidate is dropped, its seed takes its place if reward.fallback is seed."""

    duplicates: FilterAction = FilterAction.drop
    """A conversation with the same words as an earlier row."""
    near_duplicates: FilterAction = FilterAction.off
    """One that is almost the same (needs the package datasketch); about 0.4 ms and 7 kB a row."""
    similarity: float = 0.8
    """near_duplicates: Jaccard similarity of three-word shingles from which rows are almost the same."""
    evaluation: list[str] = field(default_factory=list)
    """Evaluation sets that must not be trained on: files or folders of JSONL, JSON, CSV or Parquet."""
    contamination: FilterAction = FilterAction.drop
    """A turn that has `ngram` words in a row in common with a text of the evaluation sets."""
    ngram: int = 13
    """13 is GPT-3's; 8 finds more and hits more common phrases."""
    refusal: FilterAction = FilterAction.flag
    """A response that declines, or says "as an AI". Candidates like that are rejected before; seeds not."""
    repetition: FilterAction = FilterAction.flag
    """A response that loops."""
    length: FilterAction = FilterAction.flag
    """A response of fewer than min_words or more than max_words words."""
    min_words: int = 1
    """1 finds responses without a word."""
    max_words: int | None = None
    """Unset: no limit."""
    pii: FilterAction = FilterAction.flag
    """E-mail and IP addresses, telephone, bank account, card and social security numbers, by their form."""
    secrets: FilterAction = FilterAction.flag
    """Keys and tokens of well-known services, private keys."""
    blocked: FilterAction = FilterAction.drop
    """A word or phrase of the block list, for toxic text."""
    block_list: str | None = None
    """A text file with one word or phrase a line. None is shipped: what is toxic is yours to say."""
