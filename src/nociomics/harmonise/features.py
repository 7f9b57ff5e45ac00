"""The feature table: one row per person, everything a model may use, and what each column is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from nociomics.errors import LeakageError, StudyError, TableError, did_you_mean
from nociomics.harmonise.biomarker_features import biomarker_features
from nociomics.harmonise.block_features import block_features
from nociomics.harmonise.covariate_features import covariate_features
from nociomics.harmonise.expression_features import expression_features
from nociomics.harmonise.feature import BASELINE, ID, Feature, Part, catalogue_frame, typed
from nociomics.harmonise.origins import feature_origins
from nociomics.harmonise.score_features import score_features
from nociomics.harmonise.variant_features import variant_features
from nociomics.tables.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nociomics.knowledge.instrument import Instrument


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
    return Part(frame.select(ID, *(typed(entry.kind, entry.feature) for entry in features)), features)


def _no_later_sample(treatments: pl.DataFrame | None, table: pl.DataFrame | None, name: str) -> None:
    """Refuse samples dated after the start of treatment: the last guard before they become features."""
    if treatments is None or table is None or not {"started_at"} <= set(treatments.columns):
        return
    if "collected_at" not in table.columns or table["collected_at"].null_count() == table.height:
        return
    dates = table.select(ID, collected=_day(table["collected_at"]))
    both = dates.join(treatments.select(ID, started=_day(treatments["started_at"])), on=ID, how="inner")
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
    instruments: Mapping[str, Instrument] | None,
) -> list[Part]:
    parts = []
    if scores is not None:
        parts.append(score_features(scores, instruments))
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
    origins: pl.DataFrame | None = None,
    further: Sequence[Part] = (),
    instruments: Mapping[str, Instrument] | None = None,
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
    origins : DataFrame, optional
        As in `tables.ingested.ORIGINS`; without it the catalogue's sources are null.
    further : sequence of Part
        Features made elsewhere in this room, such as those of the treatment history.
    instruments : mapping of str to Instrument, optional
        The questionnaires, with the study's own; the shipped ones when left out.

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
    measured = _parts(*others, expression_within, instruments)
    labels = {entry.within for part in measured for entry in part.features if entry.within is not None}
    parts = [covariate_features(patients, covariates, labels), *measured, *further]
    return _assembled(patients, parts, origins)


def _assembled(
    patients: pl.DataFrame, parts: Sequence[Part], origins: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame, list[Finding]]:
    """Put the parts side by side, person by person, and leave out what nobody has."""
    entries = [entry for part in parts for entry in part.features]
    _refuse_twins([entry.feature for entry in entries])
    _refuse_unknown_within(entries)
    _refuse_later(entries)
    people = patients[ID]
    columns = {column.name: column for part in parts for column in _in_order(part.frame, people)}
    nulls = {entry.feature: columns[entry.feature].null_count() for entry in entries}
    kept, dropped = _measured(entries, nulls, people.len())
    features = pl.DataFrame([people, *(columns[entry.feature] for entry in kept)])
    missing = [nulls[entry.feature] / max(people.len(), 1) for entry in kept]
    findings = [finding for part in parts for finding in part.findings] + dropped
    return features, catalogue_frame(kept, missing, feature_origins(kept, origins)), findings


def _in_order(frame: pl.DataFrame, people: pl.Series) -> list[pl.Series]:
    """Columns of a part in the order of the people; null for those who have no row.

    A frame of 25,000 columns is taken as it is when its people stand in order already, and its rows are
    picked once otherwise: a join copies it several times.
    """
    if frame[ID].n_unique() < frame.height:
        raise TableError(f"{frame.height - frame[ID].n_unique()} rows of a table of features repeat a person.")
    if frame.height != people.len() or not (frame[ID] == people).all():
        rows = frame.select(ID).with_row_index("row")
        wanted = pl.DataFrame([people]).join(rows, on=ID, how="left", maintain_order="left")["row"]
        frame = frame.drop(ID).select(pl.all().gather(wanted))
        return frame.get_columns()
    return frame.drop(ID).get_columns()


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


def _refuse_later(entries: Sequence[Feature]) -> None:
    """Stop anything that says itself that it was measured after the start of treatment."""
    later = [entry for entry in entries if entry.measured_at != BASELINE]
    if later:
        raise LeakageError(
            f"{len(later)} features were not measured at baseline (first: {later[0].feature}, of {later[0].modality}, "
            f"at {later[0].measured_at}). Only what is known before the start of treatment may be a feature."
        )


def _measured(entries: Sequence[Feature], nulls: Mapping[str, int], people: int) -> tuple[list[Feature], list[Finding]]:
    """Leave out what nobody has; a feature that is the same for everyone stays."""
    kept = [entry for entry in entries if nulls[entry.feature] < people]
    gone: dict[str, list[str]] = {}
    for entry in entries:
        if nulls[entry.feature] >= people:
            gone.setdefault(entry.modality, []).append(entry.feature)
    findings = []
    for modality, names in gone.items():
        text = f"{len(names)} features of {modality} are empty for everyone and were left out (first: {names[0]})"
        findings.append(Finding("features", None, "warning", len(names), text))
    return kept, findings
