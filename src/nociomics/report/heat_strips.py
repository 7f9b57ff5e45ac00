"""Strips of measurements under each other, people side by side: a heat map that keeps its text on a phone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from nociomics.report.formats import is_null
from nociomics.report.plots import GROUP_COLOURS, tag

HEAT_STEPS = 3  # levels on either side of the middle
HEAT_STEP = 0.7  # standard deviations per level
_GAP = 0.012  # of the width, between two strata


def heat_level(value: float | None) -> int | None:
    """Put a value in standard deviations on one of seven levels, -3 to 3; null stays null.

    Examples
    --------
    >>> [heat_level(value) for value in (-5.0, -0.3, 0.36, 1.2, None)]
    [-3, 0, 1, 2, None]
    """
    if value is None or is_null(value):
        return None
    steps = math.floor(abs(value) / HEAT_STEP + 0.5)
    return int(math.copysign(min(steps, HEAT_STEPS), value)) if steps else 0


def heat_strip(values: Sequence[float | None], sizes: Sequence[int], label: str) -> Markup:
    """Draw one measurement over people side by side, coloured by level; a thin line where nothing was measured.

    Parameters
    ----------
    values : sequence of float, one per drawn column
        In standard deviations from the cohort's mean.
    sizes : sequence of int
        Columns of each stratum, in order; a gap follows each.
    label : str
        What a screen reader says.
    """
    width, starts = _heat_columns(sizes)
    trails: dict[int | None, list[tuple[float, int]]] = {}
    place = 0
    for start, size in zip(starts, sizes, strict=True):
        levels = [heat_level(value) for value in values[place : place + size]]
        for offset, run, level in _runs(levels):
            trails.setdefault(level, []).append((start + offset, run))
        place += size
    order = sorted(trails, key=lambda level: (level is not None, level or 0))
    paths = [
        tag("path", d=_trail(trails[level]), class_="heat-none" if level is None else f"heat-{level + HEAT_STEPS}")
        for level in order
    ]
    return tag(
        "svg", Markup("").join(paths), class_="strip heat", viewBox=f"0 0 {width:g} 10", preserveAspectRatio="none",
        width="100%", height=15, role="img", aria_label=label,
    )  # fmt: skip


def _heat_columns(sizes: Sequence[int]) -> tuple[float, list[float]]:
    """Width in columns with the gaps, and where each stratum starts."""
    gap = round(_GAP * sum(sizes), 2)
    starts = [sum(sizes[:place]) + place * gap for place in range(len(sizes))]
    return sum(sizes) + gap * max(len(sizes) - 1, 0), starts


def _runs(levels: Sequence[int | None]) -> Iterable[tuple[int, int, int | None]]:
    """Neighbours of one level, as start, length and level."""
    start = 0
    for place in range(1, len(levels) + 1):
        if place == len(levels) or levels[place] != levels[start]:
            yield start, place - start, levels[start]
            start = place


def _trail(pieces: Sequence[tuple[float, int]]) -> str:
    """Path data of horizontal pieces, each given relative to the end of the one before."""
    trail, end = "", 0.0
    for index, (start, length) in enumerate(pieces):
        trail += (
            f"M{start:g} 5h{length}" if index == 0 else f"m{start - end:.2f}".rstrip("0").rstrip(".") + f" 0h{length}"
        )
        end = start + length
    return trail


def heat_heading(names: Sequence[str], sizes: Sequence[int]) -> Markup:
    """Draw the row of strata above the strips: a bar in the stratum's colour, its name on it."""
    width, starts = _heat_columns(sizes)
    parts = []
    for index, (name, start, size) in enumerate(zip(names, starts, sizes, strict=True)):
        left, across = 100 * start / width, 100 * size / width
        colour = GROUP_COLOURS[index % len(GROUP_COLOURS)]
        parts.append(tag("rect", x=f"{left:.2f}%", y=16, width=f"{across:.2f}%", height=4, fill=colour))
        parts.append(tag("text", name, x=f"{left + across / 2:.2f}%", y=11, text_anchor="middle", fill="currentColor"))
    label = f"Order of the strips from left to right: {', '.join(names)}"
    return tag("svg", Markup("").join(parts), class_="strip", width="100%", height=22, role="img", aria_label=label)


def heat_swatches() -> Markup:
    """Draw the seven levels side by side, low to high."""
    cells = (tag("path", d=f"M{18 * level} 5h18", class_=f"heat-{level}") for level in range(2 * HEAT_STEPS + 1))
    return tag(
        "svg", Markup("").join(cells), class_="scale", viewBox="0 0 126 10", width=126, height=10, role="img",
        aria_label="Seven levels from low to high",
    )  # fmt: skip
