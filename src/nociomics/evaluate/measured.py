"""Who lacks which modality: the patterns by which a study's figures are split."""

from __future__ import annotations

import polars as pl

FEWEST_PER_PATTERN = 20
EVERYTHING = "everything"
OTHER = "other gaps"


def measured_patterns(features: pl.DataFrame, catalogue: pl.DataFrame) -> pl.DataFrame:
    """Name each person's pattern of missing modalities.

    Parameters
    ----------
    features, catalogue : DataFrame
        As in `tables.harmonised.FEATURES` and `FEATURE_CATALOGUE`.

    Returns
    -------
    DataFrame, one row per person
        ``patient_id, measured``: ``everything``, or ``without expression, genotype``; patterns of fewer than 20 people
        are one group, ``other gaps``. A modality counts as lacking when nothing of it was measured; one that nobody
        lacks, or nobody has, is no part of any pattern.

    Examples
    --------
    >>> features = pl.DataFrame({"patient_id": ["a", "b"], "g": [1.0, None]})
    >>> catalogue = pl.DataFrame({"feature": ["g"], "modality": ["expression"]})
    >>> measured_patterns(features, catalogue)["measured"].to_list()
    ['other gaps', 'other gaps']
    """
    lacking = []
    for modality in catalogue["modality"].unique().sort():
        names = catalogue.filter(pl.col("modality") == modality)["feature"].to_list()
        held = [name for name in names if name in features.columns]
        absent = (
            features.select(pl.all_horizontal(pl.col(held).is_null()).alias(modality)).to_series() if held else None
        )
        if absent is not None and absent.any() and not absent.all():
            lacking.append(absent)
    if not lacking:
        return features.select("patient_id", measured=pl.lit(EVERYTHING))
    words = [pl.when(pl.col(one.name)).then(pl.lit(one.name)) for one in lacking]
    named = pl.DataFrame(lacking).select(pl.concat_str(words, separator=", ", ignore_nulls=True)).to_series()
    patterns = features.select("patient_id").with_columns(
        measured=pl.Series([f"without {one}" if one else EVERYTHING for one in named])
    )
    small = patterns.group_by("measured").len().filter(pl.col("len") < FEWEST_PER_PATTERN)["measured"].to_list()
    return patterns.with_columns(
        measured=pl.when(pl.col("measured").is_in(small)).then(pl.lit(OTHER)).otherwise(pl.col("measured"))
    )
