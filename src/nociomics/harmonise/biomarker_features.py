"""Analytes as features, one column each and a flag for non-detects."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nociomics.errors import TableError
from nociomics.harmonise.biomarker_cells import Cells, cells_of_converted
from nociomics.harmonise.biomarker_repeats import mixed_specimens, repeat_findings, settled_repeats
from nociomics.harmonise.cortisol_features import cortisol_features
from nociomics.harmonise.feature import ID, Feature, Part
from nociomics.harmonise.nondetects import nondetect_findings
from nociomics.knowledge.biomarker import Biomarker, load_biomarkers


def biomarker_features(converted: pl.DataFrame) -> Part:
    """Analytes in their base unit, as ``il6_pg_per_ml``; a non-detect holds its limit of detection.

    ``<analyte>_below_lod`` (0/1) is added for each analyte that has a non-detect, ``<analyte>_above_limit`` for each
    that has a value above its assay. Several measurements of one person become their median (of the
    replicates of a sample, then of the samples), and are counted. Cortisol adds what its times tell:
    see `cortisol_features`. Plates become no feature.

    Parameters
    ----------
    converted : DataFrame, one row per measurement
        As of `units.convert_biomarkers`, in base units; refused rows have no value and add nothing.
    """
    markers = load_biomarkers()
    rows = converted.filter(pl.col("value").is_not_null() & pl.col("analyte").is_in(list(markers)))
    _require_base_units(rows)
    repeats: list[pl.DataFrame] = []

    def settle(places: NDArray[np.int64]) -> pl.DataFrame:
        repeats.append(rows[places])
        return settled_repeats(repeats[-1])

    cells = cells_of_converted(rows.lazy(), settle)
    found = [markers[name] for name in cells.analytes]
    above = _above(rows)
    over_time = cortisol_features(rows)
    findings = [
        *(finding for shared in repeats for finding in repeat_findings(shared)),
        *nondetect_findings(converted),
        *mixed_specimens(rows),
        *over_time.findings,
    ]
    frame, flags = _frame(cells, found, set(rows.filter("below_lod")["analyte"].unique().to_list()))
    for part in (above, over_time.frame):
        frame = frame.join(part, on=ID, how="left", maintain_order="left")
    return Part(frame, [*_analytes(found), *flags, *_upper(found, above.columns), *over_time.features], findings)


def _require_base_units(rows: pl.DataFrame) -> None:
    units = {marker.id: marker.base_unit for marker in load_biomarkers().values()}
    pairs = rows.group_by("analyte", "unit").len()
    wrong = sum(count for analyte, unit, count in pairs.iter_rows() if units[analyte] != unit)
    if wrong:
        raise TableError(f"biomarkers: {wrong} rows are not in their base unit. Convert the table first.")


def _frame(cells: Cells, found: list[Biomarker], flagged: set[str]) -> tuple[pl.DataFrame, list[Feature]]:
    """Lay the cells out as columns; a flag is null where nothing was measured."""
    columns, flags = [cells.people.alias(ID)], []
    for place, marker in enumerate(found):
        columns.append(pl.Series(marker.feature_name, cells.values[:, place], nan_to_null=True))
    for place, marker in enumerate(found):
        if marker.id in flagged:
            missing = np.isnan(cells.values[:, place])
            answer = np.where(missing, np.nan, cells.below[:, place].astype(float))
            name = f"{marker.feature}_below_lod"
            columns.append(pl.Series(name, answer, nan_to_null=True))
            flags.append(_flag(name, marker, f"{marker.name} below detection"))
    return pl.DataFrame(columns), flags


def _flag(name: str, marker: Biomarker, description: str) -> Feature:
    return Feature(name, "biomarkers", marker.feature, "0/1", description, "binary", 0.0, 1.0)


def _above(rows: pl.DataFrame) -> pl.DataFrame:
    """People with a flag for each analyte of which somebody has a value above the assay."""
    empty = rows.select(ID).unique(maintain_order=True)
    if "above_limit" not in rows.columns or not rows["above_limit"].any():
        return empty
    censored = rows.filter("above_limit")["analyte"].unique(maintain_order=True).to_list()
    words = {name: f"{load_biomarkers()[name].feature}_above_limit" for name in censored}
    flags = rows.filter(pl.col("analyte").is_in(censored)).group_by(ID, "analyte").agg(pl.col("above_limit").any())
    wide = flags.pivot(on="analyte", on_columns=censored, index=ID, values="above_limit", aggregate_function="first")
    return empty.join(wide.rename(words).cast({word: pl.Float64 for word in words.values()}), on=ID, how="left")


def _analytes(found: Iterable[Biomarker]) -> list[Feature]:
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


def _upper(found: Iterable[Biomarker], names: list[str]) -> list[Feature]:
    return [
        _flag(name, marker, f"{marker.name} above the assay's upper limit")
        for marker in found
        if (name := f"{marker.feature}_above_limit") in names
    ]
