"""Biomarker values in one unit per analyte, with doubtful units and values named, none changed silently."""

from __future__ import annotations

import polars as pl

from nociomics.harmonise.unit_suspicion import below_range, group_sums, suspicious_units
from nociomics.knowledge.biomarker import Biomarker, Meaning, load_biomarkers, meaning_of
from nociomics.knowledge.reported_value import READ, is_blank, read_amounts, with_limits, yes_or_no
from nociomics.knowledge.unit import normalise_unit
from nociomics.tables.finding import Finding

OUTPUT = ["patient_id", "analyte", "value", "unit", "below_lod", "lod", "status"]
CARRIED = ["above_limit", "plate", "specimen", "collected_at", "minutes_since_waking"]
_KEYS = ["analyte", "specimen", "unit", "standard", "target_unit"]
_TRAITS = {
    "__id": pl.String,
    "__factor": pl.Float64,
    "__base": pl.Float64,
    "__target": pl.String,
    "__written": pl.String,
    "__low": pl.Float64,
    "__high": pl.Float64,
    "__refusal": pl.String,
}
_CENSORED_ABOVE = "censored: above the upper limit, which is given as the value"
_NEGATIVE = "rejected: below zero, which no amount can be"
_NO_LIMIT = "missing: below a detection limit that is not given"


def _refusal(marker: Biomarker, meaning: Meaning, unit: str, standard: str, wanted: str) -> str | None:
    if meaning.unit is not None and unit and marker.factor(unit, standard) != marker.factor(meaning.unit, standard):
        return "rejected: the unit in the analyte's name is another one than the unit given"
    if not unit and meaning.unit is None:
        return f"rejected: no unit; known: {_known(marker)}"
    if marker.factor(unit or str(meaning.unit), standard) is None:
        return _unknown_unit(marker, unit or str(meaning.unit), standard)
    if wanted and marker.factor(wanted, standard) is None:
        return f"rejected: target unit unknown for {marker.id}; known: {_known(marker)}"
    return None


def _unknown_unit(marker: Biomarker, unit: str, standard: str) -> str:
    if "IU" in normalise_unit(unit):
        named = ", ".join(marker.standards) or "none is known for this analyte"
        return f"rejected: international units need the WHO standard ({named})"
    if marker.specimen == "unstated":
        family = [other for other in load_biomarkers().values() if other.family == marker.id and other is not marker]
        fitting = [other.specimen for other in family if other.factor(unit, standard) is not None]
        if fitting:
            return f"rejected: unit unknown for {marker.id} of no stated specimen; it fits {', '.join(fitting)}"
    return f"rejected: unit unknown for {marker.id}; known: {_known(marker)}"


def _known(marker: Biomarker) -> str:
    """List the units one meets, the base unit first."""
    usual = [unit for unit in marker.factors if 1e-3 <= marker.factors[unit] <= 1e3]
    return ", ".join([marker.base_unit, *(unit for unit in usual if unit != marker.base_unit)])


def _traits(key: dict[str, str | None]) -> tuple[object, ...]:
    """Say what one combination of analyte, specimen, unit, standard and target unit means."""
    name, specimen, unit, standard, wanted = (
        "" if is_blank(key.get(part)) else str(key[part]).strip() for part in _KEYS
    )
    meaning = meaning_of(name, specimen or None)
    if meaning.marker is None:
        return (None, None, None, None, None, None, None, f"rejected: {meaning.problem}")
    marker, standard = meaning.marker, standard or meaning.standard or ""
    refusal = _refusal(marker, meaning, unit, standard, wanted)
    written = normalise_unit(unit or meaning.unit or "")
    target = normalise_unit(wanted) if wanted else marker.base_unit
    to_base, of_target = marker.factor(written, standard), marker.factor(target, standard)
    factor = to_base / of_target if to_base is not None and of_target is not None and refusal is None else None
    return (marker.id, factor, to_base, target, written, marker.plausible_low, marker.plausible_high, refusal)


def unit_traits(biomarkers: pl.LazyFrame, target_unit: str | None = None) -> pl.DataFrame:
    """Look up every combination of analyte, specimen, unit, standard and target unit that a table holds.

    Returns
    -------
    DataFrame, one row per combination, in no order
        The key columns as written, and what they mean: the analyte's id, factors, range, why it is refused.
    """
    keys = [name for name in _KEYS if name in biomarkers.collect_schema().names()]
    found = biomarkers.select(keys).unique().collect(engine="streaming")
    wanted = {} if "target_unit" in keys else {"target_unit": target_unit}
    traits = [_traits({**key, **wanted}) for key in found.iter_rows(named=True)]
    return found.hstack(pl.DataFrame(traits, schema=_TRAITS, orient="row"))


def converted_rows(biomarkers: pl.LazyFrame, traits: pl.DataFrame, keep_names: bool = False) -> pl.LazyFrame:
    """Convert every row by its traits; see `convert_biomarkers`.

    Every step streams: rows of any number pass through in pieces, and come out in their order.

    Parameters
    ----------
    biomarkers : LazyFrame, one row per measurement
        As in `tables.ingested.BIOMARKERS`; optional ``above_limit`` and ``problem`` (why a row is refused).
    traits : DataFrame
        From `unit_traits` of the same rows.
    """
    names = biomarkers.collect_schema().names()
    keys = [name for name in _KEYS if name in traits.columns]
    joined = biomarkers.join(traits.lazy(), on=keys, how="left", nulls_equal=True, maintain_order="left")
    number = pl.col("value").cast(pl.Float64)
    limit = pl.when("below_lod").then(pl.coalesce("lod", number)).otherwise("lod")
    value = pl.when("below_lod").then(pl.coalesce(number, "lod")).otherwise(number)
    refusal = pl.coalesce("problem", "__refusal") if "problem" in names else pl.col("__refusal")
    negative = (pl.min_horizontal(value, "lod") < 0) & (pl.col("__low") >= 0)
    refusal = pl.coalesce(refusal, pl.when(negative).then(pl.lit(_NEGATIVE)))
    settled = joined.with_columns(value=value, lod=limit, __refusal=refusal)
    return settled.select(
        "patient_id",
        pl.col("analyte") if keep_names else pl.coalesce("__id", pl.col("analyte").fill_null("")).alias("analyte"),
        pl.when(pl.col("__refusal").is_null()).then(pl.col("value") * pl.col("__factor")).alias("value"),
        pl.when(pl.col("__refusal").is_null()).then("__target").otherwise(pl.col("unit").fill_null("")).alias("unit"),
        "below_lod",
        pl.when(pl.col("__refusal").is_null()).then(pl.col("lod") * pl.col("__factor")).alias("lod"),
        _status("above_limit" in names).alias("status"),
        *(name for name in CARRIED if name in names),
    )


def _status(has_upper_limits: bool) -> pl.Expr:
    """Only too much is an error by itself: next to nothing of an analyte is possible (a blunted axis)."""
    above = pl.col("above_limit").fill_null(False) if has_upper_limits else pl.lit(False)
    in_base = pl.col("value") * pl.col("__base")
    return (
        pl.when(pl.col("__refusal").is_not_null())
        .then(pl.col("__refusal"))
        .when(pl.col("value").is_null() & pl.col("below_lod"))
        .then(pl.lit(_NO_LIMIT))
        .when(pl.col("value").is_null())
        .then(pl.lit("missing: no value"))
        .when(above)
        .then(pl.lit(_CENSORED_ABOVE))
        .when(in_base > pl.col("__high"))
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
        ``patient_id, analyte, value, unit, below_lod, lod, status``, then ``above_limit``, ``plate``, ``specimen``,
        ``collected_at`` and ``minutes_since_waking`` where given. ``value`` is null when the row is refused; a
        non-detect holds its limit in ``value`` and ``lod``. ``status`` is ``ok``, ``missing: ...``,
        ``censored: ...`` (the value is the assay's upper limit), ``implausible: ...`` (the value is kept
        as it is) or ``rejected: ...``.
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
    rows = biomarkers.lazy()
    traits = unit_traits(rows, target_unit)
    converted = converted_rows(rows, traits, keep_names).collect()
    sums = group_sums(_measured(rows, traits, ()))
    return converted, [*below_range(sums), *doubtful_rows(converted.lazy())]


def _in_base(biomarkers: pl.LazyFrame, traits: pl.DataFrame) -> pl.LazyFrame:
    """Rows with a measured value that is not refused, in the base unit."""
    keys = [name for name in _KEYS if name in traits.columns]
    names = biomarkers.collect_schema().names()
    sound = pl.col("__refusal").is_null() & ~pl.col("below_lod") & pl.col("value").is_not_null()
    if "above_limit" in names:
        sound &= ~pl.col("above_limit").fill_null(False)
    if "problem" in names:
        sound &= pl.col("problem").is_null()
    rows = biomarkers.with_row_index("order").join(traits.lazy(), on=keys, how="left", nulls_equal=True)
    return rows.filter(sound).with_columns(
        id=pl.col("__id"), written_unit="__written", in_base=pl.col("value").cast(pl.Float64) * pl.col("__base")
    )


def doubtful_rows(converted: pl.LazyFrame) -> list[Finding]:
    """Count the rows that were refused (a warning: they have a status and no value) or doubted.

    Parameters
    ----------
    converted : LazyFrame, one row per measurement
        As of `converted_rows`.
    """
    doubtful = converted.select("analyte", "status").with_row_index("row", offset=1)
    doubtful = doubtful.filter(~pl.col("status").str.contains("^(ok$|missing: no value)"))
    counts = doubtful.group_by("analyte", "status").agg(pl.len(), pl.col("row").min()).sort("row", "status")
    return [
        Finding(
            "biomarkers",
            "unit" if status.startswith("rejected") else "value",
            "warning",
            count,
            f"{analyte}: {count} rows (first: row {first}) {status}",
        )
        for analyte, status, count, first in counts.collect(engine="streaming").iter_rows()
    ]


def typed_rows(table: pl.LazyFrame) -> pl.LazyFrame:
    """Read the values of a table as written: numbers, limits such as ``<0.4`` or ``>500``, flags.

    Returns
    -------
    LazyFrame, one row per row of the table
        ``value``, ``lod`` (Float64), ``below_lod``, ``above_limit`` (Boolean) and ``problem``: why a row
        cannot be read, null when it can; the other columns as they were.
    """
    schema = table.collect_schema()
    absent = [pl.lit(None, pl.String).alias(name) for name in ("below_lod", "lod") if name not in schema]
    texts = [pl.col(name).cast(pl.String) for name in _KEYS if schema.get(name, pl.String) != pl.String]
    read = table.with_columns(*absent, *texts).with_columns(__value=_read("value"), __lod=_read("lod"))
    value, lod, flag = pl.col("__value").struct, pl.col("__lod").struct, pl.col("below_lod")
    answer = flag if schema.get("below_lod") == pl.Boolean else yes_or_no(flag.cast(pl.String))
    odd_flag = answer.is_null() & flag.is_not_null() & ~flag.cast(pl.String).str.strip_chars().is_in(["", "NA"])
    typed = read.with_columns(
        marked=value.field("below"),
        above_limit=value.field("above"),
        value=value.field("number"),
        lod=lod.field("number"),
        below_lod=answer,
        problem=pl.when(value.field("unreadable"))
        .then(pl.lit("rejected: the value is not a number"))
        .when(lod.field("unreadable"))
        .then(pl.lit("rejected: the lod is not a number"))
        .when(odd_flag if schema.get("below_lod") != pl.Boolean else pl.lit(False))
        .then(pl.lit("rejected: below_lod is neither yes nor no")),
    )
    return typed.with_columns(with_limits()).drop("marked", "__value", "__lod")


def _read(column: str) -> pl.Expr:
    return pl.col(column).map_batches(
        lambda values: read_amounts(values).to_struct(), return_dtype=READ, is_elementwise=True
    )


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
    rows = typed_rows(table.lazy())
    traits = unit_traits(rows, target_unit)
    converted = converted_rows(rows, traits, keep_names=True).select(OUTPUT).collect()
    return converted, table_findings(rows, converted.lazy(), traits)


def table_findings(rows: pl.LazyFrame, converted: pl.LazyFrame, traits: pl.DataFrame) -> list[Finding]:
    """Say what is doubtful about a converted table: rows, then units that only a whole column betrays."""
    measured = _measured(rows, traits)
    sums = group_sums(measured)
    return [*below_range(sums), *doubtful_rows(converted), *suspicious_units(measured, sums)]


def _measured(rows: pl.LazyFrame, traits: pl.DataFrame, parts: tuple[str, ...] = ("site", "plate")) -> pl.LazyFrame:
    """Positive measured values with what `suspicious_units` needs of them."""
    texts = [pl.col(name).cast(pl.String) for name in parts if name in _names(rows)]
    positive = _in_base(rows, traits).filter(pl.col("in_base") > 0)
    return positive.select("id", "written_unit", "in_base", "order", *texts)


def _names(rows: pl.LazyFrame) -> list[str]:
    return rows.collect_schema().names()


def suspect_units(biomarkers: pl.DataFrame, sites: pl.DataFrame | None = None) -> list[Finding]:
    """Look for units that a single value cannot betray, in whole columns, sites and plates.

    Parameters
    ----------
    biomarkers : DataFrame, one row per measurement
        As in `tables.ingested.BIOMARKERS`.
    sites : DataFrame, one row per person, optional
        ``patient_id`` and ``site``.

    Returns
    -------
    list of Finding
        As of `unit_suspicion.suspicious_units`.
    """
    rows = biomarkers.lazy()
    if sites is not None and "site" in sites.columns:
        own = sites.lazy().select("patient_id", pl.col("site").cast(pl.String))
        rows = rows.drop("site", strict=False).join(own, on="patient_id", how="left", maintain_order="left")
    measured = _measured(rows, unit_traits(rows))
    return suspicious_units(measured, group_sums(measured))
