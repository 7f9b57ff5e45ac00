"""People flowing from one grouping to another, drawn as ribbons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from nociomics.report.plots import GROUP_COLOURS, tag

_WIDTH, _DRAWN_HIGH, _TOP = 380.0, 215.0, 6.0
_GAP, _TEXT_HIGH = 10.0, 22.0


@dataclass(frozen=True)
class Flow:
    """People of one group on the left who are in one stratum on the right."""

    left: str
    right: str
    people: int


def flow_chart(
    flows: Sequence[Flow], left: Sequence[str], right: Sequence[str], *, fewest: int, totals: Mapping[str, str]
) -> Markup:
    """Draw people flowing from groups on the left to strata on the right.

    Parameters
    ----------
    flows : sequence of Flow
        Every pair that occurs.
    left, right : sequence of str
        Groups and strata, top to bottom.
    fewest : int
        Flows of fewer people are not drawn: their place at both ends stays empty.
    totals : mapping of str to str
        What stands under each name: keys ``left:<name>`` and ``right:<name>``.
    """
    people = sum(flow.people for flow in flows) or 1
    unit = _DRAWN_HIGH / people
    sides = [_slots(names, side, flows, unit) for side, names in enumerate((left, right))]
    tall = max(sum(_room(size) for size in sizes) for sizes in sides) + 2 * _TOP
    starts, ends = (_placed(names, sizes, tall) for names, sizes in zip((left, right), sides, strict=True))
    used = {**{("left", name): 0.0 for name in left}, **{("right", name): 0.0 for name in right}}
    ribbons = []
    for flow in sorted(flows, key=lambda one: (left.index(one.left), right.index(one.right))):
        thick = flow.people * unit
        y0 = starts[flow.left][0] + used["left", flow.left]
        y1 = ends[flow.right][0] + used["right", flow.right]
        used["left", flow.left] += thick
        used["right", flow.right] += thick
        if flow.people >= fewest:
            colour = GROUP_COLOURS[right.index(flow.right) % len(GROUP_COLOURS)]
            ribbons.append(_ribbon(y0, y1, thick, colour, f"{flow.left} to {flow.right}: {flow.people} people"))
    bars = [
        *(_node(name, starts[name], 128.0, "end", totals[f"left:{name}"], "var(--muted)") for name in left),
        *(
            _node(name, ends[name], 296.0, "start", totals[f"right:{name}"], GROUP_COLOURS[place % len(GROUP_COLOURS)])
            for place, name in enumerate(right)
        ),
    ]
    label = (
        f"People by {len(left)} groups on the left and {len(right)} strata on the right; the figures are in the table"
    )
    box = f"0 0 {_WIDTH:g} {tall:.0f}"
    return tag("svg", Markup("").join([*ribbons, *bars]), class_="chart", viewBox=box, role="img", aria_label=label)


def _slots(names: Sequence[str], side: int, flows: Sequence[Flow], unit: float) -> list[float]:
    """Height of each bar of one side."""
    return [unit * sum(flow.people for flow in flows if (flow.left, flow.right)[side] == name) for name in names]


def _room(size: float) -> float:
    """Height that a bar takes with the space around it: two lines of text must fit beside it."""
    return max(size, _TEXT_HIGH) + _GAP


def _placed(names: Sequence[str], sizes: Sequence[float], tall: float) -> dict[str, tuple[float, float]]:
    """Top and height of each bar of one side, the whole in the middle of the picture."""
    y = (tall - sum(_room(size) for size in sizes)) / 2
    placed = {}
    for name, size in zip(names, sizes, strict=True):
        placed[name] = (y + (_room(size) - size) / 2, size)
        y += _room(size)
    return placed


def _ribbon(y0: float, y1: float, thick: float, colour: str, words: str) -> Markup:
    shape = (
        f"M132 {y0:.1f}C214 {y0:.1f} 214 {y1:.1f} 296 {y1:.1f}v{thick:.1f}"
        f"C214 {y1 + thick:.1f} 214 {y0 + thick:.1f} 132 {y0 + thick:.1f}z"
    )
    title = Markup(f"<title>{escape(words)}</title>")
    return tag("path", title, d=shape, fill=colour, fill_opacity=0.5, stroke=colour, stroke_width=0.8)


def _node(name: str, place: tuple[float, float], x: float, anchor: str, under: str, colour: str) -> Markup:
    top, size = place
    middle = top + size / 2
    text_x = x - 6 if anchor == "end" else x + 10
    short = name if len(name) <= 19 else f"{name[:18]}\N{HORIZONTAL ELLIPSIS}"
    return Markup("").join(
        [
            tag("rect", x=x, y=top, width=4, height=max(size, 0.8), fill=colour),
            tag("text", short, x=text_x, y=middle - 1, text_anchor=anchor, class_="name strong", fill="currentColor"),
            tag("text", under, x=text_x, y=middle + 12, text_anchor=anchor, fill="currentColor"),
        ]
    )
