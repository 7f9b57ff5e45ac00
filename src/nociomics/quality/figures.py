"""Every figure of the data-quality page, from ingested tables and features."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain, combinations

import numpy as np
import polars as pl

from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.quality import distributions as spread
from nociomics.quality.batches import (
    Measured,
    alias_findings,
    batch_figures,
    components,
    cross_tables,
)
from nociomics.quality.duplicates import duplicate_findings, identical_people
from nociomics.quality.genotype_counts import GenotypeQuality, genotype_counts, genotype_spreads
from nociomics.quality.missingness import missing_by_person, missing_items, missing_patterns, missingness
from nociomics.tables import data_quality
from nociomics.tables.contract import Contract
from nociomics.tables.finding import FINDINGS, findings_frame
from nociomics.tables.study import Study

_LOG = logging.getLogger(__name__)
ID = "patient_id"
_SITE = "site"
_ARM = "arm"
_OUTCOME = "outcome"
_FOLLOWED_UP = "followed up"
_STUDIED = (_ARM, _OUTCOME, _FOLLOWED_UP)
_PLATE = "plate"
_EXPRESSION_BATCH = "expression batch"
_BLOCK = "block_"
_MOST_COLUMNS = 5000
_FEW_COLUMNS = 20
_NO_ITEMS = {"instrument": pl.String, "visit": pl.String, "item": pl.String, "people": pl.Int64, "missing": pl.Int64}


@dataclass(frozen=True)
class DataFigures:
    """The tables of `tables.data_quality`, and what they gave to remark (`FINDINGS`)."""

    distributions: pl.DataFrame
    histograms: pl.DataFrame
    missingness: pl.DataFrame
    missing_patterns: pl.DataFrame
    missing_items: pl.DataFrame
    batches: pl.DataFrame
    batch_shares: pl.DataFrame
    components: pl.DataFrame
    cross_tables: pl.DataFrame
    associations: pl.DataFrame
    identical_people: pl.DataFrame
    genotype_counts: pl.DataFrame
    measured_findings: pl.DataFrame


CONTRACTS: dict[str, Contract] = {
    field.name: getattr(data_quality, field.name.upper(), FINDINGS) for field in fields(DataFigures)
}


def measure_data(
    tables: Mapping[str, pl.DataFrame],
    features: pl.DataFrame,
    catalogue: pl.DataFrame,
    target: pl.DataFrame,
    study: Study,
    genotypes: GenotypeQuality | None = None,
) -> DataFigures:
    """Describe a study's data; nothing here becomes a feature or changes a value.

    Parameters
    ----------
    tables : mapping of name to DataFrame
        Ingested tables under their file names; ``patients`` at least.
    features, catalogue, target : DataFrame
        As in `tables.harmonised`.
    study : Study
        For the words of its target and the kind of its expression values.
    genotypes : GenotypeQuality, optional
        Figures on genotypes; without them the variants table alone speaks.
    """
    genotypes = genotypes or GenotypeQuality()
    own = {name: entries["feature"].to_list() for (name,), entries in _by_modality(catalogue)}
    sizes = {name: len(columns) for name, columns in own.items()}
    missing = missing_by_person({name: features.select(columns) for name, columns in own.items()}, features[ID])
    numeric = {name: _numeric(features, catalogue, name) for name in own}
    groups = person_groups(tables, features, target, study)
    spreads, bins = spread.distributions(
        chain(
            _spreads(tables, features, catalogue, numeric, study), genotype_spreads(genotypes, tables.get("variants"))
        )
    )
    levels, shares = batch_figures(_measured(tables, numeric, groups, study))
    crossed, associations = cross_tables(groups, crossed_pairs(groups.columns[1:]))
    duplicates = identical_people(_searched(tables))
    answers = tables.get("responses")
    technical = [name for name in (_PLATE, _EXPRESSION_BATCH) if name in groups.columns]
    findings = [*duplicate_findings(duplicates), *alias_findings(associations, technical)]
    _LOG.info(
        "measured %d people, %d features: %d distributions, %d batch levels, %d findings",
        features.height, catalogue.height, spreads.height, levels.height, len(findings),
    )  # fmt: skip
    return DataFigures(
        distributions=spreads,
        histograms=bins,
        missingness=missingness(missing, sizes),
        missing_patterns=missing_patterns(missing, sizes),
        missing_items=pl.DataFrame(schema=_NO_ITEMS) if answers is None else missing_items(answers),
        batches=levels,
        batch_shares=shares,
        components=_components(numeric, groups),
        cross_tables=crossed,
        associations=associations,
        identical_people=duplicates,
        genotype_counts=genotype_counts(genotypes),
        measured_findings=findings_frame(findings),
    )


def _by_modality(catalogue: pl.DataFrame) -> Iterator[tuple[tuple[str, ...], pl.DataFrame]]:
    return iter(catalogue.group_by("modality", maintain_order=True))  # type: ignore[arg-type]


def _numeric(features: pl.DataFrame, catalogue: pl.DataFrame, modality: str) -> pl.DataFrame:
    wanted = catalogue.filter((pl.col("modality") == modality) & (pl.col("kind") != "category"))
    return features.select(wanted["feature"].to_list())


def person_groups(
    tables: Mapping[str, pl.DataFrame], features: pl.DataFrame, target: pl.DataFrame, study: Study
) -> pl.DataFrame:
    """Say in which groups each person is, of those that may go together: plate, batch, site, arm, outcome.

    Returns
    -------
    DataFrame, one row per person of ``features``, in its order
        ``patient_id`` and one text column per grouping; null where not known. A person on several plates is
        on that with most of the measurements.
    """
    people = features.select(ID)
    found = [_plates(tables), _batches(tables), _sites(tables["patients"], study), _outcomes(target, study)]
    for frame in found:
        if frame is not None:
            people = people.join(frame, on=ID, how="left", maintain_order="left", validate="1:1")
    return people


def crossed_pairs(groupings: Sequence[str]) -> list[tuple[str, str]]:
    """Choose which groupings are crossed: each batch, plate or site with everything, and arm with follow-up.

    Arm against outcome is a result of the study and belongs to no page about its data.

    Examples
    --------
    >>> crossed_pairs(["site", "arm", "outcome", "followed up"])
    [('site', 'arm'), ('site', 'outcome'), ('site', 'followed up'), ('arm', 'followed up')]
    """
    pairs = combinations(groupings, 2)
    return [pair for pair in pairs if not set(pair) <= set(_STUDIED) or set(pair) == {_ARM, _FOLLOWED_UP}]


def _plates(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame | None:
    rows = tables.get("biomarkers")
    if rows is None or rows["plate"].null_count() == rows.height:
        return None
    counted = rows.drop_nulls("plate").group_by(ID, "plate").len().sort("len", "plate", descending=[True, False])
    return counted.group_by(ID, maintain_order=True).agg(pl.col("plate").first())


def _batches(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame | None:
    samples = tables.get("expression_samples")
    if samples is None or samples["batch"].null_count() == samples.height:
        return None
    return samples.select(ID, pl.col("batch").cast(pl.String).alias(_EXPRESSION_BATCH))


def _sites(patients: pl.DataFrame, study: Study) -> pl.DataFrame | None:
    within = {source.within for name in ("expression", "blocks") for source in getattr(study.tables, name)}
    groups = {_SITE, study.target.groups if study.target else None} | within
    named = [name for name in patients.columns if name in groups]
    return patients.select(ID, *(pl.col(name).cast(pl.String) for name in named)) if named else None


def _outcomes(target: pl.DataFrame, study: Study) -> pl.DataFrame | None:
    if study.target is None:
        return None
    columns = [pl.col("treatment").alias(_ARM)] if target["treatment"].null_count() < target.height else []
    if target["responded"].null_count() < target.height:
        response = pl.when(pl.col("responded") == 1).then(pl.lit("response")).otherwise(pl.lit("no response"))
        columns.append(pl.when(pl.col("responded").is_not_null()).then(response).alias(_OUTCOME))
    elif target["label"].null_count() < target.height:
        columns.append(pl.col("label").alias(_OUTCOME))
    elif target["outcome"].null_count() < target.height:
        upper = pl.col("outcome") > pl.col("outcome").median()
        half = pl.when(upper).then(pl.lit("upper half")).otherwise(pl.lit("lower half"))
        columns.append(pl.when(pl.col("outcome").is_not_null()).then(half).alias(_OUTCOME))
    columns.append(pl.when(pl.col("outcome").is_null()).then(pl.lit("no")).otherwise(pl.lit("yes")).alias(_FOLLOWED_UP))
    return target.select(ID, *columns)


def _spreads(
    tables: Mapping[str, pl.DataFrame],
    features: pl.DataFrame,
    catalogue: pl.DataFrame,
    numeric: Mapping[str, pl.DataFrame],
    study: Study,
) -> Iterator[spread.Spread]:
    yield from spread.covariate_spreads(tables["patients"], features, catalogue)
    yield from spread.score_spreads(tables.get("responses"), features, catalogue)
    if "biomarkers" in tables:
        yield from spread.analyte_spreads(tables["biomarkers"], features, catalogue)
    if "expression" in tables:
        kind = study.tables.expression[0].values if study.tables.expression else "log2"
        raw = tables["expression"].drop(ID)
        yield from spread.wide_spreads(raw, numeric.get("expression", raw.clear()), "expression", "gene", kind,
                                       kind != "log2")  # fmt: skip
        if kind == "counts":
            yield spread.sample_sum_spread(raw)
    for name, frame in numeric.items():
        block = tables.get(f"{_BLOCK}{name}")
        if name == "pgx" or (block is not None and frame.width <= spread.FEW_COLUMNS):
            yield from spread.other_spreads(features, catalogue, name, block)
        elif block is not None:
            yield from spread.wide_spreads(block.drop(ID), frame, name, "column", "as given")


def _measured(
    tables: Mapping[str, pl.DataFrame], numeric: Mapping[str, pl.DataFrame], groups: pl.DataFrame, study: Study
) -> Iterator[Measured]:
    sites = [name for name in groups.columns if name not in (ID, _PLATE, _EXPRESSION_BATCH, *_STUDIED)]
    if "biomarkers" in tables:
        yield from _analytes(tables["biomarkers"], groups, sites)
    for column, by in ((c, by) for c in numeric.get("questionnaires", pl.DataFrame()).get_columns() for by in sites):
        yield Measured("questionnaires", column.name, by, column, groups[by])
    if "expression" in numeric:
        middle = person_medians(numeric["expression"])
        for by in (name for name in (_EXPRESSION_BATCH, *sites) if name in groups.columns):
            yield Measured("expression", "median of all genes, log2", by, middle, groups[by])
    for name, frame in numeric.items():
        if f"{_BLOCK}{name}" in tables:
            middle = person_medians(frame)
            yield from (Measured(name, "median of all columns", by, middle, groups[by]) for by in sites)


def _analytes(biomarkers: pl.DataFrame, groups: pl.DataFrame, sites: Sequence[str]) -> Iterator[Measured]:
    """Give detected values in base units by the plate on which they were measured, and by site."""
    rows = biomarkers.filter(~pl.col("below_lod") & pl.col("value").is_not_null())
    rows = rows.join(groups.select(ID, *sites), on=ID, how="left", maintain_order="left")
    for analyte, marker in load_biomarkers().items():
        of = rows.filter(pl.col("analyte") == analyte)
        units = of["unit"].unique().to_list()
        factors = {unit: marker.factor(unit) for unit in units}
        factor = pl.col("unit").replace_strict(factors, default=None, return_dtype=pl.Float64)
        values = of.select(pl.col("value") * factor).to_series()
        for by in (_PLATE, *sites) if of.height else ():
            yield Measured("biomarkers", marker.feature_name, by, values, of[by], marker.log_transform)


def person_medians(frame: pl.DataFrame) -> pl.Series:
    """Median of each person's values; of more than 5000 columns every n-th is taken. Null for a person without any."""
    every = max(1, -(-frame.width // _MOST_COLUMNS))
    matrix = frame.select(frame.columns[::every]).cast(pl.Float32).to_numpy()
    known = ~np.isnan(matrix).all(axis=1)
    middle = np.full(frame.height, np.nan)
    middle[known] = np.nanmedian(matrix[known], axis=1)
    return pl.Series("median", middle, nan_to_null=True)


def _components(numeric: Mapping[str, pl.DataFrame], groups: pl.DataFrame) -> pl.DataFrame:
    marks = [name for name in groups.columns if name not in (ID, *_STUDIED)]
    wide = {name: frame for name, frame in numeric.items() if frame.width >= _FEW_COLUMNS and name not in _COUNTED}
    by = {
        name: [mark for mark in marks if mark not in (_PLATE, _EXPRESSION_BATCH)]
        for name in wide
        if name != "expression"
    }
    by["expression"] = [mark for mark in marks if mark != _PLATE]
    empty = pl.DataFrame(schema={c.name: pl.String if c.kind == "text" else pl.Float64 for c in _COMPONENTS.columns})
    parts = [components(frame, name, {mark: groups[mark] for mark in by[name]}) for name, frame in wide.items()]
    return pl.concat([empty, *parts])


_COUNTED = ("genotype", "pgx", "clinical", "questionnaires", "biomarkers")
_COMPONENTS = data_quality.COMPONENTS


def _searched(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Tables in which two people with the same numbers are no coincidence: not answers or genotypes."""
    wide = {name: frame.drop(ID) for name, frame in tables.items() if name == "expression" or name.startswith(_BLOCK)}
    if "biomarkers" in tables:
        rows = tables["biomarkers"].filter(~pl.col("below_lod"))
        cells = rows.group_by(ID, "analyte", maintain_order=True).agg(pl.col("value").first())
        names = cells["analyte"].unique(maintain_order=True).to_list()
        analytes = cells.pivot(on="analyte", on_columns=names, index=ID, values="value").drop(ID)
        # Non-detects are the same for many: only people with most analytes detected can be told apart.
        wide["biomarkers"] = analytes.filter(pl.sum_horizontal(pl.all().is_not_null().cast(pl.UInt32)) > len(names) / 2)
    return wide
