"""Normal scores of single measurements, so that the shape of a scale is no evidence for groups of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

_MOST_KNOTS = 201


@dataclass(frozen=True)
class NormalScores:
    """Where a value stands among people, as a quantile of the normal distribution.

    The unit and the shape of a scale are conventions: a questionnaire with a floor or an analyte with a long tail is
    skewed among people of one kind too. Learned from people, so it belongs inside every refit.

    Attributes
    ----------
    values, scores : tuple of ndarray
        Per column, rising values and their scores; values between are interpolated, values beyond take the outermost
        score and slope on (a person beyond everybody stays further out than everybody). None: the column is kept as it
        is.
    """

    values: tuple[np.ndarray | None, ...]
    scores: tuple[np.ndarray | None, ...]

    def transform(self, standard: np.ndarray) -> np.ndarray:
        """Score each value of standardised columns; NaN stays NaN."""
        scored = standard.copy()
        for place, (values, scores) in enumerate(zip(self.values, self.scores, strict=True)):
            if values is not None and scores is not None:
                scored[:, place] = _interpolated(standard[:, place], values, scores)
        return scored

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "values": [None if one is None else one.tolist() for one in self.values],
            "scores": [None if one is None else one.tolist() for one in self.scores],
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> NormalScores:
        """Rebuild from `to_dict`."""
        parts = [
            tuple(None if one is None else np.asarray(one, dtype=float) for one in stored[name])
            for name in ("values", "scores")
        ]
        return cls(*parts)


def fit_normal_scores(standard: np.ndarray, scored: np.ndarray) -> NormalScores:
    """Learn normal scores of some columns.

    Parameters
    ----------
    standard : ndarray of shape (n_people, n_columns)
        Standardised; NaN where not measured.
    scored : ndarray of bool, shape (n_columns,)
        Columns to score. Components of wide blocks are sums of many measurements whose shape is no convention: they
        are better left alone.
    """
    learned = [
        _learned(column[~np.isnan(column)]) if asked else None for column, asked in zip(standard.T, scored, strict=True)
    ]
    return NormalScores(
        tuple(None if one is None else one[0] for one in learned),
        tuple(None if one is None else one[1] for one in learned),
    )


def _learned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < 2:
        return None
    middle = (np.cumsum(counts) - counts / 2) / len(values)
    scores = norm.ppf(middle)
    mean = np.average(scores, weights=counts)
    spread = np.sqrt(np.average((scores - mean) ** 2, weights=counts))
    scores = (scores - mean) / spread
    if len(distinct) > _MOST_KNOTS:
        even = np.linspace(scores[0], scores[-1], _MOST_KNOTS)
        kept = np.unique(np.round(np.interp(even, scores, np.arange(len(scores)))).astype(int))
        distinct, scores = distinct[kept], scores[kept]
    return distinct, scores


def _interpolated(column: np.ndarray, values: np.ndarray, scores: np.ndarray) -> np.ndarray:
    found = np.interp(column, values, scores)
    # standardised values: one deviation further out counts as one further out
    found = np.where(column > values[-1], scores[-1] + (column - values[-1]), found)
    found = np.where(column < values[0], scores[0] + (column - values[0]), found)
    return np.where(np.isnan(column), np.nan, found)
