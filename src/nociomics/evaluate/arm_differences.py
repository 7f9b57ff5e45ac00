"""The question of the trial itself, before any model: how far the arms differ on average, given the baseline."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
from scipy import stats

from nociomics.evaluate.estimate import Estimate, FloatArray, IntArray
from nociomics.tables.study import Target

_FEWEST_PER_ARM = 5
_METHOD = "analysis of covariance: {outcome} on arm{baseline}, least squares, t interval; people with an outcome"


def adjusted_differences(target_rows: pl.DataFrame, target: Target) -> dict[str, Estimate]:
    """Return the mean difference of every two randomised arms, adjusted for the baseline.

    Parameters
    ----------
    target_rows : DataFrame, one row per person
        As in `tables.harmonised.TARGET_ROWS`.
    target : Target
        A change or a continuous outcome; of others nothing is returned.

    Returns
    -------
    dict of str to Estimate
        ``adjusted_difference_<a>_minus_<b>`` in points of the fall (or units of the outcome), positive where ``a`` is
        larger. Empty where people were not all randomised: there it would not be the arms' difference.

    References
    ----------
    Vickers and Altman, BMJ 2001;323:1123 (analysis of covariance in trials with baseline and follow-up).
    """
    if target.kind not in ("change", "continuous"):
        return {}
    given = target_rows.drop_nulls("treatment")
    if given.is_empty() or not (given["assignment"] == "randomised").fill_null(False).all():
        return {}
    change = target.kind == "change"
    known = given.drop_nulls(["response_value", "baseline"] if change else ["response_value"])
    counts = known.group_by("treatment").len().filter(pl.col("len") >= _FEWEST_PER_ARM)
    arms = sorted(counts["treatment"])
    if len(arms) < 2:
        return {}
    known = known.filter(pl.col("treatment").is_in(arms))
    arm = known["treatment"].replace_strict({name: k for k, name in enumerate(arms)}, return_dtype=pl.Int64).to_numpy()
    baseline = known["baseline"].cast(pl.Float64).to_numpy() if change else None
    outcome = known["response_value"].cast(pl.Float64).to_numpy()
    words = _METHOD.format(outcome="fall" if change else "outcome", baseline=" and baseline" if change else "")
    return _contrasts(outcome, arm, baseline, arms, words)


def _contrasts(
    outcome: FloatArray, arm: IntArray, baseline: FloatArray | None, arms: list[str], words: str
) -> dict[str, Estimate]:
    design = np.eye(len(arms))[arm]
    if baseline is not None:
        design = np.column_stack([design, baseline])
    coefficients, _, rank, _ = np.linalg.lstsq(design, outcome, rcond=None)
    free = len(outcome) - rank
    if rank < design.shape[1] or free < 1:
        return {}
    residual = outcome - design @ coefficients
    covariance = np.linalg.inv(design.T @ design) * float(residual @ residual) / free
    reach = float(stats.t.ppf(0.975, free))
    found = {}
    for a, b in combinations(range(len(arms)), 2):
        value = float(coefficients[a] - coefficients[b])
        half = reach * float(np.sqrt(covariance[a, a] + covariance[b, b] - 2 * covariance[a, b]))
        name = f"adjusted_difference_{arms[a]}_minus_{arms[b]}"
        found[name] = Estimate(value, value - half, value + half, len(outcome), words)
    return found
