"""Neighbours averaged over the blocks that two people share: nobody needs every block."""

from __future__ import annotations

import numpy as np

from nociomics.models.measured_blocks import MeasuredBlocks, squared_distances
from nociomics.models.settings import StrataSettings
from nociomics.models.spectral import SpectralGroups, nearest_others

_PEOPLE_PER_NEIGHBOUR = 6
_TINY = 1e-12


class AverageNeighbours:
    """Groups in the averaged similarity; transductive, one block of each person is enough.

    A person has one neighbour in a block per 6 people of whom it was measured, as published for an unknown number
    of groups. Two people who share no block have similarity 0.

    References
    ----------
    After NEMO: Rappoport and Shamir 2019 (Bioinformatics 35:3348), equations 1 to 4; written from them.
    """

    def __init__(self, blocks: MeasuredBlocks, settings: StrataSettings, seed: int) -> None:
        self._groups = SpectralGroups(average_similarity(blocks), settings.largest_k, seed)

    def criterion(self, k: int) -> float:
        """Take the eigengap times k, as the method has it."""
        return k * self._groups.eigengap(k)

    def labels(self, k: int) -> np.ndarray:
        """Group of each person."""
        return self._groups.labels(k)


def average_similarity(blocks: MeasuredBlocks, people_per_neighbour: int = _PEOPLE_PER_NEIGHBOUR) -> np.ndarray:
    """Mean relative similarity over the blocks that both people have: shape (n_people, n_people).

    Parameters
    ----------
    blocks : MeasuredBlocks
        At least one block measured of each person.
    people_per_neighbour : int
        A block gives a neighbour per so many people of whom it was measured.
    """
    total = np.zeros((blocks.people, blocks.people))
    shared = np.zeros_like(total)
    for block, has in zip(blocks.blocks, blocks.measured.T, strict=True):
        people = np.flatnonzero(has)
        if len(people) < 2:
            continue
        squares = squared_distances(block[people])
        comparable = ~np.isnan(squares)
        within = relative_similarity(squares, max(len(people) // people_per_neighbour, 1))
        total[np.ix_(people, people)] += np.where(comparable, within, 0.0)
        shared[np.ix_(people, people)] += comparable
    return np.asarray(total / np.maximum(shared, 1))


def relative_similarity(squares: np.ndarray, neighbours: int) -> np.ndarray:
    """Similarity of neighbours, relative to all that each of the two has with neighbours: 0 for others.

    Gaussian similarity with variance ``(mean square of i to its neighbours + the same of j + square of i and j) / 3``.

    Parameters
    ----------
    squares : ndarray of shape (n_people, n_people)
        Squared distances, NaN where two people share no column.
    neighbours : int
        Nearest others that count.
    """
    nearest = nearest_others(squares, neighbours)
    near = np.take_along_axis(squares, nearest, axis=1)
    known = ~np.isnan(near)
    local = np.where(known, near, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    variance = np.maximum((local[:, None] + local[None, :] + squares) / 3, _TINY)
    similarity = np.nan_to_num(np.exp(-squares / (2 * variance)) / np.sqrt(2 * np.pi * variance), nan=0.0)
    is_neighbour = np.zeros(squares.shape, dtype=bool)
    np.put_along_axis(is_neighbour, nearest, known, axis=1)
    near_similarity = np.where(is_neighbour, similarity, 0.0)
    share = near_similarity / np.maximum(near_similarity.sum(axis=1, keepdims=True), _TINY)
    return np.asarray(share + share.T)
