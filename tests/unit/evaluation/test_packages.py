"""Packages that training needs."""

from __future__ import annotations

import importlib.util

import pytest

from staragents.base.errors import BadInput
from staragents.evaluation.packages import check_packages


def test_a_missing_package_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "peft" else find(name))
    check_packages()
    with pytest.raises(
        BadInput, match=r"^evaluate: expected the package peft: pip install 'staragents\[train\]'$"
    ):
        check_packages(lora=True)
