"""Biomarker values in one unit per analyte, with doubtful units and values named, none changed silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nociomics.knowledge.biomarker import find_biomarker, load_biomarkers, normalise_unit
from nociomics.tables.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nociomics.knowledge.biomarker import Biomarker

_OUTPUT = ["patient_id", "analyte", "value", "unit", "below_lod", "lod", "status"]
_CARRIED = ["plate", "specimen", "collected_at"]
_TRAITS = {
    "name": pl.String,
    "specimen": pl.String,
    "written": pl.String,
    "standard": pl.String,
    "wanted": pl.String,
    "id": pl.String,
    "factor": pl.Float64,
    "to_base": pl.Float64,
    "target": pl.String,
    "low": pl.Float64,
    "high": pl.Float64,
    "refusal": pl.String,
}
_KEYS = ["name", "specimen", "written", "standard", "wanted"]
_FEWEST = 5  # a group smaller than this says nothing about its unit
_SHARE = 0.5
_FAR_APART = 0.9  # log10: a factor of about 8, the least that a wrong unit makes
_CLOSE = 0.3  # log10: how near a group's distance must lie to the factor
_CERTAIN = 5.0  # standard errors between the group and the others


def _refusal(
    marker: Biomarker | None, unit: str, factor: float | None, target: float | None, wanted: str
) -> str | None:
    if marker is None:
        return "rejected: unknown analyte"
    if not unit:
        return f"rejected: no unit; known: {_known(marker)}"
    if factor is None and "IU" in normalise_unit(unit):
        named = ", ".join(marker.standards) or "none is known for this analyte"
        return f"rejected: international units need the WHO standard ({named})"
    if factor is None:
        return f"rejected: unit unknown for {marker.id}; known: {_known(marker)}"
    return f"rejected: target unit unknown for {marker.id}; known: {_known(marker)}" if target is None else None


def _known(marker: Biomarker) -> str:
    """List the units one meets, the base unit first."""
    usual = [unit for unit in marker.factors if 1e-3 <= marker.factors[unit] <= 1e3]
    return ", ".join([marker.base_unit, *(unit for unit in usual if unit != marker.base_unit)])


def _traits(key: tuple[str | None, ...]) -> tuple[object, ...]:
    """Say what one combination of analyte, specimen, unit, standard and target unit means."""
    name, specimen, unit, standard, wanted = (part or "" for part in key)
    marker = find_biomarker(name, specimen or None)
    if marker is None:
        return (*key, None, None, None, None, None, None, _refusal(None, unit, None, None, wanted))
    target = normalise_unit(wanted) if wanted else marker.base_unit
    to_base, of_target = marker.factor(unit, standard), marker.factor(target, standard)
    refusal = _refusal(marker, unit, to_base, of_target, wanted)
    factor = to_base / of_target if to_base is not None and of_target is not None else None
    return (*key, marker.id, factor, to_base, target, marker.plausible_low, marker.plausible_high, refusal)


def _with_traits(table: pl.DataFrame, target_unit: str | None) -> pl.DataFrame:
    """Join to each row what its analyte and unit mean; a missing optional column counts as empty."""
    empty = [
        pl.lit(None, dtype=pl.String).alias(name) for name in ("specimen", "standard") if name not in table.columns
    ]
    wanted = pl.col("target_unit") if "target_unit" in table.columns else pl.lit(target_unit, dtype=pl.String)
    keyed = table.with_columns(*empty, wanted=wanted, name=pl.col("analyte"), written=pl.col("unit")).with_columns(
        pl.col(_KEYS).cast(pl.String).fill_null("").str.strip_chars()
    )
    combinations = keyed.select(_KEYS).unique(maintain_order=True)
    traits = pl.DataFrame([_traits(key) for key in combinations.iter_rows()], schema=_TRAITS, orient="row")
    return keyed.join(traits, on=_KEYS, how="left", maintain_order="left")


def _in_base() -> pl.Expr:
    return pl.col("value") * pl.col("to_base")


def _status() -> pl.Expr:
    """Only too much is an error by itself: next to nothing of an analyte is possible (a blunted axis)."""
    return (
        pl.when(pl.col("refusal").is_not_null())
        .then(pl.col("refusal"))
        .when(pl.col("value").is_null())
        .then(pl.lit("missing: no value"))
        .when(_in_base() > pl.col("high"))
        .then(pl.lit("implausible: above the plausible range, check value and unit"))
        .otherwise(pl.lit("ok"))
    )


def convert_biomarkers(
    biomarkers: pl.DataFrame, target_unit: str | None = None, keep_names: bool = False
) -> tuple[pl.DataFrame, list[Finding]]:
    """Bring measurements to one unit per analyte.

    Parameters
    ----------
    biomarkers : DataFrame, one row per measurement
        As in `tables.ingested.BIOMARKERS`; optional ``standard`` (the WHO standard behind
        international units) and ``target_unit`` (per row, before the argument).
    target_unit : str, optional
        Unit of all results; the analyte's base unit when left out.
    keep_names : bool
        Keep the analyte as written instead of its id.

    Returns
    -------
    DataFrame, one row per measurement, in the order given
        ``patient_id, analyte, value, unit, below_lod, lod, status``, then ``plate``, ``specimen`` and
        ``collected_at`` where given. ``value`` is null when the row is refused; a non-detect holds its
        limit in ``value`` and ``lod``. ``status`` is ``ok``, ``missing: ...``, ``implausible: ...``
        (the value is kept as it is) or ``rejected: ...``.
    list of Finding
        How many rows were refused or doubted, by analyte and reason.

    References
    ----------
    ``source`` of the rows of knowledge/biomarkers.csv; factors follow from mass and molar mass.

    Examples
    --------
    >>> row = {"patient_id": ["P1"], "analyte": ["crp"], "value": [0.8], "unit": ["mg/dL"], "below_lod": [False]}
    >>> table, findings = convert_biomarkers(pl.DataFrame(row).with_columns(lod=pl.lit(None, dtype=pl.Float64)))
    >>> table.select("value", "unit", "status").row(0), findings
    ((8.0, 'mg/L', 'ok'), [])
    """
    joined = _with_traits(biomarkers, target_unit).with_columns(pl.col("value", "lod").cast(pl.Float64))
    refused = pl.col("refusal").is_not_null()
    limit = pl.when(pl.col("below_lod")).then(pl.coalesce("lod", "value")).otherwise("lod")
    value = pl.when(pl.col("below_lod")).then(pl.coalesce("value", "lod")).otherwise("value")
    converted = joined.with_columns(value=value, lod=limit).with_columns(
        status=_status(),
        too_low=(_in_base() < pl.col("low")) & ~pl.col("below_lod"),
        value=pl.when(~refused).then(pl.col("value") * pl.col("factor")),
        lod=pl.when(~refused).then(pl.col("lod") * pl.col("factor")),
        unit=pl.when(refused).then(pl.col("unit").cast(pl.String).fill_null("")).otherwise("target"),
        analyte=pl.col("name") if keep_names else pl.coalesce("id", "name"),
    )
    carried = [name for name in _CARRIED if name in biomarkers.columns]
    return converted.select(*_OUTPUT, *carried), _findings(converted)


def _findings(converted: pl.DataFrame) -> list[Finding]:
    doubtful = converted.with_row_index("row", offset=1).filter(~pl.col("status").str.contains("^(ok|missing)"))
    counts = doubtful.group_by("analyte", "status", maintain_order=True).agg(pl.len(), pl.col("row").min())
    low = converted.filter("too_low").group_by("analyte", maintain_order=True).len()
    return [
        *(
            Finding("biomarkers", "value", "info", count, f"{analyte}: {count} rows lie below the plausible range")
            for analyte, count in low.iter_rows()
        ),
        *_refused(counts),
    ]


def _refused(counts: pl.DataFrame) -> list[Finding]:
    return [
        Finding(
            "biomarkers",
            "unit" if status.startswith("rejected") else "value",
            "fatal" if status.startswith("rejected") else "warning",
            count,
            f"{analyte}: {count} rows (first: row {first}) {status}",
        )
        for analyte, status, count, first in counts.iter_rows()
    ]


def biomarkers_table(table: pl.DataFrame, target_unit: str | None = None) -> tuple[pl.DataFrame, list[Finding]]:
    """Units and non-detects of a table as written (the command ``nociomics biomarkers``).

    Parameters
    ----------
    table : DataFrame, one row per measurement
        ``patient_id``, ``analyte`` under any known name, ``value``, ``unit``; optional ``below_lod``,
        ``lod``, ``specimen``, ``plate``, ``target_unit``, ``standard``. A text value such as ``<0.4``
        is a non-detect with that limit.
    target_unit : str, optional
        Unit of all results when the table has no column of this name.

    Returns
    -------
    DataFrame, list of Finding
        As of `convert_biomarkers`, with analytes as written and rows in their order; findings of
        doubtful units in a whole column come last.
    """
    typed, unread = _typed(table)
    converted, findings = convert_biomarkers(typed, target_unit, keep_names=True)
    status = pl.when(unread).then(pl.lit("rejected: the value is not a number")).otherwise("status")
    result = converted.with_columns(status=status).select(_OUTPUT)
    if unread.any():
        text = f"{int(unread.sum())} rows hold a value that is not a number, such as 2.4 or <0.4"
        findings.append(Finding("biomarkers", "value", "fatal", int(unread.sum()), text))
    return result, [*findings, *suspect_units(typed)]


def _typed(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Read values as written; the second part says which rows hold something that is no number."""
    text = table["value"].cast(pl.String).str.strip_chars()
    below = text.str.starts_with("<").fill_null(False)
    value = text.str.replace(r"^<\s*", "").cast(pl.Float64, strict=False).fill_nan(None)
    empty = text.is_null() | text.str.to_lowercase().is_in(["", "na", "nan"])
    given = _boolean(table["below_lod"]) if "below_lod" in table.columns else pl.Series([False] * table.height)
    lod = table["lod"].cast(pl.Float64, strict=False) if "lod" in table.columns else pl.Series([None] * table.height)
    typed = table.with_columns(
        value.alias("value"), (below | given).alias("below_lod"), lod.cast(pl.Float64).alias("lod")
    )
    return typed, (value.is_null() & ~empty).alias("unread")


def _boolean(values: pl.Series) -> pl.Series:
    return values.cast(pl.String).str.to_lowercase().is_in(["true", "1", "1.0", "yes"]).fill_null(False)


def suspect_units(biomarkers: pl.DataFrame, sites: pl.DataFrame | None = None) -> list[Finding]:
    """Look for units that a single value cannot betray, in whole columns, sites and plates.

    Two signs: more than half of a group lies outside the plausible range (or below what assays
    detect) but inside it after the factor of another known unit; or a group lies from the others by
    just such a factor, far beyond chance.

    Parameters
    ----------
    biomarkers : DataFrame, one row per measurement
        As in `tables.ingested.BIOMARKERS`.
    sites : DataFrame, one row per person, optional
        ``patient_id`` and ``site``.

    Returns
    -------
    list of Finding
        At most one warning per analyte, unit and group. Nothing is changed.
    """
    rows = _detected(biomarkers, sites)
    found = []
    for (analyte, unit), group in rows.group_by("id", "written_unit", maintain_order=True):
        marker = load_biomarkers()[str(analyte)]
        whole = _outside(group["in_base"], marker, str(unit))
        if whole is not None:
            found.append(_suspicion(marker, str(unit), "the whole column", group.height, whole))
            continue
        found += list(_suspect_parts(group, rows.filter(pl.col("id") == analyte), marker, str(unit)))
    return found


def _detected(biomarkers: pl.DataFrame, sites: pl.DataFrame | None) -> pl.DataFrame:
    """Rows with a measured positive value, in the base unit, with site and plate where known."""
    joined = _with_traits(biomarkers, None).with_columns(
        in_base=pl.col("value").cast(pl.Float64) * pl.col("to_base"),
        written_unit=pl.col("written").map_elements(normalise_unit, return_dtype=pl.String),
    )
    if sites is not None and "site" in sites.columns:
        joined = joined.join(sites.select("patient_id", pl.col("site").cast(pl.String)), on="patient_id", how="left")
    return joined.filter(pl.col("refusal").is_null() & ~pl.col("below_lod") & (pl.col("in_base") > 0))


def _outside(in_base: pl.Series, marker: Biomarker, unit: str) -> str | None:
    """Find the unit that would bring most of a group into range, when most of it lies outside."""
    # A range from 0 says nothing of too little: there, what assays usually detect takes its place.
    low, high = marker.plausible_low or marker.typical_lod or 0.0, marker.plausible_high
    if in_base.len() < _FEWEST or float((~in_base.is_between(low, high)).mean() or 0) <= _SHARE:  # type: ignore[arg-type]
        return None
    inside = {
        other: float((in_base * (factor / marker.factors[unit])).is_between(low, high).mean() or 0)  # type: ignore[arg-type]
        for other, factor in marker.factors.items()
        if unit in marker.factors and factor != marker.factors[unit]
    }
    best = max(inside, key=lambda other: inside[other], default=None)
    return best if best is not None and inside[best] > _SHARE else None


def _suspect_parts(group: pl.DataFrame, analyte: pl.DataFrame, marker: Biomarker, unit: str) -> Iterator[Finding]:
    for part in ("site", "plate"):
        if part not in group.columns:
            continue
        for (name,), rows in group.drop_nulls(part).group_by(part, maintain_order=True):
            other = _outside(rows["in_base"], marker, unit)
            if other is None:
                others = analyte.filter((pl.col(part) != name) | (pl.col("written_unit") != unit))
                other = _far(rows["in_base"], others["in_base"], marker, unit)
            if other is not None:
                yield _suspicion(marker, unit, f'{part} "{name}"', rows.height, other)


def _far(group: pl.Series, others: pl.Series, marker: Biomarker, unit: str) -> str | None:
    """Find the unit whose factor explains how far a group lies from the others."""
    if group.len() < _FEWEST or others.len() < _FEWEST or unit not in marker.factors:
        return None
    here, there = group.log10(), others.log10()
    distance = float(there.median() or 0) - float(here.median() or 0)  # type: ignore[arg-type]
    spread = float(here.std() or 0) ** 2 / here.len() + float(there.std() or 0) ** 2 / there.len()  # type: ignore[arg-type]
    if abs(distance) < _FAR_APART or abs(distance) < _CERTAIN * spread**0.5:
        return None
    misfit = {
        other: abs(pl.Series([factor / marker.factors[unit]]).log10().item() - distance)
        for other, factor in marker.factors.items()
    }
    best = min(misfit, key=lambda other: misfit[other])
    return best if misfit[best] <= _CLOSE else None


def _suspicion(marker: Biomarker, unit: str, where: str, count: int, other: str) -> Finding:
    message = (
        f"{marker.id} in {unit}, {where}: the {count} values look as if they were in {other}. "
        "Nothing was changed: check the laboratory's report and correct the unit."
    )
    return Finding("biomarkers", "unit", "warning", count, message)
