"""Written and shown text has no secret, whatever its source."""

from __future__ import annotations

import logging
import pickle
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staragents.base.environment import names_secret, secret
from staragents.base.errors import BadInput, EngineError, RunFailed
from staragents.base.redaction import guard_logs, redacted, url_secret
from tests.support.growth import assert_linear

KEY = "planted/secret+value=1"


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key in a variable with a neutral name, read like a config's `api_key_env`."""
    monkeypatch.setenv("STARAGENTS_TEST_PLAIN_NAME", KEY)
    assert secret("STARAGENTS_TEST_PLAIN_NAME") == KEY
    return KEY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:password@host:8000/v1", "http://***@host:8000/v1"),
        ("http://token@host/v1", "http://***@host/v1"),
        ("https:/user:password@host/run", "https:/***@host/run"),
        ("filecache::s3://AKIA:ab/cd+ef@bucket/rows.jsonl", "filecache::s3://***@bucket/rows.jsonl"),
        (
            "simplecache::https://u:p@one/x and ftp://u:p@two",
            "simplecache::https://***@one/x and ftp://***@two",
        ),
        ("https://host:8080/@scope/file?v=1", "https://host:8080/@scope/file?v=1"),
        (
            "abfs://container@account.dfs.core.windows.net/a",
            "abfs://container@account.dfs.core.windows.net/a",
        ),
        ("sftp://me@host/a and sftp://me:pw@host/a", "sftp://me@host/a and sftp://***@host/a"),
        ("https://h/x?version=3&token=abc&page=2", "https://h/x?version=3&token=***&page=2"),
        ("https://h/x?X-Amz-Signature=abc&X-Amz-Date=1", "https://h/x?X-Amz-Signature=***&X-Amz-Date=1"),
        ("https://h/x?sv=2022&sig=a%2Fb%3D", "https://h/x?sv=2022&sig=***"),
        ("headers: {'Authorization': 'Bearer abcdefgh1234'}", "headers: {'Authorization': 'Bearer ***'}"),
        ("Basic dXNlcjpwYXNz is refused", "Basic *** is refused"),
        ("Incorrect API key provided: sk-proj-" + "a1" * 20, "Incorrect API key provided: ***"),
        (
            "expected 1,000 max_tokens=5 of user@example.org",
            "expected 1,000 max_tokens=5 of user@example.org",
        ),
    ],
)
def test_only_text_in_the_form_of_a_secret_is_masked(text: str, expected: str) -> None:
    assert redacted(text) == expected
    assert redacted(expected) == expected


def test_a_key_that_was_read_is_masked_in_every_form(planted: str) -> None:
    said = f"got {planted}, ?q={quote(planted, safe='')}, {planted!r}"
    assert redacted(said) == "got ***, ?q=***, '***'"


def test_variables_with_secret_names_are_masked_without_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSSPEC_S3_SECRET", "fsspec-password")
    monkeypatch.setenv("RAY_AUTH_MODE", "tokens-are-on")
    monkeypatch.setenv("PWD", "/home/me/work")
    assert redacted("fsspec-password, tokens-are-on, /home/me/work") == "***, tokens-are-on, /home/me/work"


def test_rays_token_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    assert redacted(f"0123456789abcdef in {tmp_path / 'token'}") == f"*** in {tmp_path / 'token'}"


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "api_key",
        "AWS_SECRET_ACCESS_KEY",
        "X-Amz-Credential",
        "secretKey",
        "DB_PASSWORD",
        "sig",
        "PAT",
    ],
)
def test_names_of_secrets_are_recognised(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    ["max_tokens", "tokenizer", "RAY_AUTH_TOKEN_PATH", "api_key_env", "PATH", "HOME", "_", ""],
)
def test_names_of_other_things_are_not_taken_for_secrets(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize("kind", [BadInput, RunFailed, EngineError])
def test_an_error_is_redacted_when_it_is_created(kind: type[Exception], planted: str) -> None:
    error = kind(f"the server said {planted}")
    assert str(error) == str(pickle.loads(pickle.dumps(error))) == "the server said ***"
    assert planted not in repr(error)


def test_log_records_are_redacted_with_their_arguments_and_tracebacks(planted: str) -> None:
    factory, stream = logging.getLogRecordFactory(), StringIO()
    logger, handler = logging.getLogger("somebody.else"), logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        guard_logs()
        guard_logs()
        logger.warning("connecting to %s", {"key": planted})
        try:
            raise ValueError(planted)
        except ValueError:
            logger.exception("it failed")
    finally:
        logging.setLogRecordFactory(factory)
        logger.removeHandler(handler)
    assert planted not in stream.getvalue()
    assert "{'key': '***'}" in stream.getvalue()
    assert "ValueError: ***" in stream.getvalue()


@given(st.lists(st.sampled_from([*"ab1:/@?=&#*. \n", " s3://a:b@"])).map("".join))
def test_no_url_with_a_password_survives(text: str) -> None:
    assert url_secret(redacted(f"http://{text}")) is None


@pytest.mark.parametrize(("start", "unit"), [("", "://a:"), ("", "a."), ("", "?a="), ("x://", "a:")])
def test_long_texts_take_linear_time(start: str, unit: str) -> None:
    assert_linear(lambda size: redacted(start + unit * size), 50_000 // len(unit))
