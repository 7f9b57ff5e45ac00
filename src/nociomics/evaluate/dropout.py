"""Does the headline hold when people who lack an outcome are made to count? Weighting by the chance of being seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from nociomics.evaluate.bootstrap import Statistic, mean_statistic
from nociomics.evaluate.estimate import Estimate, FloatArray, estimate, not_computed
from nociomics.evaluate.metric_sets import Sampling, by_resampling, headline_statistic, too_few
from nociomics.evaluate.overlap import effective_size
from nociomics.evaluate.received import Rows

_LACKING = "inverse-probability-of-observation weights"


def dropout_metrics(
    headline: str,
    rows: Rows,
    chance: FloatArray | None,
    lacking: int,
    everybody: int,
    sampling: Sampling,
    statistic: Statistic | None = None,
) -> dict[str, Estimate]:
    """Return the headline, and its squared error, with every person weighted by 1 / chance of being observed.

    Someone who resembles those without an outcome then stands for them too. It is a sensitivity analysis: it corrects
    for what was measured, and for nothing else.

    Parameters
    ----------
    headline : {"auroc", "spearman", "accuracy"}
    rows : Rows
        Predictions of people with an outcome.
    chance : array of float, one per row of `rows`, optional
        Cross-fitted chance that the outcome is observed; null when it was not modelled.
    lacking, everybody : int
        People without an outcome, and all.
    statistic : Statistic, optional
        The headline's, when it is counted in another way than usual (within batches).

    Returns
    -------
    dict
        ``outcome_missing`` and ``<headline>_ipcw`` always; ``brier_ipcw`` for events, ``mae_ipcw`` for values;
        empty when nobody lacks the outcome.
    """
    if lacking == 0:
        return {}
    name = f"{headline}_ipcw"
    share = estimate(lacking / everybody, everybody, "people who were predicted but whose outcome was not observed")
    reason = too_few(rows)
    if reason is None and (chance is None or not np.isfinite(chance).all()):
        reason = f"{lacking} of {everybody} people lack the outcome, too few to model who does"
    if reason is not None or chance is None:
        return {"outcome_missing": share, name: not_computed(reason or "", rows.n)}
    weight = 1.0 / np.maximum(chance, 1e-6)
    weight = weight / weight.mean()
    words = (
        f"{lacking} of {everybody} people lack the outcome; {_LACKING} from baseline and treatment, cross-fitted "
        f"(largest {weight.max():.1f} times the mean, effective share {effective_size(weight) / weight.size:.2f}); "
        "sensitivity analysis"
    )
    own = statistic if statistic is not None else headline_statistic(headline, rows, rows.predicted)
    asked = {headline: own, **_errors(headline, rows)}
    return {"outcome_missing": share} | {
        f"{one}_ipcw": by_resampling(rows, _weighted(found, weight), words, "undefined", sampling)
        for one, found in asked.items()
    }


def chance_of_rows(observation: pl.DataFrame | None, kept: pl.DataFrame) -> FloatArray | None:
    """Bring the chances of being observed into the order of some predictions; null when none were modelled.

    Parameters
    ----------
    observation : DataFrame, optional
        As in `tables.results.OBSERVATION`.
    kept : DataFrame, one row per prediction
        ``patient_id, repeat``.
    """
    if observation is None or observation.is_empty():
        return None
    joined = kept.select("patient_id", pl.col("repeat").cast(pl.Int64)).join(
        observation, on=["patient_id", "repeat"], how="left", maintain_order="left"
    )
    return joined["observed"].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _weighted(statistic: Statistic, weight: FloatArray) -> Statistic:
    return lambda weights: statistic(weights * weight)


def _errors(headline: str, rows: Rows) -> dict[str, Any]:
    y = np.asarray(rows.y, dtype=np.float64)
    if headline == "auroc" and rows.predicted.ndim == 1:
        return {"brier": mean_statistic((y - rows.predicted) ** 2)}
    if headline == "spearman":
        return {"mae": mean_statistic(np.abs(y - rows.predicted))}
    return {}
