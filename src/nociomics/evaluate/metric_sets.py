"""The figures of a run by kind of outcome: events, values, classes; each with its interval over people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nociomics.evaluate import calibration, classes, continuous
from nociomics.evaluate.bootstrap import (
    RESAMPLES,
    Statistic,
    bootstrap_interval,
    mean_interval,
    mean_statistic,
    mean_within,
    point,
)
from nociomics.evaluate.confounding import pairs, people, within_batches
from nociomics.evaluate.corrected_interval import widened
from nociomics.evaluate.discrimination import auroc_statistic
from nociomics.evaluate.estimate import Estimate, FloatArray, IntArray, estimate, not_computed
from nociomics.evaluate.net_benefit import treatment_gains
from nociomics.evaluate.received import Rows

FEWEST_PEOPLE = 10
BOUNDS = {"auroc": (0.0, 1.0), "accuracy": (0.0, 1.0), "spearman": (-1.0, 1.0)}
"""Values that a headline can have."""

_ONE_CLASS = "there are no events, or nothing but events"
_NO_FOLD = "no outer fold holds both events and non-events"
_NO_SPREAD = "predictions or outcomes do not vary within the folds"
_UNFIT = "probabilities are 0 or 1, do not vary, or separate the events"
_ZERO = "something that happened had a predicted probability of 0"
_NO_INTERVAL = "no interval: resampling biases a smoothed curve upwards"


@dataclass(frozen=True)
class Sampling:
    """How intervals are drawn."""

    resamples: int = RESAMPLES
    seed: int = 1

    @property
    def words(self) -> str:
        """For the method of a figure."""
        return f"95 % percentile interval, {self.resamples} resamples of people"


def too_few(rows: Rows) -> str | None:
    """Return why nothing can be said about so few people, or null."""
    if rows.n == 0:
        return "nobody has both an observation and an out-of-fold prediction"
    if rows.n < FEWEST_PEOPLE:
        return f"only {rows.n} people have both an observation and a prediction (at least {FEWEST_PEOPLE})"
    return None


def headline_statistic(metric: str, rows: Rows, predicted: FloatArray) -> Statistic:
    """Return the headline as a statistic of row weights.

    Parameters
    ----------
    metric : {"auroc", "spearman", "accuracy"}
        AUROC and rank correlation are means within outer folds (pooling mixes the folds' intercepts).
    rows : Rows
    predicted : array
        In place of ``rows.predicted``, so that a comparator can be put on the same rows.
    """
    if metric == "accuracy":
        return mean_statistic(classes.hits(np.asarray(rows.y, dtype=np.int64), predicted))
    make = auroc_statistic if metric == "auroc" else continuous.spearman_statistic
    y = np.asarray(rows.y, dtype=np.float64)
    if rows.cell is not None:
        return within_batches(y, predicted, rows.part, make, pairs if metric == "auroc" else people)
    return mean_within(rows.fold, lambda at: make(y[at], predicted[at]))


def per_fold(rows: Rows, figure: Callable[[IntArray], float]) -> FloatArray:
    """Return a figure of the rows of each outer fold, by places of rows."""
    return np.array([figure(np.flatnonzero(rows.fold == fold)) for fold in np.unique(rows.fold)])


def headline_figure(metric: str, rows: Rows, predicted: FloatArray) -> Callable[[IntArray], float]:
    """Return the headline of some rows, by their places; see `headline_statistic`."""
    y = np.asarray(rows.y, dtype=np.float64)
    if metric == "accuracy":
        hits = classes.hits(np.asarray(rows.y, dtype=np.int64), predicted)
        return lambda at: float(hits[at].mean())
    make = auroc_statistic if metric == "auroc" else continuous.spearman_statistic
    if rows.cell is not None:
        part, size = rows.part, pairs if metric == "auroc" else people
        return lambda at: point(within_batches(y[at], predicted[at], part[at], make, size), at.size)
    return lambda at: point(make(y[at], predicted[at]), at.size)


def within_words(rows: Rows) -> str:
    """Say within what the headline is counted."""
    inside = f"mean within {rows.n_folds} outer folds"
    if rows.cell is None:
        return inside
    return f"mean within batches and {rows.n_folds} outer folds, since batches go with the outcome"


def headline(metric: str, rows: Rows, predicted: FloatArray, method: str, why_not: str, sampling: Sampling) -> Estimate:
    """Return the headline with an interval over people and over what the folds' models learned from."""
    found = by_resampling(rows, headline_statistic(metric, rows, predicted), method, why_not, sampling)
    return widened(found, per_fold(rows, headline_figure(metric, rows, predicted)), rows.repeats, BOUNDS[metric])


def by_resampling(rows: Rows, statistic: Statistic, method: str, why_not: str, sampling: Sampling) -> Estimate:
    """Return a figure with its interval over people, or without a value when it is undefined."""
    found = bootstrap_interval(statistic, rows.people, resamples=sampling.resamples, seed=sampling.seed)
    return _estimate(found, rows, f"{method}; {sampling.words}", why_not)


def event_metrics(rows: Rows, sampling: Sampling) -> dict[str, Estimate]:
    """Return discrimination, calibration, overall error and net benefit of predicted probabilities.

    Parameters
    ----------
    rows : Rows
        ``y`` 0/1, ``predicted`` the probability of 1 for the treatment received.
    sampling : Sampling

    Returns
    -------
    dict of str to Estimate
        The same keys always; figures that cannot be computed have no value and say why.
    """
    reason = too_few(rows)
    if reason:
        return {name: not_computed(reason, rows.n) for name in _EVENT_METRICS}
    y, p = np.asarray(rows.y, dtype=np.float64), rows.predicted
    smoothed = _smoothed(rows, y, p)
    return {
        **_discrimination(rows, y, p, sampling),
        "brier": _mean(rows, (y - p) ** 2, "mean squared error of the probability", sampling),
        "scaled_brier": by_resampling(
            rows, calibration.scaled_brier_statistic(y, p), "1 - Brier / Brier of the event share", _ONE_CLASS, sampling
        ),
        "log_loss": _mean(rows, calibration.log_losses(y, p), "mean negative log-likelihood", sampling, _ZERO),
        "nagelkerke_r2": _plain(calibration.nagelkerke(y, p), rows, "Nagelkerke R2 of the predictions", _ONE_CLASS),
        "calibration_slope": by_resampling(
            rows, calibration.slope_statistic(y, p), "logistic recalibration, all folds", _UNFIT, sampling
        ),
        "calibration_in_the_large": by_resampling(
            rows, calibration.in_the_large_statistic(y, p), "intercept with log-odds as offset", _UNFIT, sampling
        ),
        **smoothed,
        **_net_benefit(rows, y, p, sampling),
    }


_EVENT_METRICS = (
    "auroc auroc_pooled brier scaled_brier log_loss nagelkerke_r2 calibration_slope calibration_in_the_large "
    "ici e50 e90 net_benefit net_benefit_treat_all"
).split()


def value_metrics(rows: Rows, sampling: Sampling) -> dict[str, Estimate]:
    """Return errors and rank correlation of expected points or units, for the treatment received."""
    reason = too_few(rows)
    if reason:
        return {name: not_computed(reason, rows.n) for name in ("mae", "rmse", "r2", "spearman", "spearman_pooled")}
    y, expected = np.asarray(rows.y, dtype=np.float64), rows.predicted
    squared = mean_statistic((y - expected) ** 2)
    positive = {"within_20_percent": _near(rows, y, expected, sampling)} if y.min() > 0 else {}
    within = within_words(rows)
    return {
        "mae": _mean(rows, np.abs(y - expected), "mean absolute error", sampling),
        "rmse": by_resampling(rows, lambda w: np.sqrt(squared(w)), "root of the mean squared error", "", sampling),
        "r2": by_resampling(
            rows, continuous.r2_statistic(y, expected), "1 - squared error / that of the mean", _NO_SPREAD, sampling
        ),
        "spearman": headline("spearman", rows, expected, within, _NO_SPREAD, sampling),
        "spearman_pooled": by_resampling(
            rows, continuous.spearman_statistic(y, expected), "all folds pooled", _NO_SPREAD, sampling
        ),
        **positive,
    }


def _near(rows: Rows, y: FloatArray, expected: FloatArray, sampling: Sampling) -> Estimate:
    near = (np.abs(expected - y) <= 0.2 * y).astype(np.float64)
    return _mean(rows, near, "share of people predicted within 20 % of what was observed", sampling)


def coverage_metrics(
    covered: FloatArray, half_width: FloatArray, marginal: FloatArray, people: IntArray, sampling: Sampling
) -> dict[str, Estimate]:
    """Return coverage of the 90 % interval and its half-width beside that of an interval without features.

    Parameters
    ----------
    covered, half_width, marginal : array of float, one entry per row
        From `intervals.cross_fitted_coverage`; no NaN.
    people : array of int
        Person of each row.
    """
    n = int(people.max()) + 1 if people.size else 0
    if n < FEWEST_PEOPLE:
        reason = f"{n} people have an interval whose width comes from other folds (at least {FEWEST_PEOPLE})"
        return {name: not_computed(reason, n) for name in ("coverage_90", "half_width_90", "marginal_half_width_90")}
    found = mean_interval(covered, people, resamples=sampling.resamples, seed=sampling.seed)
    source = "conformal, width from the other folds' residuals"
    return {
        "coverage_90": estimate(found[0], n, f"{source}; {sampling.words}", found[1:]),
        "half_width_90": estimate(float(half_width.mean()), n, f"{source}; mean over folds"),
        "marginal_half_width_90": estimate(float(marginal.mean()), n, f"{source}, around the plain mean; no features"),
    }


def class_metrics(rows: Rows, sampling: Sampling) -> dict[str, Estimate]:
    """Return the figures of an outcome of several classes; ``predicted`` holds one probability per class."""
    reason = too_few(rows)
    if reason:
        names = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier", "auroc", "auroc_pooled")
        return {name: not_computed(reason, rows.n) for name in names}
    y, p = np.asarray(rows.y, dtype=np.int64), rows.predicted
    within = mean_within(rows.fold, lambda at: classes.macro_auroc_statistic(y[at], p[at]))
    macro = "one class against the rest, mean over classes"
    return {
        "accuracy": headline("accuracy", rows, p, "most probable class is the observed one", "", sampling),
        "balanced_accuracy": by_resampling(
            rows, classes.balanced_accuracy_statistic(y, p), "mean share found per class", _ONE_CLASS, sampling
        ),
        "macro_f1": by_resampling(rows, classes.macro_f1_statistic(y, p), "mean F1 over classes", _ONE_CLASS, sampling),
        "log_loss": _mean(rows, classes.log_losses(y, p), "mean negative log-likelihood", sampling, _ZERO),
        "brier": _mean(rows, classes.brier_losses(y, p), "squared error summed over classes", sampling),
        "auroc": by_resampling(rows, within, f"{macro}; mean within {rows.n_folds} outer folds", _NO_FOLD, sampling),
        "auroc_pooled": by_resampling(
            rows, classes.macro_auroc_statistic(y, p), f"{macro}; all folds pooled", _ONE_CLASS, sampling
        ),
    }


def _discrimination(rows: Rows, y: FloatArray, p: FloatArray, sampling: Sampling) -> dict[str, Estimate]:
    within = f"{within_words(rows)}, prediction for the treatment received"
    why_not = _NO_FOLD if 0 < y.mean() < 1 else _ONE_CLASS
    return {
        "auroc": headline("auroc", rows, p, within, why_not, sampling),
        "auroc_pooled": by_resampling(rows, auroc_statistic(y, p), "all folds pooled", _ONE_CLASS, sampling),
    }


def _smoothed(rows: Rows, y: FloatArray, p: FloatArray) -> dict[str, Estimate]:
    if not 0 < y.mean() < 1:
        return {name: not_computed(_ONE_CLASS, rows.n) for name in ("ici", "e50", "e90")}
    error = calibration.integrated_calibration_index(y, p)
    figures = {"ici": (error.ici, "mean"), "e50": (error.e50, "median"), "e90": (error.e90, "90th percentile")}
    words = "distance from a loess curve (degree 2, span 0.75)"
    return {name: estimate(value, rows.n, f"{of} {words}; {_NO_INTERVAL}") for name, (value, of) in figures.items()}


def _net_benefit(rows: Rows, y: FloatArray, p: FloatArray, sampling: Sampling) -> dict[str, Estimate]:
    threshold = float(y.mean())
    if not 0 < threshold < 1:
        return {name: not_computed(_ONE_CLASS, rows.n) for name in ("net_benefit", "net_benefit_treat_all")}
    at = f"at threshold {threshold:.4f}, the share of events"
    everyone = treatment_gains(y, np.ones_like(p), threshold)
    return {
        "net_benefit": _mean(rows, treatment_gains(y, p, threshold), f"{at}; treating no one is 0", sampling),
        "net_benefit_treat_all": _mean(rows, everyone, f"treating everyone, {at}", sampling),
    }


def _mean(rows: Rows, losses: FloatArray, method: str, sampling: Sampling, why_not: str = "") -> Estimate:
    if not np.isfinite(losses).all():
        return not_computed(why_not, rows.n)
    found = mean_interval(losses, rows.people, resamples=sampling.resamples, seed=sampling.seed)
    return _estimate(found, rows, f"{method}; {sampling.words}", why_not)


def _plain(value: float, rows: Rows, method: str, why_not: str) -> Estimate:
    return estimate(value, rows.n, method) if np.isfinite(value) else not_computed(why_not, rows.n)


def _estimate(found: tuple[float, float, float], rows: Rows, method: str, why_not: str) -> Estimate:
    value, lower, upper = found
    if not np.isfinite(value):
        return not_computed(why_not, rows.n)
    return estimate(value, rows.n, method, (lower, upper))
