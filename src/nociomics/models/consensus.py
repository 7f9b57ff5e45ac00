"""Consensus clustering: how often two people fall together when the cohort is drawn anew."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from nociomics.models.measured_blocks import MeasuredBlocks
from nociomics.models.settings import StrataSettings
from nociomics.models.spectral import nearest_mean_groups

DRAWS = 50
SHARE = 0.8
_UNCLEAR = (0.1, 0.9)


class Consensus:
    """k-means on drawn people, then average linkage of how seldom two people fell together; transductive.

    References
    ----------
    Monti et al. 2003 (Mach Learn 52:91). The criterion, the share of pairs that fell together in more than 10 % and
    less than 90 % of their draws, is from Senbabaoglu, Michailidis, Li 2014 (Sci Rep 4:6207).
    """

    def __init__(self, blocks: MeasuredBlocks, settings: StrataSettings, seed: int) -> None:
        self._points, self._seed = blocks.side_by_side(), seed
        self._together = cache(self._count)

    def criterion(self, k: int) -> float:
        """Proportion of ambiguous clustering (PAC)."""
        pairs = squareform(self._together(k), checks=False)
        return float(np.mean((pairs > _UNCLEAR[0]) & (pairs < _UNCLEAR[1])))

    def labels(self, k: int) -> np.ndarray:
        """Group of each person."""
        apart = squareform(1 - self._together(k), checks=False)
        return np.asarray(fcluster(linkage(apart, "average"), k, "maxclust")) - 1

    def _count(self, k: int) -> np.ndarray:
        return consensus_matrix(self._points, k, self._seed)


def consensus_matrix(points: np.ndarray, k: int, seed: int, draws: int = DRAWS) -> np.ndarray:
    """Share of common draws in which two people fell into one group: shape (n_people, n_people), 1 on the diagonal."""
    people = len(points)
    rng = np.random.default_rng([seed, k])
    drawn = np.zeros((people, draws), dtype=np.float32)
    member = np.zeros((people, draws * k), dtype=np.float32)
    for draw in range(draws):
        rows = np.sort(rng.choice(people, int(SHARE * people), replace=False))
        drawn[rows, draw] = 1
        member[rows, draw * k + nearest_mean_groups(points[rows], k, seed + draw, starts=1)] = 1
    # counts of at most a few thousand are exact in single precision
    share = np.asarray((member @ member.T) / np.maximum(drawn @ drawn.T, 1), dtype=float)
    np.fill_diagonal(share, 1.0)
    return share
