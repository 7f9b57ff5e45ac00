"""The feature table: one row per person, everything a model may use, and what each column is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from nociomics.errors import LeakageError, StudyError, TableError, did_you_mean
from nociomics.harmonise.feature import Feature, Kind, Part, catalogue_frame, clean_name, unique_names
from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.knowledge.instrument import load_instruments
from nociomics.tables.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from nociomics.knowledge.instrument import Scale

BASELINE = "baseline"
_ID = "patient_id"
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


def _typed(kind: Kind, column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String if kind == "category" else pl.Float64)


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
    columns = [name for name in patients.columns if name != _ID]
    later: list[str] = []
    if covariates is not None:
        when = dict(covariates.select("column", "measured_at").iter_rows())
        later = [name for name in columns if when.get(name, "") not in (BASELINE, "")]
        columns = [name for name in columns if when.get(name) == BASELINE]
    kinds: dict[str, Kind] = {name: "category" if name in categories else _kind(patients[name]) for name in columns}
    frame = patients.select(_ID, *(_typed(kind, name) for name, kind in kinds.items()))
    text = f"{len(later)} columns were not measured at baseline and are no features"
    findings = [Finding("patients", None, "info", len(later), text)] if later else []
    return Part(frame, [_covariate(name, kind) for name, kind in kinds.items()], findings)


def _covariate(name: str, kind: Kind) -> Feature:
    unit, low, high = _COVARIATES.get(name, (_AS_GIVEN, None, None))
    unit = {"category": "category", "binary": "0/1"}.get(kind, unit)
    if kind == "binary":
        low, high = 0.0, 1.0
    return Feature(name, "clinical", name, unit, name.replace("_", " "), kind, low, high)


def score_features(scores: pl.DataFrame) -> Part:
    """Questionnaire scores at baseline, as ``<prefix>_<scale>``: ``bpi_severity``, ``pcs_total``.

    Parameters
    ----------
    scores : DataFrame, one row per patient, visit, instrument and scale
        Scored here or scored elsewhere; a label in digits (EQ-5D profile) is no feature.
    """
    baseline = scores.filter(pl.col("visit") == BASELINE)
    named = [_score(*pair) for pair in baseline.select("instrument", "scale").unique(maintain_order=True).iter_rows()]
    names = pl.DataFrame(
        [(instrument, scale, entry.feature) for instrument, scale, entry in named if entry is not None],
        schema={"instrument": pl.String, "scale": pl.String, "feature": pl.String},
        orient="row",
    )
    features = list({entry.feature: entry for *_, entry in named if entry is not None}.values())
    rows = baseline.join(names, on=["instrument", "scale"], how="inner", maintain_order="left")
    frame = _wide(rows, "score", [entry.feature for entry in features], "questionnaires")
    return Part(frame, features, _out_of_range(frame, features, "questionnaires"))


def _score(instrument: str, scale: str) -> tuple[str, str, Feature | None]:
    known = load_instruments().get(instrument)
    if known is None or scale not in known.scales:
        name = f"{clean_name(known.feature_prefix if known else instrument)}_{clean_name(scale)}"
        words = f"{instrument}: {scale.replace('_', ' ')}"
        return instrument, scale, Feature(name, "questionnaires", instrument, "score", words)
    fact: Scale = known.scales[scale]
    name, words = f"{known.feature_prefix}_{scale}", f"{known.short_name}: {fact.name}"
    entry = Feature(name, "questionnaires", known.id, "score", words, low=fact.low, high=fact.high)
    return instrument, scale, entry if fact.feature else None


def _out_of_range(frame: pl.DataFrame, features: Sequence[Feature], table: str) -> list[Finding]:
    """Name scores that cannot be; they stay as they are."""
    found = []
    for entry in features:
        if entry.low is None or entry.high is None:
            continue
        count = int((~frame[entry.feature].is_between(entry.low, entry.high)).sum())
        if count:
            text = f"{count} values of {entry.feature} lie outside {entry.low:g} to {entry.high:g}; none was changed"
            found.append(Finding(table, entry.feature, "warning", count, text))
    return found


def _wide(rows: pl.DataFrame, value: str, names: list[str], table: str) -> pl.DataFrame:
    """One row per person, one column per feature; a repeated cell is an error, not a choice."""
    repeated = rows.height - rows.select(_ID, "feature").n_unique()
    if repeated:
        raise TableError(f"{table}: {repeated} rows repeat a person and feature. Keep one row each.")
    wide = rows.pivot(on="feature", on_columns=names, index=_ID, values=value, aggregate_function="first")
    return wide.with_columns(pl.col(names).cast(pl.Float64))


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
    cells = rows.group_by(_ID, "analyte", maintain_order=True).agg(
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
    frame = _wide(named, "value", list(values.values()), "biomarkers")
    if flags:
        frame = frame.join(_wide(below, "below", list(flags.values()), "biomarkers"), on=_ID, how="left")
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


def expression_features(
    expression: pl.DataFrame, samples: pl.DataFrame | None = None, within: str | None = None
) -> Part:
    """Genes on the log2 scale as ``expression_<gene>``, and the batch as a category."""
    genes = [name for name in expression.columns if name != _ID]
    frame = expression.select(_ID, *(pl.col(gene).cast(pl.Float64).alias(f"expression_{gene}") for gene in genes))
    features = [
        Feature(f"expression_{gene}", "expression", gene, "log2", f"expression of {gene}, log2", within=within)
        for gene in genes
    ]
    if samples is not None and samples["batch"].null_count() < samples.height:
        batches = samples.select(_ID, expression_batch=pl.col("batch").cast(pl.String))
        frame = frame.join(batches, on=_ID, how="left", maintain_order="left")
        features.append(
            Feature("expression_batch", "expression", "batch", "category", "batch of the sample", "category")
        )
    return Part(frame, features)


def variant_features(dosages: pl.DataFrame, variants: pl.DataFrame | None = None) -> Part:
    """Give copies of ALT per variant as ``snp_<variant>``: 0, 1, 2, null when not called."""
    places: dict[str, str] = {}
    if variants is not None:
        for name, chrom, pos, alt in variants.select("variant", "chrom", "pos", "alt").iter_rows():
            places[name] = f"copies of {alt or 'ALT'}" + (f" at {chrom}:{pos}" if chrom and pos else "")
    names = [name for name in dosages.columns if name != _ID]
    frame = dosages.select(_ID, *(pl.col(name).cast(pl.Float64).alias(f"snp_{name}") for name in names))
    features = [
        Feature(f"snp_{name}", "genotype", name, "count", places.get(name, "copies of ALT"), low=0.0, high=2.0)
        for name in names
    ]
    return Part(frame, features)


def block_features(name: str, block: pl.DataFrame, within: str | None = None) -> Part:
    """Columns of a further numeric block as ``<block>_<column>``, cleaned and made unique."""
    columns = [column for column in block.columns if column != _ID]
    names = unique_names(f"{name}_{clean_name(column)}" for column in columns)
    pairs = list(zip(columns, names, strict=True))
    frame = block.select(_ID, *(pl.col(column).cast(pl.Float64).alias(new) for column, new in pairs))
    return Part(frame, [Feature(new, name, old, _AS_GIVEN, f"{name}: {old}", within=within) for old, new in pairs])


def pgx_features(frame: pl.DataFrame, catalogue_rows: pl.DataFrame | Sequence[Mapping[str, Any]]) -> Part:
    """Pharmacogenomic features as the caller made them, with their catalogue rows."""
    rows = (
        catalogue_rows.to_dicts() if isinstance(catalogue_rows, pl.DataFrame) else [dict(row) for row in catalogue_rows]
    )
    fields = set(Feature.__dataclass_fields__)
    features = [Feature(**{key: value for key, value in row.items() if key in fields}) for row in rows]
    names = [entry.feature for entry in features]
    missing = sorted(set(names) - set(frame.columns))
    if missing:
        raise TableError(f"pgx: {len(missing)} features of the catalogue have no column (first: {missing[0]}).")
    return Part(frame.select(_ID, *(_typed(entry.kind, entry.feature) for entry in features)), features)


def _no_later_sample(treatments: pl.DataFrame | None, table: pl.DataFrame | None, name: str) -> None:
    """Refuse samples dated after the start of treatment: the last guard before they become features."""
    if treatments is None or table is None or not {"started_at"} <= set(treatments.columns):
        return
    if "collected_at" not in table.columns or table["collected_at"].null_count() == table.height:
        return
    dates = table.select(_ID, collected=_day(table["collected_at"]))
    both = dates.join(treatments.select(_ID, started=_day(treatments["started_at"])), on=_ID, how="inner")
    late = both.filter(pl.col("collected") > pl.col("started")).height
    if late:
        raise LeakageError(
            f"{name}: {late} samples were taken after the start of treatment. Leave them out (where:), or "
            "give the file another measured_at than baseline."
        )


def _day(times: pl.Series) -> pl.Expr:
    column = pl.col(times.name)
    if times.dtype == pl.String:
        return column.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return column.cast(pl.Date)


def _parts(
    scores: pl.DataFrame | None,
    biomarkers: pl.DataFrame | None,
    expression: pl.DataFrame | None,
    expression_samples: pl.DataFrame | None,
    dosages: pl.DataFrame | None,
    variants: pl.DataFrame | None,
    pgx: tuple[pl.DataFrame, Any] | None,
    blocks: Mapping[str, tuple[pl.DataFrame, str | None]],
    expression_within: str | None,
) -> list[Part]:
    parts = []
    if scores is not None:
        parts.append(score_features(scores))
    if biomarkers is not None:
        parts.append(biomarker_features(biomarkers))
    if expression is not None:
        parts.append(expression_features(expression, expression_samples, expression_within))
    if dosages is not None:
        parts.append(variant_features(dosages, variants))
    if pgx is not None:
        parts.append(pgx_features(*pgx))
    return parts + [block_features(name, frame, within) for name, (frame, within) in blocks.items()]


def build_features(
    patients: pl.DataFrame,
    covariates: pl.DataFrame | None = None,
    treatments: pl.DataFrame | None = None,
    scores: pl.DataFrame | None = None,
    biomarkers: pl.DataFrame | None = None,
    expression: pl.DataFrame | None = None,
    expression_samples: pl.DataFrame | None = None,
    dosages: pl.DataFrame | None = None,
    variants: pl.DataFrame | None = None,
    pgx: tuple[pl.DataFrame, pl.DataFrame | Sequence[Mapping[str, Any]]] | None = None,
    blocks: Mapping[str, tuple[pl.DataFrame, str | None]] | None = None,
    expression_within: str | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:
    """Put every baseline measurement of every person into one table.

    Nothing here looks at another person: no scaling, no imputation, no selection.

    Parameters
    ----------
    patients, covariates, treatments : DataFrame
        As in their contracts; ``treatments`` only guards against samples taken too late.
    scores : DataFrame, optional
        Scale scores; only visit ``baseline`` becomes features.
    biomarkers : DataFrame, optional
        As of `units.convert_biomarkers`, in base units.
    expression : DataFrame, optional
        On the log2 scale (`expression.log_expression`); ``expression_samples`` holds the batch.
    dosages, variants : DataFrame, optional
        Copies of ALT, and what the variants are.
    pgx : tuple, optional
        A frame of features and their catalogue rows.
    blocks : mapping, optional
        Block name to its frame and the column within which its values are comparable.
    expression_within : str, optional
        The same for the genes.

    Returns
    -------
    features : DataFrame, one row per person of ``patients``, in its order
        As in `tables.harmonised.FEATURES`.
    catalogue : DataFrame, one row per feature
        As in `tables.harmonised.FEATURE_CATALOGUE`.
    findings : list of Finding
        What was left out or combined.

    Raises
    ------
    LeakageError, TableError, StudyError
        A sample was taken after the start of treatment; two tables claim one feature name or a
        person has a cell twice; ``within`` names no column of the table.
    """
    _no_later_sample(treatments, biomarkers, "biomarkers")
    _no_later_sample(treatments, expression_samples, "expression")
    others = (scores, biomarkers, expression, expression_samples, dosages, variants, pgx, blocks or {})
    measured = _parts(*others, expression_within)
    labels = {entry.within for part in measured for entry in part.features if entry.within is not None}
    parts = [covariate_features(patients, covariates, labels), *measured]
    return _assembled(patients, parts)


def _assembled(patients: pl.DataFrame, parts: Sequence[Part]) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:
    """Join the parts person by person, and leave out what nobody has."""
    entries = [entry for part in parts for entry in part.features]
    _refuse_twins([entry.feature for entry in entries])
    _refuse_unknown_within(entries)
    features = patients.select(_ID)
    for part in parts:
        features = features.join(part.frame, on=_ID, how="left", maintain_order="left", validate="1:1")
    kept, dropped = _measured(features, entries)
    features = features.select(_ID, *(entry.feature for entry in kept))
    missing = {
        name: nulls / max(features.height, 1) for name, nulls in features.null_count().row(0, named=True).items()
    }
    findings = [finding for part in parts for finding in part.findings] + dropped
    return features, catalogue_frame(kept, missing), findings


def _refuse_twins(names: list[str]) -> None:
    seen: set[str] = set()
    twins = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
    if twins:
        raise TableError(
            f"{len(twins)} feature names come from two tables (first: {twins[0]}). "
            "Rename the column in one of them with columns:, or leave it out with drop:."
        )


def _refuse_unknown_within(entries: Sequence[Feature]) -> None:
    categories = [entry.feature for entry in entries if entry.kind == "category"]
    for name in {entry.within for entry in entries if entry.within is not None}:
        if name not in categories:
            near = did_you_mean(name, categories)
            raise StudyError(f'within: "{name}" is no category of patients.{near} Known: {", ".join(categories)}.')


def _measured(features: pl.DataFrame, entries: list[Feature]) -> tuple[list[Feature], list[Finding]]:
    """Leave out what nobody has; a feature that is the same for everyone stays."""
    empty = {name for name, nulls in features.null_count().row(0, named=True).items() if nulls == features.height}
    kept = [entry for entry in entries if entry.feature not in empty]
    findings = []
    for modality in dict.fromkeys(entry.modality for entry in entries if entry.feature in empty):
        gone = [entry.feature for entry in entries if entry.feature in empty and entry.modality == modality]
        text = f"{len(gone)} features of {modality} are empty for everyone and were left out (first: {gone[0]})"
        findings.append(Finding("features", None, "warning", len(gone), text))
    return kept, findings
