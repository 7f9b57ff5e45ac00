"""Covariates of people as features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nociomics.harmonise.feature import BASELINE, ID, Feature, Kind, Part, typed
from nociomics.tables.finding import Finding
from nociomics.tables.ingested import HARM_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Collection

_AS_GIVEN = "as given"
# Units and possible values of the covariates that the study contract names.
_COVARIATES: dict[str, tuple[str, float | None, float | None]] = {
    "age": ("years", 0.0, 130.0),
    "bmi": ("kg/m2", 0.0, None),
    "pain_months": ("months", 0.0, None),
}


def _kind(values: pl.Series) -> Kind:
    if not (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null)):
        return "category"
    seen = set(values.cast(pl.Float64).drop_nulls().unique().to_list())
    return "binary" if seen and seen <= {0.0, 1.0} else "numeric"


def covariate_features(
    patients: pl.DataFrame, covariates: pl.DataFrame | None, categories: Collection[str] = ()
) -> Part:
    """Covariates under their own names; those not measured at baseline are left out and counted.

    Parameters
    ----------
    patients : DataFrame, one row per person
        As in `tables.ingested.PATIENTS`.
    covariates : DataFrame, one row per covariate, or None
        When each was measured; None: all columns, at baseline.
    categories : collection of str
        Columns that are labels even when they are written as numbers, such as a numbered site.
    """
    columns = [name for name in patients.columns if name not in (ID, HARM_WEIGHT)]
    later: list[str] = []
    if covariates is not None:
        when = dict(covariates.select("column", "measured_at").iter_rows())
        later = [name for name in columns if when.get(name, "") not in (BASELINE, "")]
        columns = [name for name in columns if when.get(name) == BASELINE]
    kinds: dict[str, Kind] = {name: "category" if name in categories else _kind(patients[name]) for name in columns}
    frame = patients.select(ID, *(typed(kind, name) for name, kind in kinds.items()))
    text = f"{len(later)} columns were not measured at baseline and are no features"
    findings = [Finding("patients", None, "info", len(later), text)] if later else []
    return Part(frame, [_covariate(name, kind) for name, kind in kinds.items()], findings)


def _covariate(name: str, kind: Kind) -> Feature:
    unit, low, high = _COVARIATES.get(name, (_AS_GIVEN, None, None))
    unit = {"category": "category", "binary": "0/1"}.get(kind, unit)
    if kind == "binary":
        low, high = 0.0, 1.0
    return Feature(name, "clinical", name, unit, name.replace("_", " "), kind, low, high)
