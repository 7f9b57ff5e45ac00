"""Lasso and elastic net for columns that have an effect common to all arms and a deviation in each.

As in `arm_ridge`, products of columns are summed arm by arm, and people are not looked at again. All inner folds go
down the path of penalties together.
"""

from __future__ import annotations

import numpy as np

from nociomics.models.arm_ridge import ArmSums

# steps at one penalty where penalties are only compared, and where the effects are kept
_STEPS_TO_COMPARE, _STEPS = 200, 3000
# how little effects still move, of the largest, when a penalty is done with
_STILL_TO_COMPARE, _STILL = 2e-3, 1e-5
_LOOK_EVERY = 5
# errors that rise for so many penalties do not fall again
_RISING = 3


def errors_along_path(parts: list[ArmSums], penalties: np.ndarray, ratio: float) -> np.ndarray:
    """Mean squared error of each penalty, each part of the people once predicted from all others.

    Parameters
    ----------
    parts : list of ArmSums
        One per inner fold, all as differences from the same means.
    penalties : ndarray of shape (n_penalties,)
        Strongest first, in the units of scikit-learn's ``alpha``.
    ratio : float
        Share of the absolute penalty, 1 for a lasso.

    Returns
    -------
    ndarray of shape (n_penalties,)
        Infinite for weak penalties behind three errors that rose: they are not tried.
    """
    people = np.array([part.people for part in parts], dtype=float)
    grams, products = np.stack([part.grams for part in parts]), np.stack([part.products for part in parts])
    rest = np.maximum(people.sum() - people, 1.0)[:, None, None]
    others, towards = (grams.sum(axis=0) - grams) / rest[..., None], (products.sum(axis=0) - products) / rest
    slope = _steepest(grams.sum(axis=0)) / rest.min()
    effects = np.zeros((len(parts), grams.shape[1] + 1, grams.shape[2]))
    errors = np.full(len(penalties), np.inf)
    for place, penalty in enumerate(penalties):
        effects = _descend(others, towards, effects, penalty, ratio, slope, _STEPS_TO_COMPARE, _STILL_TO_COMPARE)
        total = _together(effects)
        explained = (total * (2 * products - _applied(grams, total))).sum(axis=(1, 2))
        errors[place] = np.mean((np.array([part.square for part in parts]) - explained) / people)
        if place >= _RISING and errors[place] > errors[place - _RISING : place].max():
            break
    return errors


def solve_arm_lasso(sums: ArmSums, penalty: float, ratio: float) -> np.ndarray:
    """Coefficients of shape (n_arms, n_columns) at one penalty: common effect and deviation added up."""
    slope = _steepest(sums.grams) / sums.people
    start = np.zeros((1, len(sums.grams) + 1, sums.grams.shape[2]))
    grams, products = sums.grams[None] / sums.people, sums.products[None] / sums.people
    return np.asarray(_together(_descend(grams, products, start, penalty, ratio, slope, _STEPS, _STILL))[0])


def strongest_penalty(sums: ArmSums, ratio: float) -> float:
    """Return the smallest penalty that leaves no column in."""
    common = np.abs(sums.products.sum(axis=0)).max(initial=0.0)
    return float(max(common, np.abs(sums.products).max(initial=0.0))) / sums.people / ratio


def _steepest(grams: np.ndarray) -> float:
    """Bound of the largest curvature: that of the common effects and that of the deviations, added up."""
    if len(grams) == 1:
        return max(float(np.linalg.eigvalsh(grams[0])[-1]), 1e-12)
    largest = np.linalg.eigvalsh(np.concatenate([grams.sum(axis=0)[None], grams]))[:, -1]
    return max(float(largest[0] + largest[1:].max()), 1e-12)


def _together(effects: np.ndarray) -> np.ndarray:
    """Add common effects and deviations (n_parts, 1 + n_arms, n_columns) up to each arm's coefficients."""
    return np.asarray(effects[:, :1] + effects[:, 1:])


def _applied(grams: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.asarray((grams @ total[..., None])[..., 0])


def _descend(
    grams: np.ndarray,
    products: np.ndarray,
    effects: np.ndarray,
    penalty: float,
    ratio: float,
    slope: float,
    steps: int,
    still: float,
) -> np.ndarray:
    """Accelerated proximal gradient, begun anew whenever it overshoots; with one arm there are no deviations.

    References
    ----------
    Beck and Teboulle, SIAM J Imaging Sci 2009;2:183 (FISTA); O'Donoghue and Candes, Found Comput Math 2015;15:715
    (restarts).
    """
    step = 1.0 / (slope + penalty * (1 - ratio))
    limit, shrink = step * penalty * ratio, step * penalty * (1 - ratio)
    ahead, pace = effects, 1.0
    uphill = np.empty_like(effects)
    for number in range(steps):
        uphill[:, 1:] = _applied(grams, _together(ahead)) - products
        uphill[:, 0] = uphill[:, 1:].sum(axis=1)
        if grams.shape[1] == 1:
            uphill[:, 1:] = 0.0
        moved = (1 - shrink) * ahead - step * uphill
        new = moved - np.clip(moved, -limit, limit)
        change = new - effects
        if number % _LOOK_EVERY == _LOOK_EVERY - 1:
            if np.abs(change).max() <= still * max(np.abs(new).max(), 1e-12):
                return new
            if ((ahead - new) * change).sum() > 0:
                pace = 1.0
        faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead, effects, pace = new + (pace - 1) / faster * change, new, faster
    return effects
