"""What stands beside the strata: sites, batches, what is missing, outcomes, treatments and traits of people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from nociomics.quality.figures import person_groups
from nociomics.tables.study import Study

Role = Literal["site", "batch", "missingness", "outcome", "treatment", "trait"]
PATTERN = "measured blocks"
SHARE = "share missing"
NOT_CLUSTERED_ON = ("clinical", "genotype", "pgx")
_BATCH_WORDS = {"batch", "plate", "run", "lane", "chip", "array", "kit", "lot", "scanner", "assay", "sequencer"}
_SITE_WORDS = {"site", "centre", "center", "clinic", "hospital", "laboratory", "lab", "country", "cohort"}
_ROLES: dict[str, Role] = {"arm": "treatment", "outcome": "outcome", "followed up": "outcome"}
_FEWEST = 5
_MOST_TRAITS = 40
_MOST_LEVELS = 25


@dataclass(frozen=True)
class Beside:
    """One variable of people.

    Attributes
    ----------
    name : str
        In words.
    role : str
        See `tables.results.STRATA_ASSOCIATIONS`.
    values : Series, one per person
        Text for groups, Float64 for numbers; null where not known.
    """

    name: str
    role: Role
    values: pl.Series

    @property
    def is_number(self) -> bool:
        """Whether it is an amount and no group."""
        return self.values.dtype.is_numeric()


def beside_strata(
    tables: Mapping[str, pl.DataFrame],
    features: pl.DataFrame,
    catalogue: pl.DataFrame,
    target: pl.DataFrame,
    study: Study,
) -> list[Beside]:
    """Find every variable that the strata are compared with, judging ones (site, batch, missingness) first.

    Parameters
    ----------
    tables : mapping of name to DataFrame
        Ingested ``patients``, and ``biomarkers`` and ``expression_samples`` where the study has them.
    features, catalogue, target : DataFrame
        As in `tables.harmonised`; rows of features decide who is there, and their order.

    Returns
    -------
    list of Beside
        Each name once.
    """
    groups = person_groups(tables, features, target, study)
    found = [Beside(name, _ROLES.get(name, role_of(name)), groups[name].cast(pl.String)) for name in groups.columns[1:]]
    found += [*_within(features, catalogue), *missing_beside(features, catalogue), *_outcomes(features, target)]
    seen = {entry.name.replace(" ", "_") for entry in found}
    found += [entry for entry in _traits(features, catalogue) if entry.name.replace(" ", "_") not in seen]
    unique = {entry.name.replace(" ", "_"): entry for entry in reversed(found)}
    order: list[Role] = ["site", "batch", "missingness", "outcome", "treatment", "trait"]
    return sorted(reversed(list(unique.values())), key=lambda entry: order.index(entry.role))


def role_of(name: str) -> Role:
    """Judge by its name what a grouping of people is; a grouping without a telling word is a site's.

    Examples
    --------
    >>> role_of("expression batch"), role_of("plate"), role_of("centre"), role_of("ward")
    ('batch', 'batch', 'site', 'site')
    """
    return "batch" if _words(name) & _BATCH_WORDS else "site"


def is_technical(name: str) -> bool:
    """Whether a column's name tells of a batch or a site and not of a person."""
    return bool(_words(name) & (_BATCH_WORDS | _SITE_WORDS))


def _words(name: str) -> set[str]:
    return set(re.split(r"[\W_]+", name.lower()))


def _within(features: pl.DataFrame, catalogue: pl.DataFrame) -> list[Beside]:
    """Columns of the features within which values are comparable: batches and cohorts."""
    names = catalogue["within"].drop_nulls().unique(maintain_order=True).to_list()
    return [Beside(name, role_of(name), features[name].cast(pl.String)) for name in names if name in features.columns]


def missing_beside(features: pl.DataFrame, catalogue: pl.DataFrame) -> list[Beside]:
    """Say which blocks were measured of each person, and how much of what strata are made of is missing.

    Patterns of fewer than 5 people are one group.
    """
    measured = {}
    for (modality,), entries in catalogue.group_by("modality", maintain_order=True):
        names = [name for name in entries["feature"] if name in features.columns]
        if names:
            measured[str(modality)] = features.select(pl.any_horizontal(pl.col(names).is_not_null())).to_series()
    if not measured:
        return []
    written = [pl.when(known).then(pl.lit(name)).otherwise(pl.lit("")) for name, known in sorted(measured.items())]
    pattern = features.select(pl.concat_list(written).list.eval(pl.element().filter(pl.element() != "")).list.join("+"))
    frame = pattern.to_series().replace("", "nothing").alias("pattern").to_frame()
    rare = pl.len().over("pattern") < _FEWEST
    told = frame.select(pl.when(rare).then(pl.lit("rare patterns")).otherwise(pl.col("pattern"))).to_series()
    used = catalogue.filter(~pl.col("modality").is_in(NOT_CLUSTERED_ON))["feature"]
    names = [name for name in used if name in features.columns]
    found = [Beside(PATTERN, "missingness", told)]
    if names:
        share = features.select(pl.mean_horizontal(pl.col(names).is_null().cast(pl.Float64))).to_series()
        found.append(Beside(SHARE, "missingness", share))
    return found


def _outcomes(features: pl.DataFrame, target: pl.DataFrame) -> list[Beside]:
    rows = features.select("patient_id").join(target, on="patient_id", how="left", maintain_order="left")
    names = {"response_value": "outcome as modelled", "adverse_event": "adverse event"}
    return [
        Beside(words, "outcome", rows[column].cast(pl.Float64))
        for column, words in names.items()
        if rows[column].null_count() < rows.height
    ]


def _traits(features: pl.DataFrame, catalogue: pl.DataFrame) -> list[Beside]:
    """Clinical features; one whose name tells of a batch or a site is judged as such."""
    found = []
    clinical = catalogue.filter((pl.col("modality") == "clinical") & pl.col("feature").is_in(features.columns))
    for name, kind in clinical.select("feature", "kind").head(_MOST_TRAITS).iter_rows():
        values = features[name]
        technical = is_technical(name)
        if kind != "category" and values.dtype.is_numeric():
            found.append(Beside(name, "trait", values.cast(pl.Float64)))
        elif values.n_unique() <= _MOST_LEVELS or technical:
            found.append(Beside(name, role_of(name) if technical else "trait", values.cast(pl.String)))
    return found
