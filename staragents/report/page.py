"""A self-contained HTML page with charts that opens offline."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from staragents.prices import amount
from staragents.printable import printable
from staragents.report.chart import Chart
from staragents.report.wording import duration, number, share, short


def rendered(template: str, drawn: Iterable[Chart], more_scripts: Iterable[str] = (), **values: Any) -> str:
    """The page of a template of this folder, with its style and the scripts that draw `drawn`.

    `more_scripts` are further scripts of this folder by name, which the template puts where it needs them.
    """
    # Autoescape does the escaping of every text; `tojson` also neutralises </script> and <!--.
    environment = Environment(
        loader=PackageLoader("staragents", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "number": number,
        "share": share,
        "short": short,
        "duration": duration,
        "amount": amount,
    }
    folder = Path(__file__).parent
    files = {"charts": "report", **{name: name for name in more_scripts}}
    scripts = {name: (folder / f"{file}.js").read_text(encoding="utf-8") for name, file in files.items()}
    scripts["plotly"] = get_plotlyjs()
    return environment.get_template(template).render(
        figures=_shown({chart.name: chart.figure for chart in drawn if chart.figure}),
        style=(folder / "report.css").read_text(encoding="utf-8"),
        scripts=scripts,
        script_hashes=[_csp_hash(script) for script in scripts.values()],
        **values,
    )


def _shown(value: Any) -> Any:
    """No text in it turns round what is read. What is markup was made here."""
    if isinstance(value, dict):
        return {name: _shown(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_shown(one) for one in value]
    return printable(value) if type(value) is str else value


def _csp_hash(script: str) -> str:
    """The page's policy lets only these scripts run: a slip in escaping would still not execute."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
