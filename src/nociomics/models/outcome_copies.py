"""Features that give the outcome away: a copy of it, or one that tells its classes apart without an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from nociomics.tables.study import Target

SAME = 0.999
_FEWEST = 20
_FEWEST_OF_CLASS = 8  # of two classes that small, chance separates one feature in ten thousand
_SCREENED_PAIRS, _SCREENED_PEOPLE = 32, 64
_COLUMNS_AT_ONCE, _VALUES_AT_ONCE = 1000, 10_000_000


@dataclass(frozen=True)
class OutcomeCopy:
    """A feature that should not know the outcome, and does.

    ``correlation`` is the larger of Pearson's and Spearman's, by size; 1 for a feature that determines the class.
    """

    feature: str
    of: Literal["outcome", "class"]
    people: int
    correlation: float


def outcome_copies(
    rows: pl.DataFrame, features: pl.DataFrame, catalogue: pl.DataFrame, target: Target
) -> list[OutcomeCopy]:
    """Find features that are the outcome under another name.

    A feature is a copy of a value when Pearson's or Spearman's correlation exceeds 0.999 by size, among at least 20
    people. It determines a class when no value of it occurs in two classes and, for numbers, each class takes one
    stretch of its range; every class then needs 8 people, since few are separated by chance.

    Parameters
    ----------
    rows, features : DataFrame, one row per person, in the same order
        As in `TARGET_ROWS` and `FEATURES`.
    catalogue : DataFrame
        As in `FEATURE_CATALOGUE`.

    Returns
    -------
    list of OutcomeCopy
        In the catalogue's order; nothing is changed or left out.
    """
    named = catalogue.filter(pl.col("feature").is_in(features.columns))
    numbers = named.filter(pl.col("kind") != "category")["feature"].to_list()
    found: dict[str, OutcomeCopy] = {}
    labels = _labels(rows, target)
    for name in named.filter(pl.col("kind") == "category")["feature"]:
        _add(found, _determined(name, features[name], labels))
    values = [] if target.kind in ("binary", "multiclass") else [_numbers(rows["outcome"])]
    values += [_numbers(rows["response_value"])] if target.kind == "change" else []
    for names, block in _blocks(features, numbers):
        for y in values:
            for place in _in_step(block, y):
                _add(found, _copied(names[place], block[:, place], y))
        for place in _in_stretches(block, labels):
            _add(found, _separated(names[place], block[:, place], labels))
    return [found[name] for name in named["feature"] if name in found]


def _add(found: dict[str, OutcomeCopy], copy: OutcomeCopy | None) -> None:
    if copy is not None:
        found.setdefault(copy.feature, copy)


def _labels(rows: pl.DataFrame, target: Target) -> np.ndarray:
    """Class of each person as a number, -1 for those without one."""
    column = "label" if target.kind in ("binary", "multiclass") else "responded"
    ranks = rows[column].cast(pl.String).rank("dense")
    return ranks.cast(pl.Int64).fill_null(0).to_numpy() - 1


def _numbers(column: pl.Series) -> np.ndarray:
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _blocks(features: pl.DataFrame, names: list[str]) -> Iterator[tuple[list[str], np.ndarray]]:
    """Yield some columns at a time, so that neither twenty thousand genes nor many people are held twice."""
    at_once = min(_COLUMNS_AT_ONCE, max(1, _VALUES_AT_ONCE // max(1, features.height)))
    for start in range(0, len(names), at_once):
        part = names[start : start + at_once]
        yield part, features.select(pl.col(part).cast(pl.Float64).fill_null(np.nan)).to_numpy()


def _in_step(block: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Places of columns that nearly always rise, or nearly always fall, from a low to a high outcome.

    A quick screen that no copy fails: pairs of people are far apart in the outcome.
    """
    known = np.flatnonzero(~np.isnan(y))
    order = known[np.argsort(y[known], kind="stable")]
    if order.size < _FEWEST:
        return np.zeros(0, dtype=np.int64)
    steps = np.unique(np.linspace(0, order.size // 2 - 1, _SCREENED_PAIRS).astype(int))
    low, high = order[steps], order[::-1][steps]
    apart = y[high] > y[low]
    rise = block[high[apart]] - block[low[apart]]
    same_way = np.maximum((rise > 0).sum(axis=0), (rise < 0).sum(axis=0))
    seen = (~np.isnan(rise)).sum(axis=0)
    return np.flatnonzero((same_way >= 0.9 * seen) | (seen < 5))


def _copied(name: str, x: np.ndarray, y: np.ndarray) -> OutcomeCopy | None:
    both = ~np.isnan(x) & ~np.isnan(y)
    if both.sum() < _FEWEST or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return None
    linear = abs(np.corrcoef(x[both], y[both])[0, 1])
    ranked = abs(np.corrcoef(_ranks(x[both]), _ranks(y[both]))[0, 1])
    size = float(max(linear, ranked))
    return OutcomeCopy(name, "outcome", int(both.sum()), min(size, 1.0)) if size > SAME else None


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank from 1; equal values share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place])


def _in_stretches(block: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Places of columns in whose order some people's classes change no more often than there are classes."""
    classes = labels.max(initial=-1) + 1
    known = np.flatnonzero(labels >= 0)
    if classes < 2 or known.size < 2 * _FEWEST_OF_CLASS:
        return np.zeros(0, dtype=np.int64)
    steps = np.unique(np.linspace(0, known.size - 1, _SCREENED_PEOPLE).astype(int))
    chosen = known[np.argsort(labels[known], kind="stable")][steps]
    order = np.argsort(block[chosen], axis=0, kind="stable")
    seen = ~np.isnan(np.take_along_axis(block[chosen], order, axis=0))
    sorted_labels = labels[chosen][order]
    changes = ((sorted_labels[1:] != sorted_labels[:-1]) & seen[1:] & seen[:-1]).sum(axis=0)
    return np.flatnonzero(changes < classes)


def _separated(name: str, x: np.ndarray, labels: np.ndarray) -> OutcomeCopy | None:
    both = ~np.isnan(x) & (labels >= 0)
    if not _classes_large_enough(labels[both]):
        return None
    order = np.argsort(x[both], kind="stable")
    value, label = x[both][order], labels[both][order]
    changed = label[1:] != label[:-1]
    tied = changed & (value[1:] == value[:-1])
    if tied.any() or changed.sum() != np.unique(label).size - 1:
        return None
    return OutcomeCopy(name, "class", int(both.sum()), 1.0)


def _determined(name: str, column: pl.Series, labels: np.ndarray) -> OutcomeCopy | None:
    """Say whether every word of a category belongs to one class; a column of ids, new for everybody, says nothing."""
    both = pl.DataFrame({"word": column.cast(pl.String), "label": labels}).drop_nulls().filter(pl.col("label") >= 0)
    if not _classes_large_enough(both["label"].to_numpy()) or both["word"].n_unique() > both.height / 3:
        return None
    pure = both.group_by("word").agg(pl.col("label").n_unique())["label"].max() == 1
    return OutcomeCopy(name, "class", both.height, 1.0) if pure else None


def _classes_large_enough(labels: np.ndarray) -> bool:
    counts = np.unique(labels, return_counts=True)[1]
    return counts.size > 1 and bool(counts.min() >= _FEWEST_OF_CLASS)
