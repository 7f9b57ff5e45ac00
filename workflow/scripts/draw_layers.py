"""Place a graph in layers, top to bottom: sources above their readers, long arrows led round the boxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 24
_LANE = 22.0
_GRAVITY = 0.5


@dataclass(frozen=True)
class Placed:
    """Where each box lies.

    Attributes
    ----------
    centre : dict of str to float
        Middle of each box, and of each place where a long arrow passes a layer (``source>target@layer``).
    layer : dict of str to int
        Row, 0 at the top.
    edges : list of (str, str)
        Source and reader.
    """

    centre: dict[str, float]
    layer: dict[str, int]
    edges: list[tuple[str, str]]
    box_width: float
    layer_height: float
    width: float
    height: float

    def corner(self, name: str, left: float, top: float) -> tuple[float, float]:
        """Upper left corner of a box."""
        return round(left + self.centre[name] - self.box_width / 2, 1), top + self.layer[name] * self.layer_height

    def readers(self, name: str) -> Iterator[str]:
        """Who reads from a box."""
        return (reader for source, reader in self.edges if source == name)

    def lines(self, left: float, top: float, box_height: float) -> Iterator[list[tuple[float, float]]]:
        """Points of each arrow, from the lower edge of the source to the upper edge of the reader."""
        for source, reader in self.edges:
            points = [(left + self.centre[source], top + self.layer[source] * self.layer_height + box_height)]
            for row in range(self.layer[source] + 1, self.layer[reader]):
                x, y = left + self.centre[_lane(source, reader, row)], top + row * self.layer_height
                points += [(x, y), (x, y + box_height)]
            points.append((left + self.centre[reader], top + self.layer[reader] * self.layer_height - 1))
            yield points


def _lane(source: str, reader: str, row: int) -> str:
    return f"{source}>{reader}@{row}"


def placed_in_layers(reads: dict[str, set[str]], box_width: float, gap: float, layer_height: float) -> Placed:
    """Place boxes below everything that they read.

    Parameters
    ----------
    reads : dict of str to set of str
        Box -> boxes that it reads from; no circle.
    """
    layer = _layers(reads)
    edges = [(source, reader) for reader in reads for source in sorted(reads[reader])]
    rows: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for name in reads:
        rows[layer[name]].append(name)
    links: list[tuple[str, str]] = []
    for source, reader in edges:
        chain = [source]
        for row in range(layer[source] + 1, layer[reader]):
            chain.append(_lane(source, reader, row))
            rows[row].append(chain[-1])
        chain.append(reader)
        links += list(pairwise(chain))
    widths = {name: box_width if name in reads else _LANE for row in rows for name in row}
    _order(rows, links)
    centre = _positions(rows, links, widths, gap)
    low = min(centre[name] - widths[name] / 2 for name in centre)
    high = max(centre[name] + widths[name] / 2 for name in centre)
    centre = {name: value - low for name, value in centre.items()}
    return Placed(centre, layer, edges, box_width, layer_height, high - low, len(rows) * layer_height)


def _layers(reads: dict[str, set[str]]) -> dict[str, int]:
    """Longest way from a source; a source stands just above its first reader."""
    depth: dict[str, int] = {}

    def of(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((of(source) for source in reads[name]), default=-1)
        return depth[name]

    layer = {name: of(name) for name in reads}
    for name in reads:
        readers = [layer[reader] for reader in reads if name in reads[reader]]
        if not reads[name] and readers:
            layer[name] = min(readers) - 1
    return layer


def _neighbours(links: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for upper, lower in links:
        found.setdefault(upper, []).append(lower)
        found.setdefault(lower, []).append(upper)
    return found


def _order(rows: list[list[str]], links: list[tuple[str, str]]) -> None:
    """Order each row by the mean place of its neighbours, to and fro, so that few arrows cross."""
    near = _neighbours(links)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for index in range(1, len(rows)) if forward else range(len(rows) - 2, -1, -1):
            beside = rows[index - 1 if forward else index + 1]
            place = {name: at / max(len(beside) - 1, 1) for at, name in enumerate(beside)}

            def mean(name: str, place: dict[str, float] = place, row: list[str] = rows[index]) -> float:
                known = [place[other] for other in near.get(name, []) if other in place]
                return sum(known) / len(known) if known else row.index(name) / max(len(row) - 1, 1)

            rows[index] = sorted(rows[index], key=mean)


def _positions(
    rows: list[list[str]], links: list[tuple[str, str]], widths: dict[str, float], gap: float
) -> dict[str, float]:
    """Draw each box towards its neighbours without letting boxes of one row overlap."""
    near = _weighted(links)
    centre: dict[str, float] = {}
    for row in rows:
        total = sum(widths[name] for name in row) + gap * (len(row) - 1)
        x = -total / 2
        for name in row:
            centre[name] = x + widths[name] / 2
            x += widths[name] + gap
    for _ in range(_SWEEPS * 20):
        for row in rows:
            wanted = [_pulled(near.get(name, []), centre) for name in row]
            for name, x in zip(row, _apart(wanted, [widths[name] for name in row], gap), strict=True):
                centre[name] = x
    return centre


def _weighted(links: list[tuple[str, str]]) -> dict[str, list[tuple[str, float]]]:
    """Neighbours with their pull: strong inside a long arrow and along a chain, so that they stay straight."""
    near = _neighbours(links)
    above, below = {lower for _, lower in links}, {upper for upper, _ in links}
    found: dict[str, list[tuple[str, float]]] = {}
    for upper, lower in links:
        long = "@" in upper and "@" in lower
        chain = len(near[upper]) <= 1 + (upper in above) and len(near[lower]) <= 1 + (lower in below)
        pull = 8.0 if long else 3.0 if chain else 1.0
        found.setdefault(upper, []).append((lower, pull))
        found.setdefault(lower, []).append((upper, pull))
    return found


def _pulled(near: list[tuple[str, float]], centre: dict[str, float]) -> float:
    """Where a box would stand: between its neighbours, and a little towards the middle."""
    total = _GRAVITY + sum(pull for _, pull in near)
    return sum(centre[other] * pull for other, pull in near) / total


def _apart(wanted: list[float], widths: list[float], gap: float) -> list[float]:
    """Keep the order and the distances, as near to the wanted places as pushing from both sides gives."""
    right, left = list(wanted), list(wanted)
    for i in range(1, len(wanted)):
        right[i] = max(right[i], right[i - 1] + (widths[i - 1] + widths[i]) / 2 + gap)
    for i in range(len(wanted) - 2, -1, -1):
        left[i] = min(left[i], left[i + 1] - (widths[i + 1] + widths[i]) / 2 - gap)
    return [(a + b) / 2 for a, b in zip(right, left, strict=True)]
