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
    with pytest.raises(BadInput) as error:
        check_packages(lora=True)
    command = "pip install -c constraints.txt -e '.[train]', in the checkout"
    assert str(error.value) == f"evaluate: expected the package peft: {command}"
