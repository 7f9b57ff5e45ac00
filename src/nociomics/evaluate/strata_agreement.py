"""Whether strata found in one half of the people, or with another seed, place everybody alike."""

from __future__ import annotations

import logging
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from nociomics.errors import NociomicsError
from nociomics.evaluate.estimate import FloatArray
from nociomics.models.settings import BlockSettings, StrataSettings
from nociomics.models.stratification import StratumModel
from nociomics.tables.progress import Progress

_LOG = logging.getLogger(__name__)
_FEWEST_PEOPLE = 50
_SPLITS, _SEEDS = 3, 3


def strata_agreement(
    features: pl.DataFrame, catalogue: pl.DataFrame, settings: StrataSettings, blocks: BlockSettings, seed: int
) -> dict[str, Any]:
    """Learn strata in halves, and with other seeds, and compare where everybody is placed.

    Every model chooses its own number of strata and places everybody, those of the other half too.

    Returns
    -------
    dict
        ``halves`` and ``seeds``, each ``k`` (found by every model), ``ari`` (adjusted Rand index, mean over pairs;
        None when a model found one stratum, which agrees with everything and says nothing), ``ari_low`` (the
        smallest), ``factors`` (mean absolute correlation of the factor scores, factors matched one to one) and
        ``pairs``; or ``reason`` alone.
    """
    if features.height < _FEWEST_PEOPLE:
        reason = f"{features.height} people are too few to be halved ({_FEWEST_PEOPLE} are needed)"
        return {"halves": {"reason": reason}, "seeds": {"reason": reason}}
    quick = settings.model_copy(update={"bootstraps": 0})
    rng = np.random.default_rng([seed, 23])
    progress = Progress("strata of halves and seeds", "models", 2 * _SPLITS + _SEEDS)

    def placed(people: pl.DataFrame, number: int) -> tuple[pl.Series, FloatArray, int]:
        model = StratumModel(quick, blocks, number).fit(people, catalogue)
        progress.advance(1)
        scores, measured = model.scores(features)
        known = np.where(measured[:, None], scores, np.nan)
        return model.assign(features)["stratum"], known, int(model.k_)

    try:
        halves = []
        for _ in range(_SPLITS):
            order = rng.permutation(features.height)
            middle = features.height // 2
            halves.append([placed(features[np.sort(part)], seed) for part in (order[:middle], order[middle:])])
        seeds = [placed(features, seed + 1000 * (number + 1)) for number in range(_SEEDS)]
    except NociomicsError as error:
        _LOG.info("no agreement between halves: a model could not be learned")
        # half of the people may lack what the whole has, such as a second batch: that is an answer, not a failure
        return {"halves": {"reason": str(error)}, "seeds": {"reason": str(error)}}
    return {
        "halves": _summed([(one, two) for one, two in halves]),
        "seeds": _summed(list(combinations(seeds, 2))),
    }


def _summed(pairs: list[Any]) -> dict[str, Any]:
    rand = [_rand(one[0], two[0]) for one, two in pairs if min(one[2], two[2]) > 1]
    found = [value for value in rand if value is not None]
    alike = [value for one, two in pairs if (value := factors_alike(one[1], two[1])) is not None]
    return {
        "k": [[one[2], two[2]] for one, two in pairs],
        "ari": float(np.mean(found)) if found and len(found) == len(pairs) else None,
        "ari_low": float(np.min(found)) if found and len(found) == len(pairs) else None,
        "factors": float(np.mean(alike)) if alike else None,
        "pairs": len(pairs),
    }


def _rand(first: pl.Series, second: pl.Series) -> float | None:
    known = first.is_not_null() & second.is_not_null()
    return float(adjusted_rand_score(first.filter(known), second.filter(known))) if known.any() else None


def factors_alike(first: FloatArray, second: FloatArray) -> float | None:
    """Mean absolute correlation of the factor scores of two models, each factor matched to one of the other's.

    Examples
    --------
    >>> scores = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 0.5]])
    >>> round(factors_alike(scores, -scores[:, ::-1]), 6)
    1.0
    """
    known = ~(np.isnan(first).any(axis=1) | np.isnan(second).any(axis=1))
    if min(first.shape[1], second.shape[1]) == 0 or known.sum() < 3:
        return None
    parts = [part[known] - part[known].mean(axis=0) for part in (first, second)]
    lengths = [np.linalg.norm(part, axis=0) for part in parts]
    if min(length.min() for length in lengths) < 1e-12:
        return None
    correlation = np.abs(parts[0].T @ parts[1]) / np.outer(*lengths)
    rows, columns = linear_sum_assignment(-correlation)
    return float(correlation[rows, columns].mean())
