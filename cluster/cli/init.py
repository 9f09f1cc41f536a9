"""`staragents init`: write a commented config from a few questions."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cluster.cli.output_path import OutputPath
from cluster.terminal.terminal import say
from staragents.base.errors import BadInput
from staragents.base.redaction import url_secret
from staragents.config.new_config import SUGGESTED, Answers, Engine
from staragents.files.atomic_file import write_text
from staragents.files.folders import address_problem
from staragents.models import vllm_build
from staragents.validation.value_checks import VARIABLE

WHERE = """Which engine generates the texts?
  packaged  small models that install with `make`: run on any laptop, for a first try
  gpu       models from the hub on the GPUs of this machine or cluster, with vLLM
  api       an OpenAI-compatible server, hosted or your own"""


@click.command()
@click.argument("file", type=OutputPath(dir_okay=False), default="staragents.yaml")
@click.option("--seeds", help="Your dataset; bundled:self-instruct has 175 rows for a first try.")
@click.option("--engine", type=click.Choice([one.value for one in Engine]), help="See below.")
@click.option("--writer", help="Model that rewrites and answers.")
@click.option("--judge", help="Model that judges; preferably of another family than the writer.")
@click.option("--target", help="Model that you will train.")
@click.option("--larger", help="Stronger model of the target's family.")
@click.option("--base-url", help="For api: the server's address.")
@click.option("--key-env", help="For api: the environment variable that holds the key.")
@click.option("--output", help="Run directory.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing; use the suggestions for missing options.")
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
def init(file: Path, engine: str | None, yes: bool, force: bool, **given: str | None) -> None:
    """Write a commented config, FILE, from a few questions.

    \b
    Engines:
      packaged  small models that install with `make`: run on any laptop, for a first try
      gpu       models from the hub on the GPUs of this machine or cluster, with vLLM
      api       an OpenAI-compatible server, hosted or your own

    \b
    Examples:
      staragents init
      staragents init mine.yaml --seeds my.jsonl --engine packaged -y
      staragents init mine.yaml --seeds my.jsonl --engine api --writer gpt-4o-mini --key-env OPENAI_API_KEY
    """
    if file.exists() and not force:
        raise BadInput(f"FILE: {file} already exists; --force overwrites it")
    answers = asked(engine, yes, given)
    check_secrets(answers)
    if problem := address_problem(answers.output):
        raise BadInput(f"--output: {problem}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, answers.yaml(str(file), vllm_build.needs_gpu()))
    except OSError as error:
        raise BadInput(f"FILE: can't write {file}: {error.strerror}") from error
    say(f"wrote {file}; next: staragents validate {file}")


def asked(engine: str | None, yes: bool, given: dict[str, str | None]) -> Answers:
    """Ask for values missing in the options; suggestions may depend on earlier answers."""

    def answer(name: str, question: str, suggested: str) -> str:
        known = given[name]
        if known is not None:
            return known
        if yes:
            if not suggested:
                raise BadInput(f"--{name.replace('_', '-')}: expected a value, there is no suggestion")
            return suggested
        return str(click.prompt(question, default=suggested or None))

    seeds = answer("seeds", "Your dataset (file with instructions and responses)", "bundled:self-instruct")
    if engine is None:
        if not yes:
            click.echo(WHERE)
        choice = click.Choice([one.value for one in Engine])
        engine = "packaged" if yes else click.prompt("Engine", type=choice, default="packaged")
    for name in ("base_url", "key_env"):
        if engine != Engine.api and given[name] is not None:
            raise BadInput(f"--{name.replace('_', '-')}: expected --engine api with it, got {engine}")
    models, more = SUGGESTED[Engine(engine)], _server(engine, answer)
    writer = answer("writer", "Model that rewrites and answers", models.writer)
    return Answers(
        seeds=seeds,
        engine=Engine(engine),
        writer=writer,
        judge=answer("judge", "Model that judges", models.judge or writer),
        target=answer("target", "Model that you will train", models.target),
        larger=answer("larger", "Stronger model of its family", models.larger),
        output=answer("output", "Run directory", f"runs/{_stem(seeds)}"),
        **more,
    )


def check_secrets(answers: Answers) -> None:
    """Raises BadInput if an answer contains a secret, without repeating it: a config must hold none."""
    for name, value in asdict(answers).items():
        if kind := url_secret(value):
            raise BadInput(f"--{name.replace('_', '-')}: expected a URL without {kind}")
    if answers.key_env and not VARIABLE.fullmatch(answers.key_env):
        raise BadInput("--key-env: expected a variable name such as OPENAI_API_KEY, got something else")


def _server(engine: str, answer: Any) -> dict[str, str]:
    if engine != Engine.api:
        return {}
    url = answer("base_url", "Address of the server", "http://127.0.0.1:8000/v1")
    key = answer("key_env", "Environment variable with the key (none: -)", "-")
    return {"base_url": url, "key_env": "" if key == "-" else key}


def _stem(seeds: str) -> str:
    name = seeds.rstrip("/").rpartition("/")[2].rpartition(":")[2]
    return name.partition(".")[0] or "mine"
