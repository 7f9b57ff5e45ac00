"""Compare what a service was asked with what its model learned from, as far as counts and quantiles can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from nociomics.service.input_counts import TrainingPoints

FEWEST_PEOPLE = 50
"""Below this nothing is judged (project_default)."""
SHIFT, WORTH_A_LOOK, LEVEL = 0.15, 0.10, 0.01
"""Distances from which an input counts as shifted, or is worth a look, and the level of the test (project_default)."""
TOO_FEW, SHIFTED, LOOK, NONE_SEEN, CANNOT_TELL = "too few", "shifted", "worth a look", "none seen", "cannot tell"
_ON_EDGES = 0.05
_ORDER = (SHIFTED, LOOK, TOO_FEW, CANNOT_TELL, NONE_SEEN)


@dataclass(frozen=True)
class InputDrift:
    """One input.

    Attributes
    ----------
    feature, modality : str
        The input.
    verdict : str
        ``shifted``, ``worth a look``, ``none seen``, ``too few``, or ``cannot tell`` (no quantiles in the bundle).
    n : int
        People with a value.
    distance : float, optional
        Kolmogorov-Smirnov distance at the training quantiles, a lower bound: 0 the same, 1 wholly elsewhere. Of
        categories the largest difference of a share.
    p : float, optional
        Of that distance under no shift, adjusted for the quantiles (or categories) and for all inputs (Bonferroni):
        exact hypergeometric tails of so many of both groups together, since training people are a sample too.
    psi : float, optional
        Population stability index over the intervals between the quantiles, or over categories; null where values tie
        with quantiles.
    missing, missing_in_training : float
        Share without a value.
    missing_verdict : str
        The same words for that share.
    unseen : float, optional
        Share of people in categories that training did not have.
    """

    feature: str
    modality: str
    verdict: str
    n: int
    distance: float | None
    p: float | None
    psi: float | None
    missing: float
    missing_in_training: float
    missing_verdict: str
    unseen: float | None = None


def compare(points: TrainingPoints, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Compare counts with a bundle's training quantiles, input by input, the most notable first.

    Parameters
    ----------
    points : TrainingPoints
        From `input_counts.training_points`.
    counts : mapping
        From `input_counts.read_counts`.

    Returns
    -------
    dict
        ``people``, ``statuses``, ``verdicts`` (how many inputs of each), ``inputs`` (see `InputDrift`).

    References
    ----------
    Kolmogorov 1933 for the distance; the population stability index as used in credit scoring, whose usual limits
    (0.1, 0.25) say nothing about sample size, which is why the verdict does not rest on it.
    """
    tests = max(len(counts["numeric"]) + len(counts["categories"]), 1)
    people = int(counts["people"])
    found = [
        _numeric(name, entry, points, people, tests)
        for name, entry in counts["numeric"].items()
        if name in points.edges
    ]
    found += [
        _category(name, entry, points, people, tests)
        for name, entry in counts["categories"].items()
        if name in points.categories
    ]
    found.sort(key=lambda one: (_ORDER.index(one.verdict), -(one.distance or 0.0), one.feature))
    verdicts = {word: sum(one.verdict == word for one in found) for word in _ORDER}
    return {
        "people": people,
        "statuses": dict(counts["statuses"]),
        "verdicts": verdicts,
        "inputs": [asdict(one) for one in found],
        "training_people": points.people,
        "basis": "quantiles (5 to 95 %), shares of categories and of missing values that the bundle keeps of training",
    }


def _numeric(name: str, entry: Mapping[str, Any], points: TrainingPoints, people: int, tests: int) -> InputDrift:
    cells = np.asarray(entry["cells"], dtype=float)
    edges, shares = points.edges[name], points.shares[name]
    n, figures = int(cells.sum()), None
    if edges and n:
        figures = (*_distance(cells, shares, n, points.with_value(name), tests), _stability(cells, shares, n))
    missing = _missing(name, entry["missing"], points, people, tests)
    return InputDrift(name, points.modality[name], *_judged(n, bool(edges), figures), *missing)


def _category(name: str, entry: Mapping[str, Any], points: TrainingPoints, people: int, tests: int) -> InputDrift:
    n = sum(entry["known"].values()) + entry["other"]
    expected, trained = points.category_shares[name], points.with_value(name)
    figures = None
    if expected and n:
        # training had none of what it does not know
        shares = np.array([*expected.values(), 0.0])
        found = np.array([*(entry["known"].get(word, 0) for word in expected), entry["other"]], dtype=float)
        p = float(min(1.0, 2 * len(shares) * tests * _tails(found, n, np.round(shares * trained), trained).min()))
        figures = (float(np.abs(found / n - shares).max()), p, _index(found, shares))
    missing = _missing(name, entry["missing"], points, people, tests)
    unseen = entry["other"] / n if n else None
    return InputDrift(name, points.modality[name], *_judged(n, bool(expected), figures), *missing, unseen)


def _judged(
    n: int, comparable: bool, figures: tuple[float, float, float | None] | None
) -> tuple[str, int, float | None, float | None, float | None]:
    """Return verdict, people, distance, p and stability of one input, as `InputDrift` has them."""
    if figures is None:
        return (TOO_FEW if comparable else CANNOT_TELL), n, None, None, None
    verdict = _verdict(figures[0], figures[1]) if n >= FEWEST_PEOPLE else TOO_FEW
    return verdict, n, *figures


def _missing(name: str, missing: int, points: TrainingPoints, people: int, tests: int) -> tuple[float, float, str]:
    expected = points.missing[name]
    share = missing / people if people else 0.0
    if people < FEWEST_PEOPLE:
        return share, expected, TOO_FEW
    lacking = points.people - points.with_value(name)
    tail = float(_tails(np.array([missing]), people, np.array([lacking]), points.people).min())
    return share, expected, _verdict(abs(share - expected), min(1.0, 2 * tests * tail))


def _verdict(distance: float, p: float) -> str:
    if p >= LEVEL or distance < WORTH_A_LOOK:
        return NONE_SEEN
    return SHIFTED if distance >= SHIFT else LOOK


def _distance(
    cells: np.ndarray, shares: Sequence[tuple[float, float]], n: int, trained: int, tests: int
) -> tuple[float, float]:
    """Return how far the shares at or below (and below) each quantile lie from what training says, and its p.

    Of a quantile q at e, training had at least q at or below e and at most q below it: a value that many people
    share, such as a score of 0, is then no drift by itself.
    """
    summed = np.cumsum(cells)
    below, within = summed[0::2][: len(shares)], summed[1::2][: len(shares)]
    at_most, at_least = np.asarray(shares).T
    gap = np.maximum(np.maximum(at_least - within / n, below / n - at_most), 0.0)
    tails = np.minimum(
        _few(within, n, np.round(at_least * trained), trained), _many(below, n, np.round(at_most * trained), trained)
    )
    return float(gap.max()), float(min(1.0, 2 * len(shares) * tests * tails.min()))


def _few(found: np.ndarray, n: int, trained_found: np.ndarray, trained: int) -> np.ndarray:
    """Chance of so few among ``n``, given so many among them and the training people together (Fisher 1935)."""
    return np.asarray(hypergeom.cdf(found, n + trained, found + trained_found, n))


def _many(found: np.ndarray, n: int, trained_found: np.ndarray, trained: int) -> np.ndarray:
    return np.asarray(hypergeom.sf(found - 1, n + trained, found + trained_found, n))


def _tails(found: np.ndarray, n: int, trained_found: np.ndarray, trained: int) -> np.ndarray:
    return np.asarray(np.minimum(_few(found, n, trained_found, trained), _many(found, n, trained_found, trained)))


def _stability(cells: np.ndarray, shares: Sequence[tuple[float, float]], n: int) -> float | None:
    """Return the population stability index, None where quantiles coincide or values lie on them."""
    on_edges = cells[1::2].sum()
    if any(low != high for low, high in shares) or on_edges > _ON_EDGES * n:
        return None
    between = cells[0::2].copy()
    between[1:] += cells[1::2]
    return _index(between, np.diff(np.concatenate([[0.0], [share for share, _ in shares], [1.0]])))


def _index(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the population stability index of counts; half a person where there is none, so that logarithms exist."""
    actual = np.maximum(found, 0.5) / np.maximum(found, 0.5).sum()
    smallest = np.maximum(expected, 0.5 / max(found.sum(), 1.0))
    return float(np.sum((actual - smallest) * np.log(actual / smallest)))
