"""Were the treatments given to comparable people? Propensities, balance before and after weighting, sensitivity."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from nociomics.evaluate.estimate import Estimate, FloatArray, IntArray, estimate, finite
from nociomics.evaluate.panel import OVERLAP, Panel, Scores, aligned_propensities, inside_overlap
from nociomics.evaluate.policy import Value, mean_value
from nociomics.evaluate.policy_metrics import PolicyResult

BALANCED = 0.1
_SHOWN = 10
_NORMAL_95 = 1.959963984540054
_ADJUSTED = "adjusted association; treatments were not randomised"


def overlap_report(
    panel: Panel,
    scores: Scores | None,
    policies: PolicyResult | None,
    propensity: pl.DataFrame,
    covariates: pl.DataFrame,
    *,
    binary: bool,
) -> dict[str, Any]:
    """Describe who got what, how alike the arms are made by weighting, and what hidden confounding could undo.

    Parameters
    ----------
    panel : Panel
        Everybody who got one of the compared treatments.
    scores, policies : optional
        Null when nobody lies within overlap; then there is no sensitivity part.
    propensity : DataFrame
        As in `tables.results.PROPENSITIES`.
    covariates : DataFrame, one row per person
        ``patient_id`` and numbers measured before treatment; null where not measured.
    binary : bool
        Whether the outcome is a probability (else points).

    Returns
    -------
    dict
        ``people, outside, clipped, threshold``; ``arms`` (one per treatment: people, least, fifth, median of the
        propensity over everybody, effective sample size of those who got it, people below the threshold); ``balance``
        (covariates, above_before, above_after, largest_before, largest_after, by_chance, rows); ``sensitivity``
        (comparison, value, lower, upper, e_value, e_value_limit).

    References
    ----------
    Austin and Stuart, Stat Med 2015;34:3661 (balance after weighting); VanderWeele and Ding, Ann Intern Med
    2017;167:268 (E-value).
    """
    chances = aligned_propensities(panel, propensity)
    inside = inside_overlap(chances)
    mean_chance = chances.mean(axis=0)
    weight = 1.0 / np.maximum(mean_chance[np.arange(panel.n), panel.arm], 1e-12)
    ordered = pl.DataFrame({"patient_id": panel.patient_ids}).join(
        covariates, on="patient_id", how="left", maintain_order="left"
    )
    return {
        "people": panel.n,
        "outside": panel.n - int(inside.size),
        "clipped": 0,
        "threshold": OVERLAP,
        "arms": [_arm_row(panel, mean_chance, chances, inside, weight, k) for k in range(len(panel.arms))],
        "balance": _balance(panel, ordered.drop("patient_id"), inside, weight),
        "sensitivity": _sensitivity(panel, scores, policies, binary) if scores and policies else [],
    }


def overlap_metrics(report: dict[str, Any]) -> dict[str, Estimate]:
    """Return the report's chief figures as metrics of the run."""
    n, balance = report["people"], report["balance"]
    among = f"over {balance['covariates']} covariates and every two arms; {_ADJUSTED}"
    found = {
        "outside_overlap": estimate(
            report["outside"] / n, n, f"share with a propensity below {OVERLAP} for some arm; none was clipped"
        ),
        "largest_smd": estimate(
            _number(balance["largest_after"]), n, f"largest standardised mean difference after weighting, {among}"
        ),
        "largest_smd_unweighted": estimate(
            _number(balance["largest_before"]), n, f"largest standardised mean difference before weighting, {among}"
        ),
        "smallest_effective_n": estimate(
            min(row["effective"] for row in report["arms"]), n, "smallest effective sample size of an arm (Kish)"
        ),
    }
    for row in report["sensitivity"]:
        if row["comparison"] == "policy_gain" and row["e_value"] is not None:
            words = "risk ratio that a hidden confounder would need with arm and outcome to explain the policy gain; "
            limit = f"its interval's end: {row['e_value_limit']:.2f}" if row["e_value_limit"] else "no interval"
            found["e_value"] = estimate(row["e_value"], n, words + limit)
    return found


def standardised_differences(values: FloatArray, arm: IntArray, weight: FloatArray, arms: int) -> FloatArray:
    """Return, per covariate, the largest absolute difference between two arms' weighted means, in standard deviations.

    Parameters
    ----------
    values : array of float, shape (n, p)
        NaN where not measured; such values are left out of the covariate's means.
    arm : array of int, shape (n,)
    weight : array of float, shape (n,)
        1 for the raw difference; the inverse propensity of the arm received for the adjusted one.
    arms : int
        Number of arms.

    Returns
    -------
    array of float, shape (p,)
        NaN for a covariate that does not vary within the arms. The standard deviation is the unweighted one: the
        root of the arms' mean variance, so that weighting cannot hide a difference by widening the spread.

    Examples
    --------
    >>> values = np.array([[0.0], [2.0], [1.0], [3.0]])
    >>> standardised_differences(values, np.array([0, 0, 1, 1]), np.ones(4), 2).tolist()
    [1.0]
    """
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    means, variances = [], []
    for k in range(arms):
        at = arm == k
        w = weight[at][:, None] * known[at]
        total = w.sum(axis=0)
        means.append(np.divide((w * filled[at]).sum(axis=0), total, out=np.full(total.size, np.nan), where=total > 0))
        count = np.maximum(known[at].sum(axis=0), 1)
        plain = filled[at].sum(axis=0) / count
        variances.append((known[at] * (filled[at] - plain) ** 2).sum(axis=0) / count)
    spread = np.sqrt(np.mean(variances, axis=0))
    gaps = np.array([np.abs(means[a] - means[b]) for a, b in combinations(range(arms), 2)])
    worst = np.where(np.isnan(gaps).all(axis=0), np.nan, np.nanmax(np.nan_to_num(gaps, nan=-1.0), axis=0))
    return np.asarray(np.divide(worst, spread, out=np.full(worst.size, np.nan), where=spread > 1e-12))


def effective_size(weight: FloatArray) -> float:
    """Return Kish's effective sample size: how many people of equal weight carry as much.

    Examples
    --------
    >>> effective_size(np.array([1.0, 1.0])), effective_size(np.array([1.0, 0.0]))
    (2.0, 1.0)
    """
    return float(weight.sum() ** 2 / (weight**2).sum()) if weight.size else 0.0


def e_value(ratio: float) -> float:
    """Return how strongly a hidden confounder must go with both arm and outcome to explain a risk ratio away.

    Examples
    --------
    >>> round(e_value(2.0), 2), round(e_value(0.5), 2), e_value(1.0)
    (3.41, 3.41, 1.0)
    """
    above = max(ratio, 1 / ratio)
    return float(above + np.sqrt(above * (above - 1)))


def _arm_row(
    panel: Panel, mean_chance: FloatArray, chances: FloatArray, inside: IntArray, weight: FloatArray, k: int
) -> dict[str, Any]:
    own = mean_chance[:, k]
    got = inside[panel.arm[inside] == k]
    return {
        "treatment": panel.arms[k],
        "people": int((panel.arm == k).sum()),
        "least": finite(float(own.min())),
        "fifth": finite(float(np.quantile(own, 0.05))),
        "median": finite(float(np.median(own))),
        "below": int((np.nan_to_num(chances[:, :, k], nan=0.0) < OVERLAP).any(axis=0).sum()),
        "effective": effective_size(weight[got]),
    }


def _balance(panel: Panel, covariates: pl.DataFrame, inside: IntArray, weight: FloatArray) -> dict[str, Any]:
    values, arms = covariates.cast(pl.Float64).fill_null(np.nan).to_numpy(), len(panel.arms)
    before = standardised_differences(values, panel.arm, np.ones(panel.n), arms)
    after = standardised_differences(values[inside], panel.arm[inside], weight[inside], arms)
    usable = np.flatnonzero(np.isfinite(before) & np.isfinite(after))
    worst = usable[np.argsort(-before[usable], kind="stable")][:_SHOWN]
    return {
        "covariates": int(usable.size),
        "above_before": int((before[usable] > BALANCED).sum()),
        "above_after": int((after[usable] > BALANCED).sum()),
        "median_before": finite(float(np.median(before[usable]))) if usable.size else None,
        "median_after": finite(float(np.median(after[usable]))) if usable.size else None,
        "largest_before": finite(float(before[usable].max())) if usable.size else None,
        "largest_after": finite(float(after[usable].max())) if usable.size else None,
        "by_chance": _by_chance(panel, inside, weight),
        "rows": [
            {"covariate": covariates.columns[i], "before": float(before[i]), "after": float(after[i])} for i in worst
        ],
    }


def _by_chance(panel: Panel, inside: IntArray, weight: FloatArray) -> float | None:
    """Difference that one covariate exceeds in one of 20 randomised studies of these effective sizes."""
    sizes = [effective_size(weight[inside[panel.arm[inside] == k]]) for k in range(len(panel.arms))]
    if min(sizes) <= 0:
        return None
    return finite(max(_NORMAL_95 * np.sqrt(1 / sizes[a] + 1 / sizes[b]) for a, b in combinations(range(len(sizes)), 2)))


def _sensitivity(panel: Panel, scores: Scores, policies: PolicyResult, binary: bool) -> list[dict[str, Any]]:
    """Work out E-values of the model's gain and of the best treatment against each other one."""
    means = scores.values.mean(axis=0)
    best = panel.arms.index(policies.best_fixed)
    y = panel.y[scores.people]
    spread = float(np.nanstd(y))
    rows = [_sensitive("policy_gain", policies.gain, float(means[:, best].mean()), spread, binary)]
    for k, arm in enumerate(panel.arms):
        if k != best:
            gap = mean_value(means[:, best] - means[:, k])
            words = f"{policies.best_fixed} against {arm}"
            rows.append(_sensitive(words, gap, float(means[:, k].mean()), spread, binary))
    return rows


def _sensitive(comparison: str, gap: Value, reference: float, spread: float, binary: bool) -> dict[str, Any]:
    def ratio(difference: float) -> float | None:
        if binary:
            return (reference + difference) / reference if reference > 0 and reference + difference > 0 else None
        return float(np.exp(0.91 * difference / spread)) if spread > 0 else None  # d to a risk ratio

    crosses = gap.lower <= 0 <= gap.upper
    nearer = gap.lower if gap.value > 0 else gap.upper
    at_value, at_limit = ratio(gap.value), 1.0 if crosses else ratio(nearer)
    return {
        "comparison": comparison,
        "value": finite(gap.value),
        "lower": finite(gap.lower),
        "upper": finite(gap.upper),
        "e_value": None if at_value is None else e_value(at_value),
        "e_value_limit": None if at_limit is None else e_value(at_limit),
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
