"""Factors of MOFA, where its package is installed, and a Gaussian mixture on them."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module

import numpy as np
from sklearn.mixture import GaussianMixture

from nociomics.models.measured_blocks import MeasuredBlocks
from nociomics.models.settings import StrataSettings

_STARTS = 3
_ROUNDS = 500


class MofaMixture:
    """Groups in the factors of MOFA; transductive, one block of each person is enough.

    The package (LGPL) is never needed: `Challenger.obstacle` says "not installed" without it.

    References
    ----------
    Argelaguet et al. 2020 (Genome Biol 21:111).
    """

    def __init__(self, blocks: MeasuredBlocks, settings: StrataSettings, seed: int) -> None:
        self._scores, self._seed = mofa_factors(blocks, settings.factors, seed), seed
        self._fitted = cache(self._fit)

    def criterion(self, k: int) -> float:
        """Bayesian information criterion; infinite where MOFA found no factor."""
        return np.inf if self._scores.shape[1] == 0 else float(self._fitted(k).bic(self._scores))

    def labels(self, k: int) -> np.ndarray:
        """Group of each person; all are in one where MOFA found no factor."""
        if self._scores.shape[1] == 0:
            return np.zeros(len(self._scores), dtype=int)
        return np.asarray(self._fitted(k).predict(self._scores))

    def _fit(self, k: int) -> GaussianMixture:
        mixture = GaussianMixture(k, n_init=_STARTS, reg_covar=1e-4, max_iter=500, random_state=self._seed)
        return mixture.fit(self._scores)


def mofa_factors(blocks: MeasuredBlocks, count: int, seed: int) -> np.ndarray:
    """Return expected factors of people, standardised: shape (n_people, n_factors); nothing is imputed."""
    entry = import_module("mofapy2.run.entry_point")
    # the package prints pages, and warns about what it does itself
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mofa = entry.entry_point()
        mofa.set_data_options(scale_views=True)
        mofa.set_data_matrix([[block.copy()] for block in blocks.blocks], likelihoods=["gaussian"] * len(blocks.blocks))
        mofa.set_model_options(factors=count)
        mofa.set_train_options(iter=_ROUNDS, convergence_mode="fast", seed=seed, quiet=True)
        mofa.build()
        mofa.run()
        factors = np.asarray(mofa.model.nodes["Z"].getExpectation(), dtype=float)
    spread = factors.std(axis=0)
    return np.asarray(factors[:, spread > 1e-6] / spread[spread > 1e-6])
