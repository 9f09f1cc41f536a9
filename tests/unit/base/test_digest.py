"""The checksum by which saved work is recognised: the one of every earlier version."""

from __future__ import annotations

from dataclasses import dataclass

from staragents.base.digest import digest_of


@dataclass
class Facts:
    name: str
    number: float


def test_a_digest_is_that_of_the_json_text() -> None:
    known = "b4b56a2c275ed910c68ad9be7d8eed4073cbd40de39d982cbddd43d4884fe41a"
    assert digest_of(["é", 0.1, {"b": 1, "a": None}]) == known


def test_a_dataclass_counts_as_its_fields() -> None:
    assert digest_of([Facts("a", 0.5)]) == digest_of([{"name": "a", "number": 0.5}])
