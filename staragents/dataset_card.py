"""README.md of a run directory: a dataset card as the Hugging Face hub reads it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from staragents.config import Config
from staragents.packaged_models import PACKAGED
from staragents.report.saved_run import REFERENCE, SavedRun
from staragents.report.wording import number, share

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
LARGEST = "n>1M"
STEPS = {
    "seeds": "seeds",
    "bad_rows": "bad rows left out",
    "duplicates": "duplicates left out",
    "drawn": "candidates drawn",
    "generated": "candidates whose text passed the rules",
    "scored": "candidates scored by both models",
    "judged": "candidates judged",
    "accepted": "accepted",
    "kept_seed": "seeds kept as they were",
    "left_out": "seeds left out",
}


@dataclass(slots=True)
class ModelUse:
    """One row of the card's table of models."""

    name: str
    kind: str
    roles: list[str] = field(default_factory=list)

    @property
    def licence(self) -> str:
        return PACKAGED[self.name].licence if self.name in PACKAGED else "see the model's own card"


def write_card(run_dir: str | Path) -> Path:
    """Write README.md from what lies in the run directory; returns its path.

    Raises BadInput if the folder is not a run directory that came as far as its summary.
    """
    run = SavedRun.open(run_dir)
    funnel = run.summary["funnel"]
    rows = funnel["accepted"] + funnel["kept_seed"]
    # Autoescape is the net below `md`; only the header and the fenced config are put in as they are.
    environment = Environment(
        loader=PackageLoader("staragents", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"md": markdown, "number": number, "share": share}
    card = environment.get_template("card.md.j2").render(
        run=run,
        title=run.title,
        reference=REFERENCE,
        summary=run.summary,
        funnel=funnel,
        rows=rows,
        header=Markup(_header(run, rows)),
        steps=[(name, funnel[key]) for key, name in STEPS.items()],
        models=list(models_of(run.config)),
        fence=Markup(_fence(run.config_text)),
        config_text=Markup(run.config_text.rstrip()),
    )
    run.folder.write("README.md", card)
    return run.folder.path / "README.md"


def markdown(text: object) -> Markup:
    """Any text as one line of Markdown that only shows it: no tag, link, image or new table cell."""
    line = " ".join(str(text).split())
    escaped = re.sub(r"([\\`*_{}\[\]()#!|~@$])", r"\\\1", html.escape(line, quote=False))
    # Bare addresses become links too.
    return Markup(re.sub(r"(?i)(www)\.", r"\1\\.", escaped.replace("://", "\\://")))


def models_of(config: Config) -> Iterator[ModelUse]:
    """Each model of the run once for each kind of engine, with what it was used as."""
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


def _header(run: SavedRun, rows: int) -> str:
    header: dict[str, Any] = {
        "pretty_name": run.title,
        # ISO 639-2 for undetermined: nothing here looks at the language of the seeds.
        "language": ["und"],
        "license": "unknown",
        "task_categories": ["text-generation"],
        "size_categories": [next((name for limit, name in SIZES if rows < limit), LARGEST)],
        "tags": ["instruction-tuning", "synthetic", "staragents"]
        + ["fake-engines"] * bool(run.summary["fake"]),
        # Or the hub would take every Parquet file in the folder for one dataset.
        "configs": [
            {"config_name": "default", "data_files": "dataset.parquet"},
            {"config_name": "candidates", "data_files": "candidates/*.parquet"},
        ],
    }
    return yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=1_000)


def _fence(text: str) -> str:
    """Longer than any run of backticks inside, so that nothing in there can end the block."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(3, longest + 1)
