"""A harmonised cohort as one thing: its features, what they are, and what is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nociomics.errors import TableError
from nociomics.tables.files import read_table, write_table
from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS

ID = "patient_id"
FORMAT = "nociomics-cohort/1"


@dataclass(frozen=True)
class HarmonisedCohort:
    """What stage harmonise writes, in memory.

    Attributes
    ----------
    features : DataFrame, one row per person
        As in `FEATURES`.
    catalogue : DataFrame, one row per feature, in the order of the columns of ``features``
        As in `FEATURE_CATALOGUE`.
    target : DataFrame, one row per person, in the order of ``features``
        As in `TARGET_ROWS`.
    """

    features: pl.DataFrame
    catalogue: pl.DataFrame
    target: pl.DataFrame

    @property
    def people(self) -> list[str]:
        """Ids in the order of the rows."""
        return self.features[ID].to_list()

    def names(self, kind: str | None = None, modality: str | None = None) -> list[str]:
        """Names of features: all, the ``numbers``, the ``labels``, and of one modality alone."""
        rows = self.catalogue
        if modality is not None:
            rows = rows.filter(pl.col("modality") == modality)
        if kind is not None:
            is_label = pl.col("kind") == "category"
            rows = rows.filter(is_label if kind == "labels" else ~is_label)
        return rows["feature"].to_list()


def read_cohort(folder: Path) -> HarmonisedCohort:
    """Read a harmonised cohort from the results of a run.

    Parameters
    ----------
    folder : Path
        ``results/<study>`` or its ``harmonised``.

    Raises
    ------
    TableError
        When the tables are not there, break their contracts, or do not belong together.
    """
    place = folder / "harmonised" if (folder / "harmonised").is_dir() else folder
    if not (place / "features.parquet").is_file():
        raise TableError(f"{folder}: holds no harmonised cohort. Give results/<study> of a run that has harmonised.")
    return matched_cohort(
        read_table(place / "features.parquet", FEATURES),
        read_table(place / "feature_catalogue.parquet", FEATURE_CATALOGUE),
        read_table(place / "target.parquet", TARGET_ROWS),
        str(folder),
    )


def matched_cohort(
    features: pl.DataFrame, catalogue: pl.DataFrame, target: pl.DataFrame, where: str
) -> HarmonisedCohort:
    """Put the three tables together, each in the order of the features; refuse tables of different runs."""
    names = [name for name in features.columns if name != ID]
    if set(names) != set(catalogue["feature"]) or set(features[ID]) != set(target[ID]):
        raise TableError(f"{where}: its tables do not belong together (features, catalogue and target of one run).")
    ordered = pl.DataFrame({"feature": names}).join(catalogue, on="feature", how="left", maintain_order="left")
    rows = features.select(ID).join(target, on=ID, how="left", maintain_order="left")
    return HarmonisedCohort(features, ordered.select(catalogue.columns), rows)


def write_cohort(cohort: HarmonisedCohort, folder: Path) -> None:
    """Write a cohort as the Parquet tables that stage harmonise writes."""
    write_table(cohort.features, FEATURES, folder / "features.parquet")
    write_table(cohort.catalogue, FEATURE_CATALOGUE, folder / "feature_catalogue.parquet")
    write_table(cohort.target, TARGET_ROWS, folder / "target.parquet")
