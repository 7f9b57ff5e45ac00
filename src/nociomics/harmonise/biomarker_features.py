"""Analytes as features, one column each and a flag for non-detects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from nociomics.errors import TableError
from nociomics.harmonise.feature import ID, Feature, Part, wide_by_person
from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.tables.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def biomarker_features(converted: pl.DataFrame) -> Part:
    """Analytes in their base unit, as ``il6_pg_per_ml``; a non-detect holds its limit of detection.

    ``<analyte>_below_lod`` (0/1) is added for each analyte that has a non-detect. Several
    measurements of one person become their geometric mean, and are counted.

    Parameters
    ----------
    converted : DataFrame, one row per measurement
        As of `units.convert_biomarkers`, in base units; refused rows have no value and add nothing.
    """
    markers = load_biomarkers()
    rows = converted.filter(pl.col("value").is_not_null() & pl.col("analyte").is_in(list(markers)))
    wrong = rows.filter(pl.col("unit") != pl.col("analyte").replace_strict(_base_units(), default=None))
    if wrong.height:
        raise TableError(f"biomarkers: {wrong.height} rows are not in their base unit. Convert the table first.")
    cells = rows.group_by(ID, "analyte", maintain_order=True).agg(
        value=_geometric_mean(), below=pl.col("below_lod").all(), times=pl.len()
    )
    repeated = int((cells["times"] > 1).sum())
    text = f"{repeated} people and analytes were measured more than once: the geometric mean is used"
    findings = [Finding("biomarkers", "value", "info", repeated, text)] if repeated else []
    found = [markers[name] for name in rows["analyte"].unique(maintain_order=True).to_list()]
    flagged = set(rows.filter("below_lod")["analyte"].unique().to_list())
    values, flags = _analyte_entries(found, flagged)
    named = cells.with_columns(feature=pl.col("analyte").replace_strict(values, return_dtype=pl.String))
    below = cells.filter(pl.col("analyte").is_in(list(flags))).with_columns(
        feature=pl.col("analyte").replace_strict(flags, default=None, return_dtype=pl.String)
    )
    frame = wide_by_person(named, "value", list(values.values()), "biomarkers")
    if flags:
        frame = frame.join(wide_by_person(below, "below", list(flags.values()), "biomarkers"), on=ID, how="left")
    return Part(frame, [*_analytes(found), *_limits(found, flags)], findings)


def _base_units() -> dict[str, str]:
    return {marker.id: marker.base_unit for marker in load_biomarkers().values()}


def _geometric_mean() -> pl.Expr:
    """Of one value the value itself; a mean of logs has no meaning when one is not above 0."""
    value = pl.col("value")
    several = pl.when((value > 0).all()).then(value.log().mean().exp()).otherwise(value.mean())
    return pl.when(pl.len() == 1).then(value.first()).otherwise(several)


def _analyte_entries(found: Iterable[Any], flagged: set[str]) -> tuple[dict[str, str], dict[str, str]]:
    values = {marker.id: marker.feature_name for marker in found}
    return values, {marker.id: f"{marker.feature}_below_lod" for marker in found if marker.id in flagged}


def _analytes(found: Iterable[Any]) -> list[Feature]:
    return [
        Feature(
            marker.feature_name,
            "biomarkers",
            marker.feature,
            marker.base_unit,
            f"{marker.name}, {marker.matrix}",
            low=min(0.0, marker.plausible_low),
            high=marker.plausible_high,
        )
        for marker in found
    ]


def _limits(found: Iterable[Any], flags: Mapping[str, str]) -> list[Feature]:
    return [
        Feature(
            flags[marker.id], "biomarkers", marker.feature, "0/1", f"{marker.name} below detection", "binary", 0.0, 1.0
        )
        for marker in found
        if marker.id in flags
    ]
