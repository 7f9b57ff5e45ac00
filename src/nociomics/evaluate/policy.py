"""What a rule for choosing treatments is worth, from doubly robust scores of people who each got one treatment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nociomics.evaluate.bootstrap import Statistic, bootstrap_draws, percentile_interval, point
from nociomics.evaluate.discrimination import tie_bounds
from nociomics.evaluate.estimate import FloatArray, IntArray

RATE_RESAMPLES = 400
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Value:
    """A mean over people with its influence-function standard error and normal 95 % interval."""

    value: float
    se: float
    lower: float
    upper: float
    n: int


@dataclass(frozen=True)
class Rate:
    """AUTOC with its bootstrap standard error and 95 % percentile interval."""

    value: float
    se: float
    lower: float
    upper: float


def doubly_robust_scores(y: FloatArray, arm: IntArray, expected: FloatArray, propensity: FloatArray) -> FloatArray:
    """Return, per person and arm, the outcome model's answer corrected by the observed residual.

    The mean of a column estimates the mean outcome had everybody got that arm; it is right when either the
    expectations or the propensities are.

    Parameters
    ----------
    y : array of float, shape (n,)
        Observed outcome, larger is better; NaN when not observed (that person is not corrected, and
        ``propensity`` must then be that of being given the arm *and* observed).
    arm : array of int, shape (n,)
        Arm received, 0 to K - 1.
    expected : array of float, shape (n, K)
        Outcome model's expectation under each arm, made without that person's outcome.
    propensity : array of float, shape (n, K)
        Probability of each arm; above 0 for the arm received.

    Returns
    -------
    array of float, shape (n, K)

    Raises
    ------
    ValueError
        When the received arm of an observed person has propensity 0.

    References
    ----------
    Robins, Rotnitzky and Zhao, JASA 1994;89:846.

    Examples
    --------
    >>> doubly_robust_scores(np.array([3.0]), np.array([0]), np.array([[2.0, 1.0]]), np.array([[0.5, 0.5]])).tolist()
    [[4.0, 1.0]]
    """
    scores = np.array(expected, dtype=np.float64)
    rows = np.flatnonzero(np.isfinite(y))
    given = propensity[rows, arm[rows]]
    if (given <= 0).any():
        raise ValueError(f"{int((given <= 0).sum())} people got an arm whose propensity is 0")
    scores[rows, arm[rows]] += (y[rows] - expected[rows, arm[rows]]) / given
    return scores


def chosen_scores(scores: FloatArray, chosen: np.ndarray) -> FloatArray:
    """Return each person's score under a rule: an arm number per person, or a probability per arm (n x K)."""
    if chosen.ndim == 2:
        return np.asarray((scores * chosen).sum(axis=1))
    return np.asarray(scores[np.arange(scores.shape[0]), chosen])


def policy_value(scores: FloatArray, chosen: np.ndarray) -> Value:
    """Return the value of a rule, with influence-function standard error.

    Parameters
    ----------
    scores : array of float, shape (n, K)
        Doubly robust scores.
    chosen : array of int, shape (n,), or array of float, shape (n, K)
        The rule, made without these people's outcomes.
    """
    return mean_value(chosen_scores(scores, chosen))


def policy_difference(scores: FloatArray, chosen: np.ndarray, other: np.ndarray) -> Value:
    """Return the paired difference in value between two rules on the same people."""
    return mean_value(chosen_scores(scores, chosen) - chosen_scores(scores, other))


def mean_value(values: FloatArray) -> Value:
    """Return the mean of one value per person; the standard error is NaN for a single person."""
    n = values.size
    mean = float(values.mean()) if n else float("nan")
    se = float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan")
    return Value(mean, se, mean - _NORMAL_95 * se, mean + _NORMAL_95 * se, n)


def best_fixed_arm(scores: FloatArray) -> int:
    """Return the arm with the largest mean score; of equal ones the first.

    Its own mean on the same people is optimistic, as any maximum is; compare with `best_fixed_by_fold`.
    """
    return int(scores.mean(axis=0).argmax())


def best_fixed_by_fold(scores: FloatArray, fold: IntArray) -> IntArray:
    """Return, per person, the arm that was best on average in all *other* folds.

    This is the honest value of "the same treatment for everybody": the arm is chosen without the people on
    whom it is valued.

    Examples
    --------
    >>> best_fixed_by_fold(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0, 1])).tolist()
    [1, 0]
    """
    chosen = np.empty(fold.size, dtype=np.int64)
    for one in np.unique(fold):
        others = fold != one
        chosen[~others] = best_fixed_arm(scores[others] if others.any() else scores)
    return chosen


def uniform_policy(n: int, arms: int) -> FloatArray:
    """Return the rule that draws each arm with equal probability."""
    return np.full((n, arms), 1.0 / arms)


def usual_policy(arm: IntArray, arms: int) -> FloatArray:
    """Return the rule that draws arms as often as they were given."""
    share = np.bincount(arm, minlength=arms) / arm.size
    return np.tile(share, (arm.size, 1))


def autoc_statistic(priority: FloatArray, contrast: FloatArray) -> Statistic:
    """Return AUTOC as a statistic of whole-number weights; people of equal priority share their ranks."""
    order, low, high = tie_bounds(-priority)
    ordered = contrast[order]
    first = np.flatnonzero(np.r_[True, low[1:] != low[:-1]])
    end = high[first]

    def statistic(weights: FloatArray) -> FloatArray:
        drawn = weights[:, order]
        count = np.zeros((weights.shape[0], order.size + 1))
        total = np.zeros_like(count)
        np.cumsum(drawn, axis=1, out=count[:, 1:])
        np.cumsum(drawn * ordered, axis=1, out=total[:, 1:])
        before, after = count[:, first].astype(np.int64), count[:, end].astype(np.int64)
        people = after - before
        mean = np.divide(total[:, end] - total[:, first], people, out=np.zeros_like(total[:, end]), where=people > 0)
        summed = _summed_rank_weights(int(count[:, -1].max()))
        n = count[:, -1]
        return np.asarray((mean * (summed[after] - summed[before])).sum(axis=1) / n - total[:, -1] / n)

    return statistic


def _summed_rank_weights(n: int) -> FloatArray:
    """Cumulate, over ranks 1 to n, the weight H(n) - H(rank - 1) that AUTOC gives to a rank."""
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, n + 1))])
    return np.concatenate([[0.0], np.cumsum(harmonic[-1] - harmonic[:-1])])


def autoc(priority: FloatArray, contrast: FloatArray, *, resamples: int = RATE_RESAMPLES, seed: int = 1) -> Rate:
    """Return the area under the targeting operator curve (RATE with logarithmic weights).

    The mean, over q, of how much more the q people of highest priority gain than everyone does; 0 when the
    priority says nothing about who gains.

    Parameters
    ----------
    priority : array of float, shape (n,)
        Predicted gain, made without these people's outcomes.
    contrast : array of float, shape (n,)
        Doubly robust score of one arm minus that of the other.

    References
    ----------
    Yadlowsky et al., JASA 2025;120:38 (rank-weighted average treatment effects).

    Examples
    --------
    >>> autoc(np.array([1.0, 0.0]), np.array([1.0, 0.0]), resamples=10).value
    0.25
    """
    statistic = autoc_statistic(priority, contrast)
    draws = bootstrap_draws(statistic, np.arange(priority.size), resamples=resamples, seed=seed)
    lower, upper = percentile_interval(draws)
    return Rate(point(statistic, priority.size), float(draws.std(ddof=1)), lower, upper)
