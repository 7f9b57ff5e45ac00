"""Conformal widths: how far a new person's outcome may lie from what is expected, from errors out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import kruskal

LEVEL = 0.9
FEWEST_IN_GROUP = 60
DIFFER = 0.05

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OutcomeWidths:
    """Half-widths of intervals around an expected outcome, in the outcome's own unit.

    Attributes
    ----------
    level : float
        What they promise for a new person, such as 0.9.
    half_width : float or None
        For everybody; None when too few people have an outcome for the level.
    by_treatment : dict of str to float
        Of treatments with at least 60 calibration people, where their errors differ in size; else empty.
    marginal_half_width : float or None
        Around the plain mean, all features ignored: the width to beat.
    people : int
        People whose errors set the widths.
    """

    level: float
    half_width: float | None
    by_treatment: dict[str, float]
    marginal_half_width: float | None
    people: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "level": self.level,
            "half_width": self.half_width,
            "by_treatment": dict(self.by_treatment),
            "marginal_half_width": self.marginal_half_width,
            "people": self.people,
        }


def conformal_quantile(residuals: _Floats, level: float = LEVEL) -> float:
    """Return the half-width that covers a new person with at least the given probability.

    The k-th smallest absolute residual, k = ceil((n + 1) x level): the finite-sample correction. When n is too
    small for the level no finite width keeps the promise, and the answer is infinite.

    Parameters
    ----------
    residuals : array of float
        Observed minus expected, from models that did not see the person; NaN is left out.
    level : float
        0.9 for a 90 % interval.

    References
    ----------
    Vovk, Gammerman and Shafer 2005; Lei et al., JASA 2018;113:1094.

    Examples
    --------
    >>> conformal_quantile(np.arange(1.0, 11.0), level=0.5), conformal_quantile(np.array([1.0]))
    (6.0, inf)
    """
    sizes = np.sort(np.abs(residuals[np.isfinite(residuals)]))
    rank = int(np.ceil((sizes.size + 1) * level - 1e-9))
    return float(sizes[rank - 1]) if 0 < rank <= sizes.size else float("inf")


def group_widths(residuals: _Floats, group: Sequence[str | None], level: float = LEVEL) -> dict[str, float]:
    """Return half-widths by group (Mondrian), where groups are large enough and their errors differ in size.

    A width of its own is learned from fewer people, so it wanders more. Where the groups' errors are alike that is all
    it does (it cost the worst subgroup of simulated cohorts a point of coverage); so one width serves all, unless a
    Kruskal-Wallis test on the sizes of the errors tells the groups apart (p below 0.05).

    Parameters
    ----------
    residuals : array of float, shape (n,)
        As in `conformal_quantile`.
    group : sequence of str or None, length n
        Treatment received, say.

    Returns
    -------
    dict of str to float
        Groups with at least 60 residuals, or none; all others take everybody's width.

    References
    ----------
    Vovk, Lindsay, Nouretdinov and Gammerman 2003 (Mondrian confidence machine).
    """
    known = np.isfinite(residuals)
    names = np.array([name if name is not None else "" for name in group], dtype=object)
    found = {name: np.abs(residuals[known & (names == name)]) for name in sorted({str(one) for one in names} - {""})}
    large = {name: sizes for name, sizes in found.items() if sizes.size >= FEWEST_IN_GROUP}
    if not _differ([*large.values(), *([] if len(large) == len(found) else [_rest(found, large)])]):
        return {}
    widths = {name: conformal_quantile(sizes, level) for name, sizes in large.items()}
    return {name: width for name, width in widths.items() if np.isfinite(width)}


def _rest(found: dict[str, _Floats], large: dict[str, _Floats]) -> _Floats:
    return np.concatenate([sizes for name, sizes in found.items() if name not in large])


def _differ(groups: list[_Floats]) -> bool:
    """Tell whether the sizes of errors differ between groups by more than chance."""
    filled = [sizes for sizes in groups if sizes.size]
    if len(filled) < 2 or np.ptp(np.concatenate(filled)) == 0:
        return False
    return bool(kruskal(*filled).pvalue < DIFFER)


def row_widths(residuals: _Floats, group: Sequence[str | None], asked: Sequence[str | None], level: float) -> _Floats:
    """Return the half-width that each asked group gets from these residuals; infinite when nothing is promised."""
    everyone, own = conformal_quantile(residuals, level), group_widths(residuals, group, level)
    return np.array([own.get(name, everyone) if name is not None else everyone for name in asked], dtype=np.float64)


def plus_interval(
    held_out: _Floats, residuals: _Floats, level: float = LEVEL, rows: int = 500
) -> tuple[_Floats, _Floats]:
    """Return the CV+ interval of new people from the predictions of every calibration person's own fold model.

    The program itself stores widths instead (`outcome_widths`): the models of the folds would make a bundle five
    times as large, and on simulated cohorts both cover alike (decision 11). This one is kept as the reference.

    Parameters
    ----------
    held_out : array of float, shape (n_calibration, n_new)
        What the model that did not see a calibration person expects for each new person.
    residuals : array of float, shape (n_calibration,)
        Observed minus expected of the calibration people; no NaN.

    References
    ----------
    Barber, Candes, Ramdas and Tibshirani, Annals of Statistics 2021;49:486.
    """
    sizes, n = np.abs(residuals)[:, None], residuals.size
    low, high = int(np.floor((1 - level) * (n + 1) + 1e-9)) - 1, int(np.ceil(level * (n + 1) - 1e-9)) - 1
    lower, upper = np.full(held_out.shape[1], -np.inf), np.full(held_out.shape[1], np.inf)
    for start in range(0, held_out.shape[1], rows):
        part = slice(start, start + rows)
        if low >= 0:
            lower[part] = np.sort(held_out[:, part] - sizes, axis=0)[low]
        if high < n:
            upper[part] = np.sort(held_out[:, part] + sizes, axis=0)[high]
    return lower, upper


def outcome_widths(out_of_fold: pl.DataFrame, target_rows: pl.DataFrame, level: float = LEVEL) -> OutcomeWidths:
    """Learn the widths of a study from its own errors out of fold.

    Each person counts once: the mean over repeats of the prediction for the treatment received.

    Parameters
    ----------
    out_of_fold, target_rows : DataFrame
        As in their contracts.
    """
    mean = out_of_fold.group_by("patient_id", "treatment").agg(pl.col("expected").mean())
    own = (
        target_rows.select("patient_id", "treatment", pl.col("response_value").cast(pl.Float64))
        .join(mean, on=["patient_id", "treatment"], how="left", nulls_equal=True)
        .drop_nulls(["response_value", "expected"])
    )
    observed = own["response_value"].to_numpy()
    residuals = observed - own["expected"].to_numpy()
    marginal = conformal_quantile(observed - observed.mean(), level) if own.height else float("inf")
    return OutcomeWidths(
        level,
        _finite(conformal_quantile(residuals, level)),
        group_widths(residuals, own["treatment"].to_list(), level),
        _finite(marginal),
        own.height,
    )


def _finite(width: float) -> float | None:
    return width if np.isfinite(width) else None
