"""A self-contained HTML page with charts that opens offline."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from staragents.config.prices import amount
from staragents.report.chart import Chart
from staragents.report.number_format import duration, number, share, short
from staragents.report.templates import templates
from staragents.text.printable import printable

if TYPE_CHECKING:
    from jinja2 import Environment


def rendered(template: str, drawn: Iterable[Chart], more_scripts: Iterable[str] = (), **values: Any) -> str:
    """Render a template of this folder with style, scripts and the figures of `drawn`.

    `more_scripts` names further scripts of this folder, which the template includes where needed.
    """
    # Only a command that writes a page needs it.
    from plotly.offline import get_plotlyjs

    folder = Path(__file__).parent
    files = {"charts": "report", **{name: name for name in more_scripts}}
    scripts = {name: (folder / f"{file}.js").read_text(encoding="utf-8") for name, file in files.items()}
    scripts["plotly"] = get_plotlyjs()
    page = _environment().get_template(template)
    return page.render(
        figures=_shown({chart.name: chart.figure for chart in drawn if chart.figure}),
        style=(folder / "report.css").read_text(encoding="utf-8"),
        scripts=scripts,
        script_hashes=[_csp_hash(script) for script in scripts.values()],
        **values,
    )


@cache
def _environment() -> Environment:
    filters = {"number": number, "share": share, "short": short, "duration": duration, "amount": amount}
    return templates(filters, finalize=_shown)


def _shown(value: Any) -> Any:
    """Make all texts printable (no bidirectional overrides); `Markup` comes from our templates and stays."""
    if isinstance(value, dict):
        return {name: _shown(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_shown(one) for one in value]
    return printable(value) if type(value) is str else value


def _csp_hash(script: str) -> str:
    """Hash for the content security policy: only these scripts run, even if escaping failed."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
