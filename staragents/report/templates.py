"""The templates of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def templates(filters: Mapping[str, Callable[..., Any]], **options: Any) -> Environment:
    """An environment for them. Keep it: it keeps the compiled templates, and compiling takes longer than
    rendering."""
    # Only a command that writes a page or a card needs it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Autoescape escapes every text; `tojson` also neutralises </script> and <!--.
    environment = Environment(
        loader=PackageLoader("staragents", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
    environment.filters |= filters
    return environment
