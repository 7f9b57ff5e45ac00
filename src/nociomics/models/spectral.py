"""Groups of people in an affinity: k-means on points, and spectral clustering with the eigengap."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from sklearn.cluster import KMeans

_TINY = 1e-12
_DIGITS = 10


def nearest_mean_groups(points: np.ndarray, k: int, seed: int, starts: int = 10) -> np.ndarray:
    """Divide points by k-means; there are never more groups than different points.

    Parameters
    ----------
    points : ndarray of shape (n_people, n_columns)
        Nothing missing. Taken to 10 digits, so that equal people stay equal.
    k, seed, starts : int
        Groups, seed and random starts.

    Returns
    -------
    ndarray of int, shape (n_people,)
    """
    points = points.round(_DIGITS)
    groups = min(k, len(np.unique(points, axis=0)))
    return np.asarray(KMeans(groups, n_init=starts, random_state=seed).fit_predict(points))


class SpectralGroups:
    """Groups in a symmetric affinity, from the eigenvectors of its normalised graph.

    Parameters
    ----------
    affinity : ndarray of shape (n_people, n_people)
        Symmetric, not negative.
    largest_k : int
        Most groups that will be asked for.
    seed : int
        Seeds k-means in the space of the eigenvectors.

    References
    ----------
    Ng, Jordan, Weiss 2001 (NIPS 14:849): rows of the leading eigenvectors of D^-1/2 A D^-1/2, brought to length 1,
    then k-means. The eigengap: von Luxburg 2007 (Stat Comput 17:395).
    """

    def __init__(self, affinity: np.ndarray, largest_k: int, seed: int) -> None:
        self.seed = seed
        people = len(affinity)
        root = np.sqrt(np.maximum(affinity.sum(axis=1), _TINY))
        first = max(people - largest_k - 1, 0)
        normalised = affinity / root[:, None] / root[None, :]
        values, vectors = eigh(normalised, subset_by_index=(first, people - 1), overwrite_a=True, check_finite=False)
        self.values_, self.vectors_ = values[::-1], vectors[:, ::-1]

    def eigengap(self, k: int) -> float:
        """Fall from the k-th to the next eigenvalue; at 1 it is largest for any connected graph, so 1 is not asked."""
        return float(self.values_[k - 1] - self.values_[k])

    def labels(self, k: int) -> np.ndarray:
        """Group of each person, 0 to k - 1."""
        rows = self.vectors_[:, :k]
        length = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)
        return nearest_mean_groups(rows / length, k, self.seed)


def nearest_others(distances: np.ndarray, count: int) -> np.ndarray:
    """Positions of everybody's nearest others, nearest first: shape (n_people, count); NaN counts as farthest."""
    others = np.where(np.isnan(distances), np.inf, distances)
    np.fill_diagonal(others, np.inf)
    return np.argsort(others, axis=1, kind="stable")[:, :count]
