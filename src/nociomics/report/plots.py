"""Small drawings as SVG text: numbers in, one accessible picture out.

Two kinds. A *strip* is as wide as its table cell: positions are per cent of the width, so nothing is
stretched and no text shrinks on a phone; its numbers stand beside it. A *chart* has axes and its own size.
Colours are the page's CSS variables and text is ``currentColor``, so both follow the reader's colour scheme.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from nociomics.report.formats import is_null, number

_EDGE = 2.0  # per cent kept free at both ends of a strip, so that a dot at the limit is whole
_MOST_POINTS = 1500
_STRIP_TICKS = 4  # steps on the axis of a strip, which may be as narrow as 130 px
_MARKERS = (  # offset of the first point, then the outline: disc, square, triangle up, diamond, triangle down, dash
    (-2.6, 0.0, "a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0 -5.2 0"),
    (-2.3, -2.3, "h4.6v4.6h-4.6z"),
    (0.0, -3.2, "l3 5.4h-6z"),
    (0.0, -3.4, "l3.2 3.4l-3.2 3.4l-3.2 -3.4z"),
    (0.0, 3.2, "l3 -5.4h-6z"),
    (-3.0, -1.0, "h6v2h-6z"),
)
GROUP_COLOURS = tuple(f"var(--group-{index})" for index in range(1, 7))


def tag(name: str, content: str = "", /, **attributes: object) -> Markup:
    """Build one element with escaped attributes; floats keep at most two decimals.

    Examples
    --------
    >>> str(tag("text", "a < b", x=1.23456, stroke_width=2))
    '<text x="1.23" stroke-width="2">a &lt; b</text>'
    """
    pairs = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not content:
        return Markup(f"<{name}{pairs}/>")
    return Markup(f"<{name}{pairs}>{escape(content)}</{name}>")


def _plain(value: object) -> str:
    if isinstance(value, float):
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return str(value)


def _joined(parts: Iterable[str]) -> Markup:
    return Markup("").join(parts)


@dataclass(frozen=True)
class Scale:
    """A stretch of numbers that a drawing covers."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float | None], *, include: Iterable[float] = ()) -> Scale:
        """Span all given numbers, widened to round limits; nulls are skipped.

        Examples
        --------
        >>> Scale.around([0.42, None, 3.1], include=[0])
        Scale(low=0.0, high=4.0)
        """
        known = [float(value) for value in (*values, *include) if value is not None and not is_null(value)]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        if math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-12):
            low, high = low - 0.5, high + 0.5
        step = _round_step(high - low)
        return cls(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step)

    def percent(self, value: float) -> float:
        """Position of a value, in per cent of a strip's width."""
        return _EDGE + (100 - 2 * _EDGE) * (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers within the scale, at most ``most`` steps of them.

        Examples
        --------
        >>> Scale(0, 1).ticks()
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        """
        step = _round_step(self.high - self.low, most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]

    def tick_text(self, value: float, most: int = 6) -> str:
        """Write a tick with the decimals that its step needs."""
        step = _round_step(self.high - self.low, most)
        return number(value, max(0, -math.floor(math.log10(step) + 1e-9)))


def _round_step(span: float, most: int = 6) -> float:
    """Choose the smallest of 1, 2, 5 (times a power of ten) that cuts the span into at most so many steps."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most + 1e-9)


def _strip(label: str, content: str, height: int = 18) -> Markup:
    return tag("svg", content, class_="strip", width="100%", height=height, role="img", aria_label=label)


def _rule(x: float, height: int, class_: str) -> Markup:
    return tag("line", x1=f"{x:.2f}%", x2=f"{x:.2f}%", y1=0, y2=height, class_=class_)


def interval_strip(
    value: float | None,
    lower: float | None,
    upper: float | None,
    scale: Scale,
    label: str,
    *,
    reference: float | None = None,
    strong: bool = True,
) -> Markup:
    """Draw a dot on its interval.

    Parameters
    ----------
    value, lower, upper : float or None
        Nulls are left undrawn; the label says what is missing.
    scale : Scale
        Shared by all rows of a table.
    label : str
        What a screen reader says.
    reference : float, optional
        A thin upright line, such as chance.
    strong : bool
        Accent colour; otherwise grey.
    """
    parts = []
    if reference is not None:
        parts.append(_rule(scale.percent(reference), 18, "reference"))
    tone = "strong" if strong else "weak"
    if lower is not None and upper is not None and not (is_null(lower) or is_null(upper)):
        ends = {"x1": f"{scale.percent(lower):.2f}%", "x2": f"{scale.percent(upper):.2f}%"}
        parts.append(tag("line", **ends, y1=9, y2=9, class_=f"whisker {tone}"))
    if value is not None and not is_null(value):
        parts.append(tag("circle", cx=f"{scale.percent(value):.2f}%", cy=9, r=4.5, class_=f"dot {tone}"))
    return _strip(label, _joined(parts) or tag("g"))


def span_strip(
    start: float, end: float, scale: Scale, label: str, *, zero: float | None = None, spread: float | None = None
) -> Markup:
    """Draw a bar from start to end (a step of a waterfall, a bar from zero); falling bars are hollow.

    ``spread`` is drawn as a whisker to both sides of the end.
    """
    left, right = sorted((scale.percent(start), scale.percent(end)))
    tone = "up" if end >= start else "down"
    parts = [tag("rect", x=f"{left:.2f}%", width=f"{right - left:.2f}%", y=3, height=12, class_=f"bar {tone}")]
    if zero is not None:
        parts.append(_rule(scale.percent(zero), 18, "reference"))
    if spread:
        ends = {"x1": f"{scale.percent(end - spread):.2f}%", "x2": f"{scale.percent(end + spread):.2f}%"}
        parts.append(tag("line", **ends, y1=9, y2=9, class_="spread"))
    return _strip(label, _joined(parts))


def share_strip(share: float | None, label: str) -> Markup:
    """Draw a share of 0 to 1 as a filled part of a thin track."""
    track = tag("rect", x=0, y=5, width="100%", height=8, class_="track")
    filled = 0.0 if share is None or is_null(share) else 100 * share
    return _strip(label, _joined([track, tag("rect", x=0, y=5, width=f"{filled:.2f}%", height=8, class_="bar up")]))


def percentile_strip(percentile: float | None, label: str) -> Markup:
    """Draw where a person stands in the cohort: a dot on a line from 0 to 100, the middle half thicker."""
    scale = Scale(0, 100)
    parts = [
        tag("line", x1=f"{_EDGE}%", x2=f"{100 - _EDGE}%", y1=9, y2=9, class_="axis"),
        tag("line", x1=f"{scale.percent(25)}%", x2=f"{scale.percent(75)}%", y1=9, y2=9, class_="middle"),
    ]
    if percentile is not None and not is_null(percentile):
        parts.append(tag("circle", cx=f"{scale.percent(percentile):.2f}%", cy=9, r=4.5, class_="dot strong"))
    return _strip(label, _joined(parts))


def dial_strip(value: float, low: float, high: float, edges: Sequence[float], label: str) -> Markup:
    """Draw a score on its possible range: filled up to the value, with a notch where a published band begins."""
    scale = Scale(low, high)
    at = scale.percent(min(max(value, low), high))
    parts = [
        tag("rect", x=f"{_EDGE}%", y=5, width=f"{100 - 2 * _EDGE}%", height=8, class_="track"),
        tag("rect", x=f"{_EDGE}%", y=5, width=f"{at - _EDGE:.2f}%", height=8, class_="bar reached"),
        *(_rule(scale.percent(edge), 18, "notch") for edge in edges),
        tag("circle", cx=f"{at:.2f}%", cy=9, r=4.5, class_="dot strong"),
    ]
    return _strip(label, _joined(parts))


def axis_strip(scale: Scale, label: str) -> Markup:
    """Draw the axis that belongs to the strips above it."""
    parts = [tag("line", x1=f"{_EDGE}%", x2=f"{100 - _EDGE}%", y1=0.5, y2=0.5, class_="axis")]
    ticks = scale.ticks(_STRIP_TICKS)
    for index, tick in enumerate(ticks):
        x = f"{scale.percent(tick):.2f}%"
        anchor = "start" if index == 0 and scale.percent(tick) < 4 else "middle"
        anchor = "end" if index == len(ticks) - 1 and scale.percent(tick) > 96 else anchor
        parts.append(tag("line", x1=x, x2=x, y1=0, y2=4, class_="axis"))
        parts.append(
            tag("text", scale.tick_text(tick, _STRIP_TICKS), x=x, y=16, text_anchor=anchor, fill="currentColor")
        )
    return _strip(label, _joined(parts), height=20)


def ten_dots(probability: float, label: str) -> Markup:
    """Draw a probability as ten people, the nearest whole number of them filled."""
    filled = math.floor(10 * probability + 0.5)
    dots = (
        tag("circle", cx=8 + 15 * index, cy=8, r=5.5, class_="dot strong" if index < filled else "dot hollow")
        for index in range(10)
    )
    return tag(
        "svg", _joined(dots), class_="ten", viewBox="0 0 151 16", width=151, height=16, role="img", aria_label=label
    )


@dataclass(frozen=True)
class Plane:
    """A chart's drawing area: two scales and the pixels they fill."""

    x: Scale
    y: Scale
    width: int = 380
    height: int = 280
    left: int = 46
    bottom: int = 42
    top: int = 10
    right: int = 12

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixel position of a point."""
        across = (x - self.x.low) / (self.x.high - self.x.low)
        up = (y - self.y.low) / (self.y.high - self.y.low)
        inner_width, inner_height = self.width - self.left - self.right, self.height - self.top - self.bottom
        return round(self.left + across * inner_width, 1), round(self.top + (1 - up) * inner_height, 1)

    def axes(self, x_label: str, y_label: str) -> Markup:
        """Grid lines, tick labels and axis names."""
        parts = []
        left, base = self.at(self.x.low, self.y.low)
        right, top = self.at(self.x.high, self.y.high)
        for tick in self.x.ticks():
            x, _ = self.at(tick, self.y.low)
            parts.append(tag("line", x1=x, x2=x, y1=base, y2=base + 4, class_="axis"))
            text = self.x.tick_text(tick)
            parts.append(tag("text", text, x=x, y=base + 16, text_anchor="middle", fill="currentColor"))
        for tick in self.y.ticks():
            _, y = self.at(self.x.low, tick)
            parts.append(tag("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
            text = self.y.tick_text(tick)
            parts.append(tag("text", text, x=left - 6, y=y + 4, text_anchor="end", fill="currentColor"))
        parts.append(tag("line", x1=left, x2=right, y1=base, y2=base, class_="axis"))
        middle, halfway = (left + right) / 2, (base + top) / 2
        parts.append(
            tag("text", x_label, x=middle, y=base + 34, text_anchor="middle", class_="name", fill="currentColor")
        )
        turn = f"rotate(-90 12 {halfway:.1f})"
        parts.append(
            tag(
                "text",
                y_label,
                x=12,
                y=halfway,
                transform=turn,
                text_anchor="middle",
                class_="name",
                fill="currentColor",
            )
        )
        return _joined(parts)

    def chart(self, label: str, content: str) -> Markup:
        """Close the chart."""
        box = f"0 0 {self.width} {self.height}"
        return tag("svg", content, class_="chart", viewBox=box, role="img", aria_label=label)


def marker_path(index: int, x: float, y: float) -> str:
    """Path data of one group's mark around a point in pixels."""
    dx, dy, trail = _MARKERS[index % len(_MARKERS)]
    return f"M{x + dx:.1f} {y + dy:.1f}{trail}"


def group_swatch(index: int, label: str) -> Markup:
    """Draw the mark of one group for a legend."""
    mark = tag("path", d=marker_path(index, 6.0, 6.0), fill=GROUP_COLOURS[index % len(GROUP_COLOURS)])
    return tag("svg", mark, class_="swatch", viewBox="0 0 12 12", width=12, height=12, role="img", aria_label=label)


def factor_map(
    first: Sequence[float | None],
    second: Sequence[float | None],
    groups: Sequence[str | None],
    names: tuple[str, str] = ("factor 1", "factor 2"),
) -> tuple[Markup, list[str], int]:
    """Draw people on two factor scores, each stratum with its own mark and colour.

    Parameters
    ----------
    first, second : sequence of float, one per person
        Scores; people who lack one are not drawn.
    groups : sequence of str, one per person
        Stratum; null is drawn as the last group, "none".
    names : tuple of str
        Axis names.

    Returns
    -------
    chart, groups in the order of their marks, number of people drawn
        Above 1500 people every n-th is drawn, so that the page stays small.
    """
    people = [
        (float(x), float(y), group or "none")
        for x, y, group in zip(first, second, groups, strict=True)
        if x is not None and y is not None and not (is_null(x) or is_null(y))
    ]
    people = people[:: max(1, math.ceil(len(people) / _MOST_POINTS))]
    order = sorted({group for _, _, group in people}, key=lambda name: (name == "none", name))
    plane = Plane(Scale.around(x for x, _, _ in people), Scale.around(y for _, y, _ in people), height=320)
    parts = [plane.axes(*names)]
    for index, name in enumerate(order):
        marks = "".join(marker_path(index, *plane.at(x, y)) for x, y, group in people if group == name)
        colour = GROUP_COLOURS[index % len(GROUP_COLOURS)]
        parts.append(tag("path", d=marks, fill=colour, fill_opacity=0.75, stroke=colour, stroke_width=0.6))
    label = f"{len(people)} people on {names[0]} and {names[1]}, marked by stratum: {', '.join(order)}"
    return plane.chart(label, _joined(parts)), order, len(people)
