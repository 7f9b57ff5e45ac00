"""Non-detects: how many there are, what may be done with them, and log-normal estimates that respect them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from scipy.special import log_ndtr

from nociomics.tables.finding import Finding

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Band = Literal["few", "some", "most"]
_FEW, _MOST = 0.15, 0.5
_STEPS, _EXACT = 200, 1e-12
_ADVICE = {
    "few": "for a first look the limit over the square root of 2 may stand for them",
    "some": "use censored models or multiple imputation below the limit, never one number in their place",
    "most": "only whether it was detected carries information",
}


@dataclass(frozen=True)
class LogNormal:
    """Mean and standard deviation of the natural logarithm, null when they cannot be known."""

    mean: float | None
    sd: float | None
    detected: int
    censored: int


def nondetect_band(share: float) -> Band:
    """Say into which of the conventional bands a share of non-detects falls (thresholds are general knowledge).

    Examples
    --------
    >>> [nondetect_band(share) for share in (0.14, 0.15, 0.5, 0.51)]
    ['few', 'some', 'some', 'most']
    """
    return "few" if share < _FEW else "some" if share <= _MOST else "most"


def substituted(values: ArrayLike, below: ArrayLike, divisor: float | None) -> LogNormal:
    """Estimate with a number in the place of each non-detect: its limit over ``divisor``; None leaves them out.

    For comparison only: the result depends on the number chosen, and leaving non-detects out is wrong.

    Examples
    --------
    >>> substituted([1.0, 4.0, 2.0], [False, False, True], 2).mean
    0.46209812037329684
    """
    amounts, censored = np.asarray(values, dtype=float), np.asarray(below, dtype=bool)
    used = amounts[~censored] if divisor is None else np.where(censored, amounts / divisor, amounts)
    if used.size < 2:
        return LogNormal(None, None, int((~censored).sum()), int(censored.sum()))
    logs = np.log(used)
    return LogNormal(float(logs.mean()), float(logs.std(ddof=1)), int((~censored).sum()), int(censored.sum()))


def censored_log_normal(values: ArrayLike, below: ArrayLike, above: ArrayLike | None = None) -> LogNormal:
    """Estimate mean and SD of the logarithm by maximum likelihood, with each non-detect as "less than its limit".

    Every value may have its own limit, such as that of its plate.

    Parameters
    ----------
    values : array-like of shape (n,)
        Amounts above 0; for a non-detect its limit of detection, for a value above the assay its upper limit.
    below, above : array-like of bool, of shape (n,)
        Which values are such limits.

    Returns
    -------
    LogNormal
        Without estimates when fewer than two different values were detected.

    References
    ----------
    Olsen, Note on the uniqueness of the maximum likelihood estimator for the Tobit model, Econometrica 1978: in
    1 / SD and mean / SD the likelihood has one maximum, which Newton's method finds.
    """
    amounts, left = np.asarray(values, dtype=float), np.asarray(below, dtype=bool)
    if not (np.isfinite(amounts) & (amounts > 0)).all():
        raise ValueError("amounts and limits must be above 0")
    logs = np.log(amounts)
    right = np.zeros_like(left) if above is None else np.asarray(above, dtype=bool)
    seen = logs[~left & ~right]
    if np.unique(seen).size < 2:
        return LogNormal(None, None, seen.size, int((left | right).sum()))
    scale, place = _maximum(seen, logs[left], logs[right])
    return LogNormal(place / scale, 1 / scale, seen.size, int((left | right).sum()))


def _maximum(seen: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[float, float]:
    """Climb to the maximum in (1 / SD, mean / SD); a step that would not climb is halved."""
    at = np.array([1 / seen.std(), seen.mean() / seen.std()])
    value = _likelihood(at, seen, left, right)
    for _ in range(_STEPS):
        slope, curve = _derivatives(at, seen, left, right)
        step = np.linalg.solve(curve, slope)
        for _ in range(_STEPS):
            near = at - step
            higher = _likelihood(near, seen, left, right)
            if higher >= value:
                break
            step = step / 2
        at, gain, value = near, higher - value, higher
        if np.abs(step).max() < _EXACT or 0 <= gain < _EXACT * 1e-3:
            break
    return float(at[0]), float(at[1])


def _likelihood(
    at: NDArray[np.float64], seen: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]
) -> float:
    scale, place = at
    if scale <= 0:
        return -math.inf
    fit = seen.size * math.log(scale) - 0.5 * ((scale * seen - place) ** 2).sum()
    return float(fit + log_ndtr(scale * left - place).sum() + log_ndtr(place - scale * right).sum())


def _derivatives(
    at: NDArray[np.float64], seen: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gradient and Hessian of the log-likelihood."""
    scale, place = at
    rest = scale * seen - place
    slope = np.array([seen.size / scale - (rest * seen).sum(), rest.sum()])
    curve = np.array([[-seen.size / scale**2 - (seen**2).sum(), seen.sum()], [seen.sum(), -float(seen.size)]])
    for limits, side in ((left, 1.0), (right, -1.0)):
        z = side * (scale * limits - place)
        ratio = np.exp(-0.5 * z**2 - 0.5 * math.log(2 * math.pi) - log_ndtr(z))
        bend = -ratio * (z + ratio)
        slope += side * np.array([(ratio * limits).sum(), -ratio.sum()])
        cross = -(bend * limits).sum()
        curve += np.array([[(bend * limits**2).sum(), cross], [cross, bend.sum()]])
    return slope, curve


def nondetect_shares(converted: pl.DataFrame) -> pl.DataFrame:
    """Count the non-detects of every analyte.

    Parameters
    ----------
    converted : DataFrame, one row per measurement
        As of `units.convert_biomarkers`.

    Returns
    -------
    DataFrame, one row per analyte that has a value
        ``analyte, n, below, share, limits`` (how many different limits), ``plates`` (how many plates have non-detects
        with a limit of their own; null without plates) and ``band``.
    """
    rows = converted.filter(pl.col("value").is_not_null() | pl.col("below_lod"))
    limit = pl.col("lod").filter(pl.col("below_lod"))
    plates = pl.struct("plate", "lod").filter(pl.col("below_lod")).n_unique() if "plate" in rows.columns else None
    counted = rows.group_by("analyte", maintain_order=True).agg(
        n=pl.len(),
        below=pl.col("below_lod").sum(),
        share=pl.col("below_lod").mean(),
        limits=limit.drop_nulls().n_unique(),
        plates=pl.lit(None, pl.UInt32) if plates is None else plates,
    )
    bands = [nondetect_band(share) for share in counted["share"].to_list()]
    return counted.with_columns(pl.Series("band", bands, dtype=pl.String))


def nondetect_findings(converted: pl.DataFrame) -> list[Finding]:
    """Say for every analyte with non-detects how many they are and what may be done with them."""
    found = []
    for row in nondetect_shares(converted).filter(pl.col("below") > 0).iter_rows(named=True):
        several = f" with {row['limits']} different limits" if row["limits"] > 1 else ""
        text = (
            f"{row['analyte']}: {row['below']} of {row['n']} values ({row['share']:.0%}) are below detection{several}: "
            f"{_ADVICE[row['band']]}. Features hold the limit, and a column that says so"
        )
        severity: Literal["info", "warning"] = "info" if row["band"] == "few" else "warning"
        found.append(Finding("biomarkers", "below_lod", severity, row["below"], text))
    return found
