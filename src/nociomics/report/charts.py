"""Charts with axes, made with Vega-Altair: each takes the tidy table that a reader may download, and nothing else.

`charts_tables` makes the tables, `charts_drawing` the pictures of the pages. In a notebook a chart shows by itself.
Every function returns a finished chart; its table is named in the first paragraph, nulls are left undrawn.
"""

from __future__ import annotations

import re
from typing import Any

import altair as alt
import polars as pl

from nociomics.report.charts_drawing import colours, group_colours, styled

_SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
_ROW, _FRAME = 24, 48  # height of a row, and of axis, its title and the margins
_LINE, _LETTERS = 15, 24  # height of a further line of a name, and how many letters stand in one
_PIECE = re.compile(r"[^ _/]*[ _/]*")
_LEGEND = 22
_KNOWN = "isValid(datum.lower) && isValid(datum.upper)"
STABLE = 0.85  # rank correlation between refits that an explanation should reach


def people_chart(table: pl.DataFrame) -> Any:
    """Bars of people left after each step: ``step, people``."""
    numbered = table.with_row_index("place").with_columns(step=pl.format("{}. {}", pl.col("place") + 1, "step"))
    rows = _named(numbered, "step")
    base = alt.Chart(rows).encode(
        y=_names(),
        x=alt.X("people:Q", title="people", scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=4, grid=False)),
    )
    return styled(base.mark_bar(color=colours()["accent"], height=12), _tall(rows))


def missing_chart(table: pl.DataFrame) -> Any:
    """Bars of the mean share of missing values, a tick at the worst feature: ``modality, missing, worst``."""
    rows = _named(table, "modality")
    base = alt.Chart(rows).encode(y=_names())
    share: dict[str, Any] = {
        "title": "share of values missing (tick: worst feature)",
        "scale": alt.Scale(domain=[0, 1]),
    }
    bars = base.mark_bar(color=colours()["accent"], height=12).encode(x=alt.X("missing:Q", axis=_percent(), **share))
    ticks = base.mark_tick(color=colours()["ink"], thickness=2, size=14).encode(x=alt.X("worst:Q", **share))
    return styled(bars + ticks, _tall(rows))


def interval_chart(
    table: pl.DataFrame, title: str, *, reference: float | None = None, strong: str | None = None, percent: bool = False
) -> Any:
    """Dots on their intervals, one per row: ``name, value, lower, upper``.

    Parameters
    ----------
    table : DataFrame, one row per dot, top to bottom
        Limits may be null: then the dot stands alone.
    title : str
        Of the axis.
    reference : float, optional
        A dashed line, such as chance.
    strong : str, optional
        The name in accent colour; the others are grey. None: all in accent colour.
    percent : bool
        Whether the axis is written in per cent.
    """
    tone: Any = alt.value(colours()["accent"])
    if strong is not None:
        tone = alt.condition(alt.datum.name == strong, tone, alt.value(colours()["muted"]))
    scale = alt.Scale(zero=False, padding=8)
    rows = _named(table, "name")
    base = alt.Chart(rows).encode(y=_names(), color=tone)
    axis = _percent() if percent else alt.Axis(tickCount=5)
    start = alt.X("lower:Q", title=title, scale=scale, axis=axis)
    lines = base.transform_filter(_KNOWN).mark_rule(strokeWidth=2.5).encode(x=start, x2="upper:Q")
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=alt.X("value:Q", title=title, scale=scale))
    return styled(_ruled(lines + dots, reference), _tall(rows))


def calibration_chart(table: pl.DataFrame) -> Any:
    """Observed share against predicted probability, the diagonal dashed: ``predicted, observed`` (and ``class``)."""
    ends = alt.Chart(pl.DataFrame({"predicted": [0.0, 1.0], "observed": [0.0, 1.0]}))
    x = alt.X("predicted:Q", title="predicted probability", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    y = alt.Y("observed:Q", title="observed share", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    diagonal = ends.mark_line(color=colours()["muted"], strokeDash=[4, 4], strokeWidth=1.2).encode(x=x, y=y)
    line = alt.Chart(table).mark_line(color=colours()["accent"], strokeWidth=2.5).encode(x=x, y=y, order="predicted:Q")
    if "class" in table.columns:
        line = line.encode(color=_groups("class", table))
    return styled(diagonal + line, 320)


def net_benefit_chart(table: pl.DataFrame) -> Any:
    """Net benefit over threshold probability, one line per way to choose: ``threshold, strategy, net_benefit``.

    Lines far below zero end where they leave the picture; no value is moved.
    """
    names = ["model", "treat all", "treat none"]
    top = max(table["net_benefit"].max() or 0.0, 0.05)  # type: ignore[type-var]
    shown = table.filter(pl.col("net_benefit") >= -0.25 * top)  # type: ignore[operator]
    look = {
        "color": alt.Color(
            "strategy:N",
            scale=alt.Scale(domain=names, range=[colours()["accent"], colours()["ink"], colours()["muted"]]),
            legend=alt.Legend(symbolType="stroke", symbolSize=300, title=None, columns=3),
        ),
        "strokeDash": alt.StrokeDash("strategy:N", scale=alt.Scale(domain=names, range=[[1, 0], [1, 0], [4, 4]])),
        "strokeWidth": alt.StrokeWidth("strategy:N", scale=alt.Scale(domain=names, range=[2.5, 1.2, 1.2])),
    }
    line = alt.Chart(shown).mark_line().encode(
        x=alt.X("threshold:Q", title="threshold probability", axis=alt.Axis(tickCount=5)),
        y=alt.Y("net_benefit:Q", title="net benefit per person", axis=alt.Axis(tickCount=5)),
        **look,
    )  # fmt: skip
    return styled(line, 320)


def share_chart(table: pl.DataFrame, x_title: str, y_title: str, *, reference: float | None = None) -> Any:
    """Line of a figure over a share of people, its interval as a band: ``share, value, lower, upper``.

    The learning curve (share of people learned from) and the risk-coverage curves (share of people answered).
    """
    x = alt.X("share:Q", title=x_title, axis=_percent(), scale=alt.Scale(domain=[0, 1]))
    scale = alt.Scale(zero=False, padding=8)
    base = alt.Chart(table).encode(x=x)
    band = base.transform_filter(_KNOWN).mark_area(color=colours()["accent"], opacity=0.18)
    band = band.encode(y=alt.Y("lower:Q", title=y_title, scale=scale, axis=alt.Axis(tickCount=5)), y2="upper:Q")
    y = alt.Y("value:Q", title=y_title, scale=scale)
    line = base.mark_line(color=colours()["accent"], strokeWidth=2.5).encode(y=y)
    dots = base.mark_point(color=colours()["accent"], filled=True, size=50, opacity=1).encode(y=y)
    return styled(_ruled(band + line + dots, reference, upright=False), 240)


def grouped_chart(table: pl.DataFrame, title: str, *, reference: float | None = None) -> Any:
    """Dots on intervals with a mark and colour per group: ``name, group, value, lower, upper``.

    Importance by treatment, or how far refits agree; one group has no legend.
    """
    groups = table["group"].unique(maintain_order=True).to_list()
    several = len(groups) > 1
    color = _groups("group", table) if several else alt.value(colours()["accent"])
    scale = alt.Scale(zero=reference is None, padding=6)
    rows = _named(table, "name")
    base = alt.Chart(rows).encode(y=_names(), color=color)
    start = alt.X("lower:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))
    lines = base.transform_filter(_KNOWN).mark_rule(strokeWidth=1.8).encode(x=start, x2="upper:Q")
    dots = base.mark_point(filled=True, size=42, opacity=1).encode(x=alt.X("value:Q", title=title, scale=scale))
    if several:
        shape = alt.Shape("group:N", scale=alt.Scale(domain=groups, range=_cycled(_SHAPES, len(groups))), legend=None)
        aside = alt.YOffset("group:N", sort=None)
        lines, dots = lines.encode(yOffset=aside), dots.encode(shape=shape, yOffset=aside)
    legend = _LEGEND * -(-len(groups) // _legend_columns(groups)) if several else 0
    row = max(_ROW, 9 * len(groups) + 6)
    return styled(_ruled(lines + dots, reference), _tall(rows.unique("name"), row) + legend)


def dependence_chart(table: pl.DataFrame, x_title: str, y_title: str) -> Any:
    """Mean contribution over the values of one feature, a line per group: ``value, group, mean, lower, upper``.

    Values that are words stand side by side instead of on an axis; ``lower`` and ``upper`` may be null.
    """
    numeric = table.schema["value"].is_numeric()
    kind = "value:Q" if numeric else "value:N"
    levels = table["value"].cast(pl.String).unique()
    short = (levels.str.len_chars().max() or 0) * levels.len() < _LETTERS  # type: ignore[operator]
    axis = alt.Axis(tickCount=5, labelAngle=0) if numeric else alt.Axis(labelAngle=0 if short else -30)
    apart = alt.Scale(paddingInner=0.4, paddingOuter=0.2)  # levels stand further apart than the groups of one level
    scale: dict[str, Any] = {"scale": alt.Scale(zero=False, padding=8) if numeric else apart}
    x = alt.X(kind, title=x_title, sort=None, axis=axis, **scale)
    several = table["group"].n_unique() > 1
    color = _groups("group", table) if several else alt.value(colours()["accent"])
    base = alt.Chart(table).encode(x=x, color=color)
    known = base.transform_filter(_KNOWN)
    y = alt.Y("mean:Q", title=y_title, axis=alt.Axis(tickCount=5))
    lines = base.mark_line(strokeWidth=1.8).encode(y=y) if numeric else base.mark_point(opacity=0).encode(y=y)
    whiskers = known.mark_rule(strokeWidth=1.2, opacity=1).encode(y=alt.Y("lower:Q", title=y_title), y2="upper:Q")
    dots = base.mark_point(filled=True, size=36, opacity=1).encode(y=y)
    if not numeric and several:
        whiskers, dots = (one.encode(xOffset=alt.XOffset("group:N", sort=None)) for one in (whiskers, dots))
    return styled(_ruled(lines + whiskers + dots, 0.0, upright=False), 260)


def count_chart(table: pl.DataFrame, x_title: str, y_title: str) -> Any:
    """Dots of a figure for each number of strata: ``k, value``; the best is filled."""
    base = alt.Chart(table.with_columns(best=pl.col("value") == pl.col("value").min())).encode(
        x=alt.X("k:O", title=x_title, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("value:Q", title=y_title, scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(tickCount=5)),
    )
    line = base.mark_line(color=colours()["accent"], strokeWidth=1.8)
    fill = alt.condition(alt.datum.best, alt.value(colours()["accent"]), alt.value(colours()["paper"]))
    dots = base.mark_point(stroke=colours()["accent"], size=70, opacity=1, fillOpacity=1).encode(fill=fill)
    return styled(line + dots, 220)


def _names() -> alt.Y:
    return alt.Y("label:N", sort=None, title=None)


def _named(table: pl.DataFrame, column: str) -> pl.DataFrame:
    """Add ``label``: the name, broken into lines that fit before the axis."""
    return table.with_columns(pl.col(column).map_elements(in_lines, pl.String).alias("label"))


def in_lines(name: str) -> str:
    """Break a long name after a space, a slash or an underscore; every letter is kept.

    Examples
    --------
    >>> in_lines("AUROC over the same model without biomarkers").splitlines()
    ['AUROC over the same', 'model without biomarkers']
    """
    lines = [""]
    for piece in filter(None, _PIECE.findall(name)):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > _LETTERS:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > _LETTERS:
            lines[-1:] = [lines[-1][:_LETTERS], lines[-1][_LETTERS:]]
    return "\n".join(line.rstrip() for line in lines)


def _tall(rows: pl.DataFrame, row: int = _ROW) -> int:
    """Height for rows of names: each as tall as a mark needs, or the longest name."""
    lines = max((label.count("\n") + 1 for label in rows["label"]), default=1)
    return rows.height * max(row, _LINE * lines + 6) + _FRAME


def _percent() -> alt.Axis:
    return alt.Axis(format=".0%", tickCount=5)


def _groups(column: str, table: pl.DataFrame) -> alt.Color:
    names = table[column].unique(maintain_order=True).to_list()
    scale = alt.Scale(domain=names, range=_cycled(group_colours(), len(names)))
    legend = alt.Legend(title=None, symbolType="circle", symbolOpacity=1, columns=_legend_columns(names))
    return alt.Color(f"{column}:N", scale=scale, legend=legend)


def _legend_columns(names: list[str]) -> int:
    """Names that fit side by side."""
    return max(1, min(len(names), 46 // max(len(str(name)) + 3 for name in names)))


def _cycled(values: Any, wanted: int) -> list[str]:
    return [values[place % len(values)] for place in range(wanted)]


def _ruled(chart: Any, reference: float | None, *, upright: bool = True) -> Any:
    """Lay a dashed line under a chart."""
    if reference is None:
        return chart
    dashed = alt.Chart(pl.DataFrame({"at": [float(reference)]})).mark_rule(
        color=colours()["muted"], strokeDash=[3, 3], strokeWidth=1.2
    )
    return dashed.encode(**{"x" if upright else "y": "at:Q"}) + chart
