"""What is known of a server, and how it is told."""

from __future__ import annotations

from actors.engines.capabilities import FORMS, PLAINEST, Capabilities
from tests.support.paths import ROOT


def test_every_remark_is_in_the_documentation() -> None:
    page = (ROOT / "docs/servers.md").read_text(encoding="utf-8")
    remarks = {line for name, forms in FORMS.items() if name != "thinking" for line in forms if line}
    assert [line for line in remarks if line not in page] == []


def test_a_server_that_takes_everything_needs_no_remark() -> None:
    assert Capabilities().remarks({}) == []
    assert Capabilities(least_tokens=16, thinks=True).remarks({}) == []


def test_a_remark_has_the_servers_words() -> None:
    found = Capabilities(seed=1, most_logprobs=5)
    said = found.remarks({"seed": "no seeds", "logprobs": "at most 5"})
    assert said == [
        "no seed is sent: a repeated run gets other texts (the server: no seeds)",
        "top_logprobs is at most 5 (the server: at most 5)",
    ]


def test_what_two_requests_learnt_is_joined() -> None:
    one, other = (
        Capabilities(seed=1, most_logprobs=8, least_tokens=16),
        Capabilities(top_p=2, most_logprobs=5),
    )
    joined = one.joined(other)
    assert joined == other.joined(one)
    assert joined == Capabilities(seed=1, top_p=2, most_logprobs=5, least_tokens=16)
    assert PLAINEST.joined(one).seed == PLAINEST.seed
