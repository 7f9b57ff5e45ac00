"""The factor map of the strata page: people on two factors, the strata's ellipses, and where there is doubt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from nociomics.report.formats import plural
from nociomics.report.plots import GROUP_COLOURS, Plane, Scale, marker_path, tag

_MOST_POINTS = 1500
_CONTOURS = ((0.5, "contour"), (0.9, "contour wide"))  # shares of a stratum's people within its two ellipses
_CROSS = "m-4.2 -4.2l8.4 8.4m0 -8.4l-8.4 8.4"


@dataclass(frozen=True)
class MapPoint:
    """One person on two factor scores; ``group`` is the place of the most likely stratum, or None."""

    x: float
    y: float
    group: int | None
    between: bool = False
    atypical: bool = False


@dataclass(frozen=True)
class Cloud:
    """A stratum's component on the two factors of the map."""

    name: str
    group: int
    mean: tuple[float, float]
    covariance: tuple[tuple[float, float], tuple[float, float]]

    def reach(self, share: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """Least and largest x and y of the ellipse that holds a share of the component."""
        radius = _radius(share)
        spread = tuple(radius * math.sqrt(max(self.covariance[axis][axis], 0.0)) for axis in (0, 1))
        (x, y), (dx, dy) = self.mean, spread
        return (x - dx, x + dx), (y - dy, y + dy)


def _radius(share: float) -> float:
    """Mahalanobis distance within which a share of a Gaussian of two dimensions lies."""
    return math.sqrt(-2 * math.log(1 - share))


def stratum_map(points: Sequence[MapPoint], clouds: Sequence[Cloud], names: tuple[str, str]) -> tuple[Markup, int]:
    """Draw people on two factors: filled where the stratum is clear, hollow between strata, crossed where atypical.

    Parameters
    ----------
    points : sequence of MapPoint
        People without a stratum are drawn as the last mark, in grey.
    clouds : sequence of Cloud
        Drawn as two ellipses each, which hold half and nine tenths of the component; empty: none are drawn.
    names : tuple of str
        Axis names.

    Returns
    -------
    chart, number of people drawn
        Above 1500 people every n-th is drawn, so that the page stays small.
    """
    shown = points[:: max(1, math.ceil(len(points) / _MOST_POINTS))]
    reaches = [cloud.reach(_CONTOURS[-1][0]) for cloud in clouds]
    x_ends = [end for across, _ in reaches for end in across]
    y_ends = [end for _, up in reaches for end in up]
    x_scale = Scale.around((point.x for point in shown), include=x_ends)
    y_scale = Scale.around((point.y for point in shown), include=y_ends)
    plane = Plane(x_scale, y_scale, height=340)
    parts: list[Markup] = [plane.axes(*names)]
    for group in sorted({-1 if point.group is None else point.group for point in shown}):
        parts += _marks(plane, [point for point in shown if (-1 if point.group is None else point.group) == group])
    parts += [_ellipse(plane, cloud, share, kind) for cloud in clouds for share, kind in _CONTOURS]
    if len(clouds) > 1:
        parts += [_name(plane, cloud) for cloud in clouds]
    strata = ", ".join(cloud.name for cloud in clouds)
    doubtful = sum(point.between for point in shown)
    label = (
        f"{plural(len(shown), 'person', 'people')} on {names[0]} and {names[1]}"
        + (f", with the ellipses of {strata}" if strata else "")
        + f"; {doubtful} between strata, {sum(point.atypical for point in shown)} atypical"
    )
    return plane.chart(label, Markup("").join(parts)), len(shown)


def _marks(plane: Plane, points: Sequence[MapPoint]) -> list[Markup]:
    """One path per kind of mark, not one element per person."""
    group = points[0].group
    index = len(GROUP_COLOURS) - 1 if group is None else group
    colour = GROUP_COLOURS[index % len(GROUP_COLOURS)]
    clear = "".join(marker_path(index, *plane.at(point.x, point.y)) for point in points if not point.between)
    between = "".join(marker_path(index, *plane.at(point.x, point.y)) for point in points if point.between)
    odd = "".join("M{} {}".format(*plane.at(point.x, point.y)) + _CROSS for point in points if point.atypical)
    drawn = [
        tag("path", d=clear, fill=colour, fill_opacity=0.7, stroke=colour, stroke_width=0.6) if clear else None,
        tag("path", d=between, fill="none", stroke=colour, stroke_width=1.1) if between else None,
        tag("path", d=odd, class_="cross") if odd else None,
    ]
    return [part for part in drawn if part is not None]


def _ellipse(plane: Plane, cloud: Cloud, share: float, kind: str) -> Markup:
    """Turn a component's covariance into an ellipse in pixels."""
    x, y = plane.at(*cloud.mean)
    (x0, y0), (x1, y1) = plane.at(plane.x.low, plane.y.low), plane.at(plane.x.high, plane.y.high)
    stretch = np.diag([(x1 - x0) / (plane.x.high - plane.x.low), (y1 - y0) / (plane.y.high - plane.y.low)])
    values, vectors = np.linalg.eigh(stretch @ np.asarray(cloud.covariance) @ stretch)
    long, short = (_radius(share) * math.sqrt(max(float(value), 0.0)) for value in (values[1], values[0]))
    turn = math.degrees(math.atan2(float(vectors[1, 1]), float(vectors[0, 1])))
    return tag(
        "ellipse", rx=long, ry=short, transform=f"translate({x:.1f} {y:.1f}) rotate({turn:.1f})", class_=kind,
        stroke=GROUP_COLOURS[cloud.group % len(GROUP_COLOURS)],
    )  # fmt: skip


def _name(plane: Plane, cloud: Cloud) -> Markup:
    x, y = plane.at(*cloud.mean)
    return tag("text", cloud.name, x=x, y=y + 4, text_anchor="middle", class_="halo", fill="currentColor")


def map_swatch(kind: str, label: str) -> Markup:
    """Draw a mark for the legend of the map: ``clear``, ``between``, ``atypical``, ``half`` or ``most``."""
    if kind in ("clear", "between"):
        look = {"fill": "currentColor"} if kind == "clear" else {"fill": "none", "stroke": "currentColor"}
        mark = tag("path", d=marker_path(0, 7.0, 7.0), **look)
    elif kind == "atypical":
        mark = tag("path", d="M7 7" + _CROSS, class_="cross")
    else:
        look = {"class_": "contour" if kind == "half" else "contour wide"}
        mark = tag("ellipse", cx=7, cy=7, rx=6, ry=4.5, stroke="currentColor", **look)
    return tag("svg", mark, class_="swatch", viewBox="0 0 14 14", width=14, height=14, role="img", aria_label=label)
