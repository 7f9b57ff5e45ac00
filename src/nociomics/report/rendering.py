"""Fill a template of this room into one self-contained page; the same input gives the same bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nociomics.report import formats, wording


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nociomics.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("number", "interval", "quantity", "share", "count", "out_of", "plural"):
        environment.filters[name] = getattr(formats, name)
    environment.filters["modality"] = wording.modality_words
    environment.globals["research_use"] = wording.RESEARCH_USE
    return environment


def render(template: str, **context: Any) -> str:
    """Render a template to a page without outside references.

    Parameters
    ----------
    template : str
        File name in `templates/`.
    **context
        What the template names; a name that is missing is an error, not an empty place.
    """
    environment = _environment()
    source, _, _ = environment.loader.get_source(environment, "style.css")  # type: ignore[union-attr]
    page = environment.get_template(template).render(style=Markup(source), **context)
    return "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"
