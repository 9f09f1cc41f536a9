"""A config holds no secret, and no message about one repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from staragents.base.errors import BadInput
from staragents.validation.loading import from_yaml, load_config, to_yaml, without_secrets
from tests.support.paths import FAKE

SECRET = "planted-password-1"
HOSTED = ("models.judge.kind=openai", "models.judge.model=m", "models.judge.base_url=http://127.0.0.1:8000")


def problems(*overrides: str) -> str:
    with pytest.raises(BadInput) as error:
        load_config(FAKE, overrides)
    return str(error.value)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (
            f"models.judge.base_url=http://user:{SECRET}@host/v1",
            "models.judge.base_url: expected a URL without a user or password; it belongs in the "
            "environment variable that api_key_env names",
        ),
        (
            f"models.judge.base_url=http://host/v1?api_key={SECRET}",
            "models.judge.base_url: expected a URL without the parameter api_key; it belongs in",
        ),
        (
            f"memory.url=https://{SECRET}@host:6333",
            "memory.url: expected a URL without a user or password; it belongs in the environment variable "
            "that memory.api_key_env names",
        ),
        (
            f"seeds.path=s3://key:{SECRET}@bucket/x.jsonl",
            "seeds.path: expected a URL without a user or password; it belongs in fsspec's own",
        ),
        (f"seeds.path=s3://AKIA:ab/{SECRET}@bucket/x.jsonl", "seeds.path: expected a URL without"),
        (
            f"seeds.path=filecache::https://u:{SECRET}@h/x.jsonl",
            "seeds.path: expected a URL without a user or",
        ),
        (
            f"seeds.path=https://h/x.jsonl?token={SECRET}",
            "seeds.path: expected a URL without the para",
        ),
        (
            f"filters.evaluation=['s3://k:{SECRET}@b/x.jsonl']",
            "filters.evaluation: expected a URL",
        ),
        (
            f"models.writer.model=https://u:{SECRET}@hub/model",
            "models.writer.model: expected a URL",
        ),
        (
            f"output.title=see https://u:{SECRET}@hub",
            "output.title: expected a URL",
        ),
        (f"scoring.cache_path=file://u:{SECRET}@h/x", "scoring.cache_path: expected a URL"),
        (
            f"models.judge.api_key={SECRET}",
            "models.judge.api_key: unknown key; models.judge.api_key_env takes the name of an environment",
        ),
        (f"memory.token={SECRET}", "memory.token: unknown key; memory.api_key_env takes the name"),
        (f"api_key={SECRET}", "api_key: unknown key"),
        (
            f"models.judge.api_key_env={SECRET}",
            "models.judge.api_key_env: expected the name of an",
        ),
        (
            f"models.judge.api_key_env=[{SECRET}]",
            "models.judge.api_key_env: expected str or null, got some",
        ),
        (f"models.api_key={SECRET}", "models.api_key: expected a mapping, got something else"),
        (f"memory=[{{api_key: {SECRET}}}]", "memory: expected a mapping, got [{'api_key': '***'}]"),
        (
            f"models.judge.extra_body.provider.api_key={SECRET}",
            "models.judge.extra_body.provider.api_key: expected no",
        ),
        (
            "models.judge.chat_template_kwargs.name=hf_" + "a" * 34,
            "models.judge.chat_template_kwargs.name: expected no secret in a config, got text in the "
            "format of one (Hugging Face token)",
        ),
        (
            f"models.judge.engine_args.hf_token={SECRET}",
            "models.judge.engine_args.hf_token: expected no",
        ),
        (f"models.judge.api_key:{SECRET}", "an override: expected key=value"),
        (
            f"models.judge.api_key=[{SECRET}",
            "models.judge.api_key: expected a value in YAML, got some",
        ),
    ],
)
def test_a_secret_in_a_config_is_refused_and_not_repeated(override: str, line: str) -> None:
    said = problems(*HOSTED, override)
    assert line in said
    assert SECRET not in said


def test_the_value_of_a_secret_variable_is_refused_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    for override in (f"output.title=by {SECRET}", f"agents.instruction.deepen.stop=[{SECRET}]"):
        said = problems(override)
        assert "expected no secret in a config, got that of SOME_API_KEY" in said
        assert SECRET not in said


@pytest.mark.parametrize(
    "key", ["seeds.path", "output.dir", "models.writer.model", "memory.url", "output.title"]
)
@pytest.mark.parametrize(
    "reference",
    ["${oc.env:SOME_API_KEY}", "x${oc.env:'SOME_API_KEY',y}", "${oc.decode:${oc.env:SOME_API_KEY}}"],
)
def test_no_reference_reads_a_variable_that_holds_a_secret(
    key: str, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    said = problems(f"{key}={reference}")
    assert f"{key}: expected " in said
    assert SECRET not in said


def test_the_field_for_a_variable_name_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    said = problems("models.judge.api_key_env=${oc.env:SOME_API_KEY}")
    assert "models.judge.api_key_env takes the variable's name itself" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "reference",
    [
        "${oc.env:${output.title}}",
        "${oc.create:{a: 1}}",
        "${oc.select:judge.model}",
        "${${judge.model}:HOME}",
    ],
)
def test_other_resolvers_and_computed_names_are_refused(reference: str) -> None:
    assert "output.dir: expected " in problems(f"output.dir={reference}")


def test_paths_may_depend_on_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    config = load_config(FAKE, ["output.dir=${oc.env:SCRATCH}/runs"])
    assert config.output.dir == f"{tmp_path}/runs"
    assert "output.title: expected ${oc.env:...} only in fields for a path" in problems(
        "output.title=${oc.env:SCRATCH}"
    )


def test_a_password_in_a_saved_config_is_not_shown_again() -> None:
    saved = load_config(FAKE)
    saved.seeds.path, saved.output.title = f"s3://key:{SECRET}@bucket/x", "${plain}"
    saved.models["writer"].engine_args = {"a": [f"https://u:{SECRET}@h"]}
    shown = without_secrets(saved)
    assert (shown.seeds.path, shown.output.title) == ("s3://***@bucket/x", "${plain}")
    assert SECRET not in to_yaml(shown)


def test_somebody_elses_saved_config_reads_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    for key in ("SOME_API_KEY", "HOME"):
        with pytest.raises(BadInput, match=r"output\.title: expected "):
            from_yaml(f"output: {{title: '${{oc.env:{key}}}'}}")
