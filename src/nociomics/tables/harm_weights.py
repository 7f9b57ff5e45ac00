"""People's own weights of harm: they order options for them, and no model ever learns from them."""

from __future__ import annotations

import polars as pl

from nociomics.tables.ingested import HARM_WEIGHT


def own_harm_weights(patients: pl.DataFrame) -> pl.DataFrame | None:
    """Each person's own weight of harm, beside the features and never among them; None where nobody gave one.

    Returns
    -------
    DataFrame or None, one row per person
        ``patient_id, harm_weight``: benefit that one adverse event outweighs; null where the person gave none.
    """
    if HARM_WEIGHT not in patients.columns or patients[HARM_WEIGHT].null_count() == patients.height:
        return None
    return patients.select("patient_id", pl.col(HARM_WEIGHT).cast(pl.Float64))
