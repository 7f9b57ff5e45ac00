"""The people whom models learn from, where a cohort holds more than they need."""

from __future__ import annotations

import logging

import numpy as np
import polars as pl

from nociomics.models.people_order import content_order

_LOG = logging.getLogger(__name__)


def draw_training_sample(
    features: pl.DataFrame, target: pl.DataFrame, people: int, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw people at random, whatever was measured of them and whether their outcome was observed.

    Parameters
    ----------
    features, target : DataFrame, one row per person
        As in `FEATURES` and `TARGET_ROWS`.
    people : int
        How many; all where there are fewer.
    seed : int
        Of the draw. Neither ids nor the order of rows have a say in it.

    Returns
    -------
    tuple of DataFrame
        The same tables of the people drawn, in the order they had.
    """
    order = content_order(features)
    drawn = np.random.default_rng([seed, 11]).permutation(len(order))[:people]
    kept = features[np.sort(order[drawn])]
    _LOG.info("training sample: %d of %d people, drawn at random with seed %d", kept.height, features.height, seed)
    return kept, target.filter(pl.col("patient_id").is_in(kept["patient_id"].implode()))
