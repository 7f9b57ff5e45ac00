"""Figures for an outcome of several classes; rows of predictions are one probability per class."""

from __future__ import annotations

import numpy as np

from nociomics.evaluate.bootstrap import Statistic, point, weighted_ratio
from nociomics.evaluate.discrimination import auroc_statistic
from nociomics.evaluate.estimate import FloatArray, IntArray


def accuracy(y: IntArray, p: FloatArray) -> float:
    """Return the share of people whose most probable class is their own.

    Parameters
    ----------
    y : array of int, shape (n,)
        Class of each row, 0 to K - 1.
    p : array of float, shape (n, K)
        Probability of each class; of equal ones the first is taken.
    """
    return float(hits(y, p).mean())


def hits(y: IntArray, p: FloatArray) -> FloatArray:
    """Return 1 where the most probable class is the observed one, else 0."""
    return np.asarray(p.argmax(axis=1) == y, dtype=np.float64)


def balanced_accuracy(y: IntArray, p: FloatArray) -> float:
    """Return the mean, over the classes that occur, of the share of their people found."""
    return point(balanced_accuracy_statistic(y, p), y.size)


def macro_f1(y: IntArray, p: FloatArray) -> float:
    """Return the plain mean of F1 over the classes that occur or are predicted."""
    return point(macro_f1_statistic(y, p), y.size)


def log_loss(y: IntArray, p: FloatArray) -> float:
    """Return the mean negative log of the observed class's probability; infinite when one was 0."""
    return float(log_losses(y, p).mean())


def log_losses(y: IntArray, p: FloatArray) -> FloatArray:
    """Return each row's negative log of the observed class's probability."""
    with np.errstate(divide="ignore"):
        return -np.log(p[np.arange(y.size), y])


def brier_losses(y: IntArray, p: FloatArray) -> FloatArray:
    """Return each row's squared distance from its class, summed over classes (0 to 2)."""
    return np.asarray(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1))


def macro_auroc(y: IntArray, p: FloatArray) -> float:
    """Return the mean, over the classes that occur, of one class's AUROC against the rest."""
    return point(macro_auroc_statistic(y, p), y.size)


def macro_auroc_statistic(y: IntArray, p: FloatArray) -> Statistic:
    """Return the one-against-rest macro AUROC as a statistic of row weights."""
    parts = [auroc_statistic((y == k).astype(np.float64), p[:, k]) for k in range(p.shape[1])]
    return lambda weights: _mean_defined(np.stack([part(weights) for part in parts]))


def balanced_accuracy_statistic(y: IntArray, p: FloatArray) -> Statistic:
    """Return balanced accuracy as a statistic of row weights."""
    found, present, _ = _indicators(y, p)
    return lambda weights: _mean_defined(weighted_ratio(weights @ found, weights @ present).T)


def macro_f1_statistic(y: IntArray, p: FloatArray) -> Statistic:
    """Return macro F1 as a statistic of row weights."""
    found, present, named = _indicators(y, p)
    return lambda weights: _mean_defined(weighted_ratio(2 * (weights @ found), weights @ (present + named)).T)


def _indicators(y: IntArray, p: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    unit = np.eye(p.shape[1])
    present, named = unit[y], unit[p.argmax(axis=1)]
    return present * named, present, named


def _mean_defined(values: FloatArray) -> FloatArray:
    defined = np.isfinite(values)
    return weighted_ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0))
