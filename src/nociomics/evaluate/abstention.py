"""Is the model more often right where it is more sure? Figures among the people whom it would answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from nociomics.evaluate.bootstrap import Statistic, bootstrap_interval, mean_interval, weighted_ratio
from nociomics.evaluate.estimate import Estimate, FloatArray, IntArray, estimate, finite, not_computed
from nociomics.evaluate.metric_sets import FEWEST_PEOPLE, Sampling
from nociomics.evaluate.panel import Panel, Scores
from nociomics.evaluate.policy import best_fixed_by_fold, chosen_scores, mean_value
from nociomics.evaluate.received import Rows

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
FEWEST_KEPT = 20


def sureness(probability: FloatArray) -> FloatArray:
    """Return how sure a prediction is: 1 - entropy / log K, from 0 (all classes alike) to 1.

    Parameters
    ----------
    probability : array of float, shape (n,) or (n, K)
        Probability of an event, or of each class.

    Examples
    --------
    >>> sureness(np.array([0.5, 1.0])).round(6).tolist()
    [0.0, 1.0]
    """
    p = np.stack([1 - probability, probability], axis=1) if probability.ndim == 1 else probability
    terms = p * np.log(p, where=p > 0, out=np.zeros_like(p))
    return np.asarray(1 + terms.sum(axis=1) / np.log(p.shape[1]))


def choice_curve(panel: Panel, scores: Scores) -> list[dict[str, Any]]:
    """Return what the model's choice is worth among those whose two best treatments it tells most apart.

    People are ordered by the distance between their two best expectations (out of fold, mean over repeats): the
    others would be abstained from. Worth is the gain over a treatment drawn by lot, doubly robust: it grows with
    fewer people kept where a clear favourite is right more often. The gain over the best fixed treatment need not
    grow, since the clearest favourites are often that very treatment; it stands beside.

    Returns
    -------
    list of dict, one per share kept
        ``share, n, value, lower, upper`` (gain over lots, 95 % normal interval; larger is better) and
        ``gain_over_best_fixed`` (the fixed treatment chosen in the other folds).
    """
    over_lots, over_fixed, margins = [], [], []
    for r, layer in enumerate(scores.values):
        expected = panel.expected[r, scores.people]
        chosen = chosen_scores(layer, expected.argmax(axis=1))
        over_lots.append(chosen - layer.mean(axis=1))
        over_fixed.append(chosen - chosen_scores(layer, best_fixed_by_fold(layer, panel.fold[r, scores.people])))
        margins.append(_margin(expected))
    gain, beside = np.mean(over_lots, axis=0), np.mean(over_fixed, axis=0)
    order = np.argsort(-np.mean(margins, axis=0), kind="stable")
    rows = []
    for share, kept in _kept(order.size):
        found, other = mean_value(gain[order[:kept]]), float(beside[order[:kept]].mean())
        ends = _ends((found.value, found.lower, found.upper))
        rows.append({"share": share, "n": kept, **ends, "gain_over_best_fixed": finite(other)})
    return rows


def _margin(expected: FloatArray) -> FloatArray:
    ordered = np.sort(expected, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def prediction_curve(rows: Rows, sampling: Sampling) -> list[dict[str, Any]]:
    """Return how often the likelier answer is right among the people of whom the model is surest.

    People are ordered by `sureness`, within each repeat; the answer is the likelier class (0.5 for an event).

    Returns
    -------
    list of dict, one per share kept
        ``share, n, value, lower, upper`` (accuracy, 95 % percentile interval over people) and ``brier``.
    """
    right, loss = _right_and_loss(rows)
    rank = _rank_within_repeat(sureness(rows.predicted), rows.repeat)
    found = []
    for share, kept in _kept(rows.n):
        inside = rank < share
        people = np.unique(rows.people[inside], return_inverse=True)[1].astype(np.int64)
        ends = mean_interval(right[inside], people, resamples=sampling.resamples, seed=sampling.seed)
        found.append({"share": share, "n": kept, **_ends(ends), "brier": finite(float(loss[inside].mean()))})
    return found


def sureness_metrics(rows: Rows, sampling: Sampling) -> dict[str, Estimate]:
    """Return accuracy among the surer half, and what it is more than among the less sure half (paired over people)."""
    names = ("surest_half_accuracy", "surest_half_gain")
    if rows.n < 2 * FEWEST_PEOPLE:
        reason = f"only {rows.n} people have both an observation and a prediction (at least {2 * FEWEST_PEOPLE})"
        return {name: not_computed(reason, rows.n) for name in names}
    right, _ = _right_and_loss(rows)
    surer = _rank_within_repeat(sureness(rows.predicted), rows.repeat) < 0.5
    accuracy, other = _mean_where(right, surer), _mean_where(right, ~surer)
    how = "ordered by entropy of the prediction, out of fold"
    made = {names[0]: (accuracy, f"accuracy of the surer half, {how}")}
    made[names[1]] = (lambda w: accuracy(w) - other(w), f"surer half less the other half, {how}")
    return {name: _by_resampling(rows, statistic, method, sampling) for name, (statistic, method) in made.items()}


def _by_resampling(rows: Rows, statistic: Statistic, method: str, sampling: Sampling) -> Estimate:
    value, lower, upper = bootstrap_interval(statistic, rows.people, resamples=sampling.resamples, seed=sampling.seed)
    return estimate(value, rows.n, f"{method}; {sampling.words}", (lower, upper))


def _mean_where(values: FloatArray, inside: np.ndarray) -> Statistic:
    counted, summed = inside.astype(np.float64), values * inside
    return lambda weights: weighted_ratio(weights @ summed, weights @ counted)


def _right_and_loss(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Whether the likelier answer was right, and the squared error of the probability (summed over classes)."""
    y = np.asarray(rows.y, dtype=np.int64)
    p = rows.predicted
    if p.ndim == 1:
        return np.asarray((p >= 0.5) == (y == 1), dtype=np.float64), np.asarray((rows.y - p) ** 2)
    observed = np.eye(p.shape[1])[y]
    return np.asarray(p.argmax(axis=1) == y, dtype=np.float64), np.asarray(((observed - p) ** 2).sum(axis=1))


def _rank_within_repeat(sure: FloatArray, repeat: IntArray) -> FloatArray:
    """Place of each row within its repeat, from 0 (surest) towards 1."""
    rank = np.empty(sure.size)
    for one in np.unique(repeat):
        here = np.flatnonzero(repeat == one)
        rank[here[np.argsort(-sure[here], kind="stable")]] = np.arange(here.size) / here.size
    return rank


def _kept(people: int) -> list[tuple[float, int]]:
    """Shares, each with the number of people it leaves; fewer than 20 say nothing."""
    counted = [(share, round(share * people)) for share in SHARES]
    return [(share, kept) for share, kept in counted if kept >= FEWEST_KEPT]


def _ends(found: tuple[float, float, float]) -> dict[str, float | None]:
    value, lower, upper = (finite(figure) for figure in found)
    return {"value": value, "lower": lower, "upper": upper}
