"""The training people that explanations compare with."""

from __future__ import annotations

import numpy as np
import polars as pl

from nociomics.models.people_order import content_order
from nociomics.models.response import ResponseModel


def background_people(
    model: ResponseModel, features: pl.DataFrame, rows: pl.DataFrame, count: int, seed: int
) -> np.ndarray:
    """Draw encoded training people, the same ones whatever their ids and order.

    Parameters
    ----------
    features, rows : DataFrame
        As in `FEATURES` and `TARGET_ROWS`, same people in the same order.
    count : int
        At most this many.

    Returns
    -------
    ndarray of shape (n_background, n_columns)
        NaN where not measured.
    """
    known = rows["response_value" if model.kind == "value" else "label"].is_not_null()
    people = features.filter(known)
    people = people[content_order(people)]
    drawn = np.random.default_rng([seed, 11]).permutation(people.height)[:count]
    return model.encode(people[np.sort(drawn)]).values
