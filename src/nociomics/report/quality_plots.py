"""Small pictures of the data-quality page: histograms with their plausible range, boxes per batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from nociomics.report.formats import number
from nociomics.report.plots import Scale, tag

_WIDTH, _HEIGHT, _BASE = 220.0, 62.0, 46.0
_EDGE = 3.0
_MOST_TICKS = 4


def short(value: float) -> str:
    """Write a number as short as three digits allow.

    Examples
    --------
    >>> short(0.05), short(2000.0), short(2_500_000.0), short(-1.234)
    ('0.05', '2000', '2.5e6', '\u22121.23')
    """
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if not -4 <= magnitude < 6:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}".replace("-", "\N{MINUS SIGN}")
    text = number(value, max(2 - magnitude, 0))
    return text.rstrip("0").rstrip(".") if "." in text else text


def histogram(
    bins: Sequence[Mapping[str, Any]], *, log: bool, low: float | None, high: float | None, label: str
) -> Markup:
    """Draw a histogram; bars outside the plausible range have another colour, and dashed lines mark its ends.

    Parameters
    ----------
    bins : sequence of mapping
        ``low, high, count`` in rising order; a null edge is open and drawn as wide as its neighbour.
    log : bool
        Whether the axis is a log axis.
    low, high : float or None
        The plausible range.
    label : str
        What a screen reader says.
    """
    shown = [_closed(entry, bins, log) for entry in bins]
    if not shown:
        return Markup("")
    start, end = shown[0][0], shown[-1][1]
    most = max(count for *_, count in shown) or 1

    def across(value: float) -> float:
        return _EDGE + (_WIDTH - 2 * _EDGE) * (value - start) / (end - start)

    bars = {"inside": "", "outside": ""}
    for (left, right, count), entry in zip(shown, bins, strict=True):
        if count:
            top = (_BASE - 4) * count / most
            side = "outside" if _is_outside(entry, low, high) else "inside"
            bars[side] += f"M{across(left):.1f} {_BASE:g}v-{max(top, 1):.1f}H{across(right) - 0.6:.1f}V{_BASE:g}z"
    parts = [tag("path", d=trail, class_=f"bin {side}") for side, trail in bars.items() if trail]
    parts.append(tag("line", x1=_EDGE, x2=_WIDTH - _EDGE, y1=_BASE, y2=_BASE, class_="axis"))
    half = 0.5 if _is_whole(bins) else 0.0  # a bin of whole numbers reaches half beyond them
    for limit in (low - half if low is not None else None, high + half if high is not None else None):
        place = _on_axis(limit, log)
        if place is not None and start <= place <= end:
            parts.append(tag("line", x1=across(place), x2=across(place), y1=2, y2=_BASE, class_="guide"))
    parts += [_tick(across(_position(value, log)), text) for value, text in _ticks(start, end, log, half > 0)]
    box = f"0 0 {_WIDTH:g} {_HEIGHT:g}"
    return tag("svg", Markup("").join(parts), class_="histogram", viewBox=box, role="img", aria_label=label)


def _is_whole(bins: Sequence[Mapping[str, Any]]) -> bool:
    edges = [entry["low"] for entry in bins if entry["low"] is not None]
    return bool(edges) and all(edge % 1 == 0.5 for edge in edges)


def _closed(entry: Mapping[str, Any], bins: Sequence[Mapping[str, Any]], log: bool) -> tuple[float, float, int]:
    """Edges on the axis; an open bin is as wide as the first closed one."""
    whole = [one for one in bins if _on_axis(one["low"], log) is not None and one["high"] is not None]
    width = _position(whole[0]["high"], log) - _position(whole[0]["low"], log) if whole else 1.0
    left, right = _on_axis(entry["low"], log), _on_axis(entry["high"], log)
    if left is None:
        left = (right if right is not None else width) - width
    return left, right if right is not None else left + width, int(entry["count"])


def _on_axis(value: float | None, log: bool) -> float | None:
    """Place of an edge on the axis; None for an open edge, as is 0 on a log axis."""
    return None if value is None or (log and value <= 0) else _position(value, log)


def _position(value: float, log: bool) -> float:
    return math.log10(value) if log else value


def _is_outside(entry: Mapping[str, Any], low: float | None, high: float | None) -> bool:
    """Tell whether a whole bin lies outside; one that holds the end counts as inside."""
    under = low is not None and entry["high"] is not None and entry["high"] <= low
    return under or (high is not None and entry["low"] is not None and entry["low"] > high)


def _ticks(start: float, end: float, log: bool, whole: bool) -> list[tuple[float, str]]:
    if not log:
        ticks = Scale(start, end).ticks(_MOST_TICKS)
        return [(tick, short(tick)) for tick in ticks if not whole or tick % 1 == 0]
    powers = range(math.floor(start), math.ceil(end) + 1)
    values = [10.0**power * factor for power in powers for factor in (1, 3)]
    inside = [value for value in values if start <= math.log10(value) <= end]
    every = max(1, math.ceil(len(inside) / (_MOST_TICKS + 1)))
    return [(value, short(value)) for value in inside[::every]]


def _tick(x: float, text: str) -> Markup:
    room = 4.0 * len(text)
    anchor = "start" if x < room else "end" if x > _WIDTH - room else "middle"
    mark = tag("line", x1=x, x2=x, y1=_BASE, y2=_BASE + 3, class_="axis")
    return mark + tag("text", text, x=x, y=_BASE + 14, text_anchor=anchor, fill="currentColor")


def box_strip(row: Mapping[str, Any], scale: Scale, label: str) -> Markup:
    """Draw the middle half of a group's values as a bar, the median as a line, 5% to 95% as a whisker.

    Parameters
    ----------
    row : mapping
        ``low, lower_quartile, median, upper_quartile, high``; nothing is drawn when they are null.
    scale : Scale
        Shared by all groups of a table.
    """
    parts = []
    if row["median"] is not None:
        ends = [f"{scale.percent(row[name]):.2f}%" for name in ("low", "high")]
        parts.append(tag("line", x1=ends[0], x2=ends[1], y1=9, y2=9, class_="axis"))
        left, right = (scale.percent(row[name]) for name in ("lower_quartile", "upper_quartile"))
        parts.append(
            tag("rect", x=f"{left:.2f}%", width=f"{max(right - left, 0.5):.2f}%", y=3, height=12, class_="box")
        )
        middle = f"{scale.percent(row['median']):.2f}%"
        parts.append(tag("line", x1=middle, x2=middle, y1=1, y2=17, class_="median"))
    content = Markup("").join(parts) or tag("g")
    return tag("svg", content, class_="strip", width="100%", height=18, role="img", aria_label=label)


def box_words(row: Mapping[str, Any], log: bool) -> str:
    """Say what a box shows."""
    if row["median"] is None:
        return f"{row['level']}: too few values for a picture"
    back = [10 ** row[name] if log else row[name] for name in ("lower_quartile", "median", "upper_quartile")]
    return f"{row['level']}: median {short(back[1])}, middle half {short(back[0])} to {short(back[2])}"


def shares_strip(shares: Sequence[float], label: str) -> Markup:
    """Draw one thin bar per share of 0 to 1, side by side: missing answers, item by item."""
    width = 100.0 / max(len(shares), 1)
    bars = "".join(
        tag(
            "rect", x=f"{index * width:.2f}%", width=f"{width * 0.8:.2f}%", y=f"{16 - 16 * min(share, 1):.1f}",
            height=f"{max(16 * min(share, 1), 0.4):.1f}", class_="bar up",
        )
        for index, share in enumerate(shares)
    )  # fmt: skip
    line = tag("line", x1=0, x2="100%", y1=16.5, y2=16.5, class_="axis")
    return tag("svg", Markup(bars) + line, class_="strip", width="100%", height=18, role="img", aria_label=label)


def value_axis(scale: Scale, log: bool) -> list[str]:
    """Write the two ends of a scale in the values' own unit."""
    return [short(10**end if log else end) for end in (scale.low, scale.high)]
