"""README.md of a run directory: a dataset card for the Hugging Face hub."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment
from markupsafe import Markup

from staragents.analysis.saved_run import REFERENCE, SavedRun
from staragents.config import Config, FilterAction
from staragents.models.packaged_models import PACKAGED
from staragents.report.number_format import number, share
from staragents.report.templates import templates
from staragents.text.printable import one_line, printable

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST = "n>1M"
STEPS = {
    "seeds": "seeds",
    "bad_rows": "bad rows left out",
    "duplicates": "duplicates left out",
    "held_out": "seeds held out for evaluation",
    "drawn": "candidates drawn",
    "generated": "candidates whose text passed the rules",
    "scored": "candidates scored by both models",
    "judged": "candidates judged",
    "accepted": "accepted",
    "kept_seed": "seeds kept as they were",
    "left_out": "seeds left out",
    "seed_instead": "candidates that filters dropped, their seed kept",
    "filtered_out": "seeds left out by filters",
    "rows": "rows of the run's dataset",
}
FILTERS = {
    "duplicate": "duplicates",
    "near_duplicate": "near_duplicates",
    "contamination": "contamination",
    "refusal": "refusal",
    "repetition": "repetition",
    "length": "length",
    "pii": "pii",
    "secrets": "secrets",
    "blocked": "blocked",
}
"""A filter's name in the funnel, and its setting."""
BUNDLED_LICENCES = {"bundled:self-instruct": "Apache-2.0"}


@dataclass(slots=True)
class ModelUse:
    """A row of the card's model table."""

    name: str
    kind: str
    roles: list[str] = field(default_factory=list)

    @property
    def licence(self) -> str:
        return PACKAGED[self.name].licence if self.name in PACKAGED else "see the model's own card"


@dataclass(frozen=True, slots=True)
class Contents:
    """The data files of the card: the hub's `configs` and a description of their contents.

    `report`: they are the run's own dataset, beside its report. `kind`: what other files have `rows` of.
    """

    configs: list[dict[str, Any]]
    fields: str
    rows: int
    report: bool = False
    kind: str = ""


FIELDS = (
    "`dataset.parquet` and `dataset.jsonl` contain one row per seed: `messages` (the conversation; "
    "`reasoning_content` of a turn is what its model thought before it answered), `source` "
    "(`candidate` or `seed`), `pair`, `reward`, `judge_win`, `target_ifd`, `larger_ifd`, the ids, `flags` "
    "(findings of filters). `filtered.parquet` contains the rows that filters dropped.\n"
    "`candidates/*.parquet` (for pandas, polars or pyarrow) contain every candidate with its scores and its "
    "propensity, the probability that its pair was drawn. `quarantine.parquet` contains bad rows and "
    "candidates that failed or were rejected."
)


def write_card(run: SavedRun | str | Path) -> Path:
    """Write README.md from the files of the run directory; returns its path.

    Raises BadInput if the folder is not a run directory with a summary.
    """
    run = SavedRun.of(run)
    # Otherwise the hub would read all Parquet files in the folder as one dataset. Candidates are no config:
    # `datasets` has no type for their maps.
    configs = [{"config_name": "default", "data_files": "dataset.parquet"}]
    contents = Contents(configs, FIELDS, run.summary["funnel"]["rows"], report=True)
    run.folder.write("README.md", card_text(run, contents))
    return run.folder.path / "README.md"


def card_text(run: SavedRun, contents: Contents) -> str:
    """A card for `contents`. Text from the config, seeds and models is escaped."""
    funnel = run.summary["funnel"]
    card = _environment().get_template("card.md.j2")
    return card.render(
        run=run,
        contents=contents,
        fields=Markup(contents.fields),
        title=run.title,
        reference=REFERENCE,
        summary=run.summary,
        funnel=funnel,
        seeds=run.config.seeds.path,
        seeds_licence=BUNDLED_LICENCES.get(run.config.seeds.path, "see its source"),
        header=Markup(_header(run, contents)),
        steps=[(name, funnel[key]) for key, name in STEPS.items() if key in funnel],
        filters=list(_filters(run)),
        models=list(models_of(run.config)),
        fence=Markup(_fence(run.config_text)),
        config_text=Markup(printable(run.config_text.rstrip())),
    )


@cache
def _environment() -> Environment:
    # Autoescape is the fallback for `md`; only our own text is inserted unescaped.
    return templates({"md": markdown, "number": number, "share": share}, keep_trailing_newline=True)


def _filters(run: SavedRun) -> Iterator[tuple[str, str, int]]:
    """Name, action and count of every enabled filter."""
    funnel, settings = run.summary["funnel"], run.config.filters
    for name, setting in FILTERS.items():
        action = getattr(settings, setting)
        needs = {"contamination": settings.evaluation, "blocked": settings.block_list}
        if action is not FilterAction.off and needs.get(name, True):
            counts = funnel["filtered"] if action is FilterAction.drop else funnel["flagged"]
            yield (
                name.replace("_", " "),
                "left out" if action is FilterAction.drop else "flagged",
                counts.get(name, 0),
            )


def markdown(text: object) -> Markup:
    """Any text as one escaped line of Markdown: it cannot form a tag, link, image or table cell."""
    line = one_line(str(text))
    escaped = re.sub(r"([\\`*_{}\[\]()#!|~@$])", r"\\\1", html.escape(line, quote=False))
    # Bare addresses would become links.
    return Markup(re.sub(r"(?i)(www)\.", r"\1\\.", escaped.replace("://", "\\://")))


def models_of(config: Config) -> Iterator[ModelUse]:
    """Each model of the run once per kind of engine, with its roles."""
    uses: dict[tuple[str, str], ModelUse] = {}

    def add(name: str, kind: str, role: str) -> None:
        use = uses.setdefault((name, kind), ModelUse(name, kind))
        if role not in use.roles:
            use.roles.append(role)

    for role, agents in (
        ("instruction agent", config.agents.instruction),
        ("response agent", config.agents.response),
    ):
        for agent in agents.values():
            if agent.model in config.models:
                model = config.models[agent.model]
                add(model.model or agent.model, model.kind.value, role)
    if config.judge.model in config.models:
        model = config.models[config.judge.model]
        add(model.model or config.judge.model, model.kind.value, "judge")
    for name, scorer in (("target", config.scoring.target), ("larger", config.scoring.larger)):
        add(scorer.model, _kind(scorer.model, "transformers"), f"{name} model of the IFD")
    if config.memory.enabled:
        embedder = config.memory.embedder
        add(embedder, _kind(embedder, "sentence-transformers"), "embedder of the memory bank")
    yield from uses.values()


def _kind(model: str, library: str) -> str:
    return "fake" if model == "fake" else library


def _header(run: SavedRun, contents: Contents) -> str:
    header: dict[str, Any] = {
        "pretty_name": one_line(run.title),
        # ISO 639-2 for undetermined, as the language of the seeds is not detected.
        "language": ["und"],
        # On one line, as a line `---` would end the header for readers that don't parse YAML.
        "license": one_line(run.config.output.licence),
        "task_categories": ["text-generation"],
        "size_categories": [next((name for limit, name in SIZES if contents.rows < limit), LARGEST)],
        "tags": ["instruction-tuning", "synthetic", "staragents"]
        + ["fake-engines"] * bool(run.summary["fake"]),
        "configs": contents.configs,
    }
    return yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=1_000)


def _fence(text: str) -> str:
    """A fence longer than any run of backticks in the text, so that the text cannot end the block."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(3, longest + 1)
