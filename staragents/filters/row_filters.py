"""Applies all filters of a config to a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from staragents.base.messages import Conversation
from staragents.config import FilterAction, FiltersConfig
from staragents.filters.block_list import BlockList
from staragents.filters.contamination import Contamination
from staragents.filters.duplicates import ExactDuplicates
from staragents.filters.near_duplicates import NearDuplicates
from staragents.filters.personal_data import personal_data
from staragents.filters.secrets import secrets
from staragents.filters.text import odd_length, refusal, repetition

Check = Callable[[Conversation], str | None]
"""The problem of a conversation, in a few words that repeat nothing private, or None."""


@dataclass(slots=True)
class Finding:
    """The filters' result for one text. `dropped_by` is the first filter that drops it."""

    flags: list[str] = field(default_factory=list)
    dropped_by: str | None = None
    detail: str | None = None


class RowFilters:
    """The same rows in the same order give the same findings.

    Keeps only a digest of every kept row for duplicates, and a signature for near duplicates.
    """

    def __init__(self, settings: FiltersConfig) -> None:
        """Reads the evaluation sets and the block list. Raises BadInput if that fails."""
        self.filtered: Counter[str] = Counter()
        self.flagged: Counter[str] = Counter()
        self._checks: list[tuple[str, FilterAction, Check]] = []
        self._seen: list[ExactDuplicates | NearDuplicates] = []
        # Cheap filters first; those that compare with earlier rows last.
        self._use("length", settings.length, lambda m: odd_length(m, settings.min_words, settings.max_words))
        self._use("refusal", settings.refusal, refusal)
        self._use("secrets", settings.secrets, secrets)
        self._use("pii", settings.pii, personal_data)
        if settings.block_list:
            self._use("blocked", settings.blocked, BlockList(settings.block_list))
        if settings.evaluation:
            self._use(
                "contamination", settings.contamination, Contamination(settings.evaluation, settings.ngram)
            )
        self._use("repetition", settings.repetition, repetition)
        if settings.duplicates is not FilterAction.off:
            self._use("duplicate", settings.duplicates, self._tracked(ExactDuplicates()))
        if settings.near_duplicates is not FilterAction.off:
            self._use(
                "near_duplicate",
                settings.near_duplicates,
                self._tracked(NearDuplicates(settings.similarity)),
            )

    @classmethod
    def of_text(cls, settings: FiltersConfig) -> RowFilters:
        """Without the filters that compare with earlier rows."""
        off = FilterAction.off
        return cls(replace(settings, duplicates=off, near_duplicates=off))

    def look(self, messages: Conversation) -> Finding:
        """Check a text and count the result: the dropping filter, or all flagging filters if it is kept."""
        finding = Finding()
        for name, action, check in self._checks:
            detail = check(messages)
            if detail is None:
                continue
            if action is FilterAction.drop:
                finding.dropped_by, finding.detail = name, detail
                self.filtered[name] += 1
                return finding
            finding.flags.append(name)
        self.flagged.update(finding.flags)
        for seen in self._seen:
            seen.keep()
        return finding

    def _use(self, name: str, action: FilterAction, check: Check) -> None:
        if action is not FilterAction.off:
            self._checks.append((name, action, check))

    def _tracked(self, seen: ExactDuplicates | NearDuplicates) -> Check:
        self._seen.append(seen)
        return seen.find
