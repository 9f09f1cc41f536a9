"""Filters on the finished dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from staragents.config.marks import ONE_OR_MORE, ZERO_OR_MORE, Location, Range


class FilterAction(StrEnum):
    off = "off"
    flag = "flag"
    drop = "drop"


@dataclass
class FiltersConfig:
    """Rows that the finished dataset omits (drop) or marks in its column `flags` (flag). Filters do not
    affect draws and rewards. The seed replaces a dropped candidate if reward.fallback is seed."""

    duplicates: FilterAction = FilterAction.drop
    """A conversation with the same words as an earlier row."""
    near_duplicates: FilterAction = FilterAction.off
    """A conversation almost identical to an earlier row (needs the package datasketch); about 0.4 ms and 7 kB
    per row."""
    similarity: Annotated[float, Range(0.3, 1)] = 0.8
    """near_duplicates: minimum Jaccard similarity of three-word shingles."""
    evaluation: Annotated[list[str], Location(by_fsspec=True)] = field(default_factory=list)
    """Evaluation sets that must not leak into training: files or folders of JSONL, JSON, CSV or Parquet."""
    contamination: FilterAction = FilterAction.drop
    """A turn that shares `ngram` consecutive words with a text of the evaluation sets."""
    ngram: Annotated[int, Range(5)] = 13
    """GPT-3 used 13; 8 finds more contamination but also matches more common phrases."""
    refusal: FilterAction = FilterAction.flag
    """A response that declines or says "as an AI". Such candidates are already rejected; seeds are not."""
    repetition: FilterAction = FilterAction.flag
    """A response that repeats itself in a loop."""
    length: FilterAction = FilterAction.flag
    """A response of fewer than min_words or more than max_words words."""
    min_words: Annotated[int, ZERO_OR_MORE] = 1
    """Minimum length; 1 finds responses without a word."""
    max_words: Annotated[int | None, ONE_OR_MORE] = None
    """Maximum length. Unset: no limit."""
    pii: FilterAction = FilterAction.flag
    """E-mail and IP addresses, telephone, bank account, card and social security numbers, by pattern."""
    secrets: FilterAction = FilterAction.flag
    """Keys and tokens of well-known services, and private keys."""
    blocked: FilterAction = FilterAction.drop
    """A word or phrase from the block list, for toxic text."""
    block_list: Annotated[str | None, Location()] = None
    """A text file with one word or phrase per line. No list is included: you decide what is toxic."""
