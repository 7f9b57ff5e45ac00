"""Similarity network fusion: one network of people per block, each drawn towards what the others agree on."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from nociomics.models.measured_blocks import MeasuredBlocks, squared_distances
from nociomics.models.settings import StrataSettings
from nociomics.models.spectral import SpectralGroups, nearest_others

NEIGHBOURS = 20
WIDTH = 0.5
ROUNDS = 20
_TINY = 1e-12
# a product meets so many columns at a time: they stay near the processor, which halves its time
_COLUMNS = 128


class FusedNetwork:
    """Groups in the fused network of people; transductive, every block needed of everybody.

    The published constants: 20 neighbours, width 0.5, 20 rounds.

    References
    ----------
    Wang et al. 2014 (Nat Methods 11:333), equations 1 to 6 of the online methods; written from them.
    """

    def __init__(self, blocks: MeasuredBlocks, settings: StrataSettings, seed: int) -> None:
        count = min(NEIGHBOURS, blocks.people - 1)
        affinities = [scaled_affinity(np.sqrt(squared_distances(block)), count) for block in blocks.blocks]
        self._groups = SpectralGroups(fused(affinities, count, ROUNDS), settings.largest_k, seed)

    def criterion(self, k: int) -> float:
        """Take the eigengap."""
        return self._groups.eigengap(k)

    def labels(self, k: int) -> np.ndarray:
        """Group of each person."""
        return self._groups.labels(k)


def scaled_affinity(distances: np.ndarray, neighbours: int, width: float = WIDTH) -> np.ndarray:
    """Affinity W(i,j) = exp(-d(i,j)^2 / (width e(i,j))), where e is the mean of three distances.

    The three are the mean distance of i to its neighbours, that of j to its own, and d(i,j).

    Parameters
    ----------
    distances : ndarray of shape (n_people, n_people)
        NaN where two people share no column: their affinity is 0.
    neighbours : int
        Nearest others that set the local scale.
    """
    nearest = np.take_along_axis(distances, nearest_others(distances, neighbours), axis=1)
    known = ~np.isnan(nearest)
    local = np.where(known, nearest, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    scale = (local[:, None] + local[None, :] + distances) / 3
    affinity = np.exp(-(distances**2) / (width * np.maximum(scale, _TINY)))
    return np.asarray(np.nan_to_num(affinity, nan=0.0))


def status(affinity: np.ndarray) -> np.ndarray:
    """Rows that add up to 1, of which one half is the person and the other half is shared by the others."""
    others = affinity.copy()
    np.fill_diagonal(others, 0.0)
    others /= np.maximum(2 * others.sum(axis=1, keepdims=True), _TINY)
    np.fill_diagonal(others, 0.5)
    return others


def local_kernel(affinity: np.ndarray, neighbours: int) -> csr_array:
    """Rows that add up to 1 over the person and the nearest others, 0 elsewhere."""
    people = len(affinity)
    nearest = np.column_stack([np.arange(people), nearest_others(-affinity, neighbours)])
    weight = np.take_along_axis(affinity, nearest, axis=1)
    weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), _TINY)
    ends = np.arange(0, nearest.size + 1, nearest.shape[1])
    return csr_array((weight.ravel(), nearest.ravel(), ends), shape=(people, people))


def fused(affinities: list[np.ndarray], neighbours: int, rounds: int) -> np.ndarray:
    """Fuse networks: each status becomes S x (mean of the others' status) x S', again and again, then their mean.

    A single network is its own status; there is nothing to fuse it with.

    Returns
    -------
    ndarray of shape (n_people, n_people)
        Symmetric.
    """
    # shares of a person's neighbourhood: single precision is enough, in half the time
    statuses = [status(affinity).astype(np.float32) for affinity in affinities]
    kernels = [local_kernel(affinity, neighbours).astype(np.float32) for affinity in affinities]
    for _ in range(rounds if len(statuses) > 1 else 0):
        total = np.sum(statuses, axis=0)
        statuses = [
            status(_diffused(kernel, (total - own) / (len(statuses) - 1)))
            for kernel, own in zip(kernels, statuses, strict=True)
        ]
    mean = np.mean(statuses, axis=0, dtype=float)
    return np.asarray((mean + mean.T) / 2)


def _diffused(kernel: csr_array, others: np.ndarray) -> np.ndarray:
    return _product(kernel, _product(kernel, others).T).T


def _product(kernel: csr_array, dense: np.ndarray) -> np.ndarray:
    made = np.empty(dense.shape, dtype=dense.dtype)
    for first in range(0, dense.shape[1], _COLUMNS):
        made[:, first : first + _COLUMNS] = kernel @ np.ascontiguousarray(dense[:, first : first + _COLUMNS])
    return made
