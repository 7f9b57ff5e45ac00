"""Pictures of the pages as files of their own, with the page's style inside."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from markupsafe import Markup

from nociomics.report.plots import tag

_SVG = "http://www.w3.org/2000/svg"
_LABEL, _STRIP, _ROW = 170.0, 560.0, 18.0


def standalone(chart: Markup) -> str:
    """Turn a chart of a page into an SVG file that any program can show.

    Parameters
    ----------
    chart : Markup
        One ``svg`` element with a ``viewBox``.
    """
    style = (files("nociomics.report") / "templates" / "style.css").read_text(encoding="utf-8")
    opened = str(chart).replace("<svg ", f'<svg xmlns="{_SVG}" ', 1)
    start = opened.index(">") + 1
    return f"{opened[:start]}<style>{style}\nsvg {{ background: var(--paper); }}</style>{opened[start:]}\n"


def heat_picture(view: dict[str, Any]) -> Markup:
    """Put the strips of `heat_view` with their names into one chart."""
    parts = [_placed(view["heading"], 4.0)]
    for place, row in enumerate(view["rows"]):
        y = 30 + place * _ROW
        parts.append(tag("text", row["label"], x=_LABEL - 8, y=y + 12, text_anchor="end", fill="currentColor"))
        parts.append(_placed(row["strip"], y))
    box = f"0 0 {_LABEL + _STRIP + 8:g} {36 + len(view['rows']) * _ROW:g}"
    return tag("svg", Markup("").join(parts), class_="chart", viewBox=box, role="img", aria_label="Heat map")


def _placed(strip: Markup, y: float) -> Markup:
    return tag("svg", strip, x=_LABEL, y=y, width=_STRIP, height=24)
