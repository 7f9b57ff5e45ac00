"""What is modelled beside benefit: the chance of the adverse event under every treatment, by the same means."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import polars as pl

from nociomics.errors import StudyError
from nociomics.models.adverse_event import adverse_rows, adverse_status, adverse_target
from nociomics.models.response import ResponseModel, fit_response, out_of_fold
from nociomics.models.settings import BlockSettings, ResponseSettings
from nociomics.models.value_model import Training
from nociomics.tables.study import Target

_LOG = logging.getLogger(__name__)


def adverse_out_of_fold(
    training: Training,
    splits: pl.DataFrame,
    target: Target,
    blocks: BlockSettings,
    settings: ResponseSettings,
    seed: int,
) -> pl.DataFrame:
    """Predict everybody's chance of the adverse event under every treatment, on the study's own folds.

    The folds of the first repeat are enough: no decision hangs on the last digit of these figures. Folds whose
    training part holds too little to learn from are left out, so a rare event never stops a run.

    Returns
    -------
    DataFrame
        As in `tables.results.OUT_OF_FOLD`; no rows when the event is too rare to model.
    """
    own = adverse_target(target)
    known = adverse_status(training.rows, target)
    splits = splits.filter(pl.col("repeat") == pl.col("repeat").min())
    if own is None or not known["modelled"]:
        splits = splits.clear()
    return out_of_fold(_training(training), splits, own or target, blocks, settings, seed, skip_unlearnable=True)


def fit_adverse(
    training: Training, target: Target, blocks: BlockSettings, settings: ResponseSettings, refits: int, seed: int
) -> tuple[ResponseModel | None, dict[str, Any]]:
    """Fit the final model of the adverse event.

    Returns
    -------
    model, status
        No model, and the reason in ``status``, when the event is too rare or a treatment has too few people.
    """
    own, status = adverse_target(target), adverse_status(training.rows, target)
    if own is None or not status["modelled"]:
        return None, status
    try:
        return fit_response(_training(training), own, blocks, settings, refits, seed), status
    except StudyError as error:
        _LOG.warning("the adverse event is not modelled: %s", error)
        return None, status | {"modelled": False, "reason": str(error)}


def _training(training: Training) -> Training:
    return Training(training.features, training.catalogue, adverse_rows(training.rows), np.asarray(training.inner_fold))
