"""From a Vega-Altair chart to an SVG picture: drawn while the page is written, so that the page needs no script.

Charts are made in the light colours of `templates/style.css`, so that a notebook shows them as they are. On the way
into a page each colour becomes the variable of that name again, and the picture follows the reader's dark setting.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup, escape

WIDTH = 400
_ROOT = re.compile(r":root\s*\{(.*?)\}", re.DOTALL)
_COLOUR = re.compile(r"--([\w-]+):\s*(#[0-9a-fA-F]{3,8})")
_DARK = re.compile(r"@media \(prefers-color-scheme: dark\) \{.*?\n\}", re.DOTALL)
_SVG = "http://www.w3.org/2000/svg"
# What the renderer writes for a script that is not there, or for programs that read every mark; the picture has one
# title and one description instead.
_NEEDLESS = re.compile(
    r' (?:(?:aria-[a-z]+|role|pointer-events|font-family|class)="[^"]*"|(?:opacity|stroke-width)="1"'
    r'|transform="translate\(0,0\)")'
)
_EMPTY = re.compile(
    r'<path(?: stroke="[^"]*")?(?: d="M0,0h0v0h0Z")?(?: d="")?(?: display="none")?/>|<g></g>'
    r'|<text [^>]*opacity="0"[^>]*>[^<]*</text>'
)
_LINES = re.compile(
    r'(<text text-anchor="end" transform="translate\([-\d.]+,)([-\d.]+)(\)"[^>]*>)((?:<tspan.*?</tspan>)+)'
)
_HALF_LINE = 7  # pixels
_TAG = re.compile(r"<[^>]+>")
_DECIMALS = re.compile(r"(\.\d\d)\d+")


@cache
def page_style() -> str:
    """Style sheet of the pages."""
    return (files("nociomics.report") / "templates" / "style.css").read_text(encoding="utf-8")


@cache
def colours() -> dict[str, str]:
    """Name the page's light colours: the value of each variable, such as ``accent``."""
    found = _ROOT.search(page_style())
    assert found is not None, "style.css opens with the colours"
    return dict(_COLOUR.findall(found.group(1)))


def group_colours() -> list[str]:
    """Colours that tell groups apart, in their order."""
    return [value for name, value in colours().items() if name.startswith("group-")]


def styled(chart: alt.LayerChart | alt.Chart, height: int = 220) -> Any:
    """Give a chart the pages' size, colours and text; no number depends on the machine's language.

    Parameters
    ----------
    chart : Chart or LayerChart
        Without a configuration of its own. Labels may be up to a tenth wider in a browser than the renderer thinks: the
        left margin has room for that.
    height : int
        Of the whole picture, in pixels; it is 400 wide.
    """
    ink, muted, rule = (colours()[name] for name in ("ink", "muted", "rule"))
    text: dict[str, Any] = {"labelColor": ink, "titleColor": muted, "labelFontSize": 12, "titleFontSize": 12}
    text |= {"titleFontWeight": "normal"}
    axis: dict[str, Any] = {
        "gridColor": rule,
        "domainColor": muted,
        "tickColor": muted,
        "tickSize": 4,
        "titlePadding": 6,
    }
    config = alt.Config(
        background="transparent",
        lineBreak="\n",
        padding={"left": 22, "right": 12, "top": 2, "bottom": 2},
        font="sans-serif",
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(**text, **axis, labelLimit=170, titleLimit=330),
        legend=alt.LegendConfig(**text, orient="top", title=None, symbolSize=60, labelLimit=170),
    )
    size = alt.AutoSizeParams(type="fit", contains="padding")
    return chart.properties(width=WIDTH, height=height, autosize=size, config=config)


def drawn(chart: Any, name: str, title: str, description: str) -> Markup:
    """Draw a chart as one SVG element for a page.

    Parameters
    ----------
    chart : Chart
        From `charts`.
    name : str
        Unique in the page: ids start with it.
    title, description : str
        What a screen reader says instead of the picture.
    """
    opening, body = _compiled(json.dumps(chart.to_dict(validate=False), sort_keys=True)).split(">", 1)
    box = re.search(r'viewBox="([^"]*)"', opening)
    assert box is not None, "the renderer gives every picture its size"
    body = _EMPTY.sub("", _TAG.sub(lambda found: _plain_tag(found.group()), body))
    body = _LINES.sub(_centred, body)
    labels = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    words = f'role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
    return Markup(f'<svg class="plot" viewBox="{box.group(1)}" {words}>{labels}{_own_ids(body, name)}')


@lru_cache(maxsize=64)
def _compiled(specification: str) -> str:
    """Draw a chart; one that was drawn before, for a page or for a file, is not drawn again."""
    return str(vl_convert.vegalite_to_svg(specification, allowed_base_urls=[]))


def _plain_tag(tag: str) -> str:
    """Shorten one tag and name its colours; what stands between tags, such as a label's digits, stays as it is."""
    tag = _DECIMALS.sub(r"\1", _NEEDLESS.sub("", tag))
    for variable, value in colours().items():
        tag = tag.replace(f'"{value}"', f'"var(--{variable})"')
    return tag


def _centred(found: re.Match[str]) -> str:
    """Lift a name of several lines so that its middle, not its first line, stands at its mark."""
    before, y, after, lines = found.groups()
    return f"{before}{float(y) - _HALF_LINE * (lines.count('<tspan') - 1):g}{after}{lines}"


def _own_ids(body: str, name: str) -> str:
    """Give the renderer's ids the picture's name: it counts them on from one picture to the next."""
    for place, old in enumerate(dict.fromkeys(re.findall(r' id="([^"]+)"', body))):
        body = body.replace(f'id="{old}"', f'id="{name}-{place}"').replace(f"url(#{old})", f"url(#{name}-{place})")
    return body


def picture_file(svg: str) -> str:
    """Turn a picture of a page into an SVG file that any program shows, in the colours that its reader likes."""
    svg = str(svg)  # the text of a page would escape the signs that are put into it
    light, dark = _ROOT.search(page_style()), _DARK.search(page_style())
    assert light is not None and dark is not None, "style.css opens with the colours, light and dark"
    rules = f"{light.group(0)}\n{dark.group(0)}\nsvg {{ background: var(--paper); font-family: var(--sans); }}"
    box = re.search(r'viewBox="([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)"', svg)
    size = f' width="{box.group(3)}" height="{box.group(4)}"' if box else ""
    start = svg.index(">") + 1
    opened = svg[:start].replace("<svg ", f'<svg xmlns="{_SVG}"{size} ', 1)
    return f"{opened}<style>{escape(rules) if '<' in rules else rules}</style>{svg[start:]}\n"
