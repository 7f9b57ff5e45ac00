"""Ridge logistic regression of two classes by Newton's method, in the space of columns or of people.

What scikit-learn gives with ``solver="newton-cholesky"``, in half of its time or less at some hundred people: columns
beyond people cost nothing more, and nothing is checked again at every penalty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

_STEPS, _HALVINGS = 50, 20
_LEAST_WEIGHT = 1e-10
# products of people are the smaller problem from here on
_WIDE = 0.6


class _State(NamedTuple):
    """Where the search stands: own parameters, log-odds of everybody, and the squared size of the coefficients."""

    parameters: np.ndarray
    logits: np.ndarray
    size: float


def logistic_path(
    columns: np.ndarray, classes: np.ndarray, n_classes: int, strengths: tuple[float, ...]
) -> list[np.ndarray]:
    """Coefficients (n_classes, n_columns) of a ridge logistic model at each strength; with two classes the first are 0.

    Parameters
    ----------
    columns : ndarray of shape (n_people, n_columns)
        Nothing missing.
    classes : ndarray of shape (n_people,)
        Number of each person's class; every class has somebody.
    n_classes : int
        How many there are.
    strengths : tuple of float
        As in `ridge_logistic_path`. Where several are only compared, the last digits do not count.
    """
    several = len(strengths) > 1
    if n_classes == 2:
        found = ridge_logistic_path(columns, classes == 1, strengths, 0.05 if several else 1e-2)
        return [np.vstack([np.zeros_like(own), own]) for own in found]
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(solver="newton-cholesky", warm_start=True, tol=1e-3 if several else 1e-4)
    return [model.set_params(C=strength).fit(columns, classes).coef_.copy() for strength in strengths]


def ridge_logistic_path(
    columns: np.ndarray, happened: np.ndarray, strengths: tuple[float, ...], exact: float
) -> list[np.ndarray]:
    """Coefficients at each strength; the intercept is free and left out.

    Parameters
    ----------
    columns : ndarray of shape (n_people, n_columns)
        Nothing missing.
    happened : ndarray of bool, shape (n_people,)
        Whether each person is of the second class; some are, and some are not.
    strengths : tuple of float
        Weight of the log loss beside half the sum of squared coefficients: scikit-learn's ``C``.
    exact : float
        The search ends with a step that changes no log-odds by more; the error left is about its square.

    Returns
    -------
    list of ndarray of shape (n_columns,)
    """
    people, width = columns.shape
    wide = width > _WIDE * people
    products = columns @ columns.T if wide else columns
    step = _people_step(products, happened) if wide else _column_step(columns, happened)
    state = _State(np.zeros(people if wide else width), np.zeros(people), 0.0)
    found = []
    for strength in strengths:
        state = _descend(step, happened, state, strength, exact)
        found.append(columns.T @ state.parameters if wide else state.parameters)
    return found


def _descend(
    step: Callable[[_State, float], _State], happened: np.ndarray, state: _State, strength: float, exact: float
) -> _State:
    loss = _loss(state, happened, strength)
    for _ in range(_STEPS):
        goal, share = step(state, strength), 1.0
        change = float(np.abs(goal.logits - state.logits).max())
        new, after = goal, _loss(goal, happened, strength)
        while after > loss + 1e-9 * abs(loss) and share > 0.5**_HALVINGS:
            share /= 2
            new = _between(state, goal, share)
            after = _loss(new, happened, strength)
        state, loss = new, after
        if change * share <= exact:
            break
    return state


def _loss(state: _State, happened: np.ndarray, strength: float) -> float:
    return float(strength * np.sum(np.logaddexp(0, state.logits) - happened * state.logits) + 0.5 * state.size)


def _between(state: _State, goal: _State, share: float) -> _State:
    """Go a share of the way; the size is a bound of the true one, as squares are convex."""
    parameters = state.parameters + share * (goal.parameters - state.parameters)
    logits = state.logits + share * (goal.logits - state.logits)
    return _State(parameters, logits, state.size + share * (goal.size - state.size))


def _column_step(columns: np.ndarray, happened: np.ndarray) -> Callable[[_State, float], _State]:
    with_one = np.hstack([columns, np.ones((len(columns), 1))])
    penalty = np.r_[np.ones(columns.shape[1]), 0.0]

    def step(state: _State, strength: float) -> _State:
        chance = np.asarray(expit(state.logits))
        weight = np.maximum(chance * (1 - chance), _LEAST_WEIGHT)
        rooted = with_one * np.sqrt(strength * weight)[:, None]
        curvature = rooted.T @ rooted
        curvature[np.diag_indices_from(curvature)] += penalty
        aim = with_one.T @ (strength * (weight * state.logits + happened - chance))
        new = cho_solve(cho_factor(curvature, lower=True, check_finite=False), aim, check_finite=False)
        return _State(new[:-1], with_one @ new, float(new[:-1] @ new[:-1]))

    return step


def _people_step(products: np.ndarray, happened: np.ndarray) -> Callable[[_State, float], _State]:
    """Step in weights of people, of which the coefficients are a sum (Rasmussen and Williams 2006, algorithm 3.1)."""

    def step(state: _State, strength: float) -> _State:
        chance = np.asarray(expit(state.logits))
        weight = np.maximum(chance * (1 - chance), _LEAST_WEIGHT)
        root = np.sqrt(strength * weight)
        inner = products * root[:, None] * root
        inner[np.diag_indices_from(inner)] += 1
        aim = np.column_stack([state.logits + (happened - chance) / weight, np.ones(len(root))])
        factor = cho_factor(inner, lower=True, overwrite_a=True, check_finite=False)
        own = root[:, None] * cho_solve(factor, root[:, None] * aim, check_finite=False)
        intercept = own[:, 0].sum() / own[:, 1].sum()
        new = own[:, 0] - intercept * own[:, 1]
        sums = products @ new
        return _State(new, sums + intercept, float(new @ sums))

    return step
