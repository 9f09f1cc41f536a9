"""Proxies and certificates that no request could work with, named before Ray starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.validation.loading import load_config
from staragents.validation.network_checks import CERTIFICATES, PROXIES, network_problems
from tests.support.paths import FAKE


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *CERTIFICATES):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "HTTPS_PROXY",
            "socks4://127.0.0.1:9",
            "HTTPS_PROXY: expected the address of a proxy such as http://",
        ),
        ("http_proxy", "http://[::1", "http_proxy: expected the address of a proxy such as http://"),
        (
            "SSL_CERT_FILE",
            "/nonexistent.pem",
            "SSL_CERT_FILE: expected a file of certificates, got /nonexist",
        ),
        ("SSL_CERT_FILE", __file__, f"SSL_CERT_FILE: expected a file of certificates, got {__file__}: "),
    ],
)
def test_a_variable_that_can_not_work_is_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    (line,) = network_problems()
    assert line.startswith(expected)


def test_a_socks_proxy_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        import socksio  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("socksio is installed")
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hidden-word@127.0.0.1:9")
    (line,) = network_problems()
    assert line.startswith(
        "ALL_PROXY: expected the proxy's http address, or the package socksio for socks5://"
    )
    assert "hidden-word" not in line


@pytest.mark.parametrize("value", ["http://10.0.0.5:3128", "10.0.0.5:3128", "https://proxy.local", " "])
def test_a_usable_proxy_is_no_problem(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    assert list(network_problems()) == []


def test_only_a_config_with_a_server_elsewhere_needs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    load_config(FAKE)
    server = ["models.writer.kind=openai", "models.writer.model=m"]
    for host in ("127.0.0.1", "localhost", "app.localhost", "[::1]"):
        load_config(FAKE, [*server, f"models.writer.base_url=http://{host}:8000/v1"])
    download = ["models.writer.kind=vllm", "models.writer.num_cpus=1", "models.writer.model=org/a-model"]
    for settings in ([*server, "models.writer.base_url=https://api.example.com/v1"], download):
        with pytest.raises(BadInput, match="SSL_CERT_FILE: expected a file of certificates"):
            load_config(FAKE, settings)
    (tmp_path / "config.json").write_text("{}")
    load_config(FAKE, [*download[:2], f"models.writer.model={tmp_path}"])
