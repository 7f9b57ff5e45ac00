"""Which samples of which stores are people of the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.errors import TableError
from nociomics.tables.genotype_store import GenotypeStore

UNIT = ("patient_id", "sample")


@dataclass(frozen=True)
class Members:
    """The samples of the study, and where each store has them.

    Parameters
    ----------
    units : DataFrame, one row per sample of a person
        ``patient_id``, ``sample``, ``sex_in_file``, ``sex_in_study`` (F, M or null).
    stores : tuple of GenotypeStore
        The stores.
    columns : tuple of ndarray of int
        Of each store, the rows of its ``samples`` that are meant.
    places : tuple of ndarray of int
        Of each of these, the row of ``units``.
    """

    units: pl.DataFrame
    stores: tuple[GenotypeStore, ...]
    columns: tuple[np.ndarray, ...]
    places: tuple[np.ndarray, ...]


def members(stores: Sequence[GenotypeStore], people: pl.DataFrame | None) -> Members:
    """Match the samples of the stores with the people of a study.

    Parameters
    ----------
    stores : sequence of GenotypeStore
        One or several, of the same people (one file per chromosome) or of different ones; folders of different names.
    people : DataFrame, optional
        ``patient_id``, and when they differ from it ``sample``; ``store`` (folder name) where sample names mean
        different people in different stores; ``sex``. Left out: every sample is a person of that name.

    Returns
    -------
    Members
        Samples in the order in which the stores first have them.
    """
    names = [store.folder.name for store in stores]
    if len(set(names)) < len(names):
        raise TableError("the stores of genotypes must lie in folders of different names. Rename one.")
    rows = [
        store.samples.select(
            pl.lit(store.folder.name).alias("store"),
            "sample",
            pl.col("sex").alias("sex_in_file"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias("column"),
        )
        for store in stores
    ]
    found = _with_people(pl.concat(rows), people)
    units = found.group_by(*UNIT, maintain_order=True).agg(
        pl.col("sex_in_file").drop_nulls().first(), pl.col("sex_in_study").first()
    )
    found = found.join(units.select(*UNIT).with_row_index("place"), on=UNIT, how="left", maintain_order="left")
    parts = [found.filter(pl.col("store") == name) for name in names]
    return Members(
        units,
        tuple(stores),
        tuple(part["column"].to_numpy() for part in parts),
        tuple(part["place"].to_numpy().astype(np.int64) for part in parts),
    )


def _with_people(samples: pl.DataFrame, people: pl.DataFrame | None) -> pl.DataFrame:
    if people is None:
        return samples.with_columns(pl.col("sample").alias("patient_id"), sex_in_study=pl.lit(None, dtype=pl.String))
    known = people if "sample" in people.columns else people.with_columns(pl.col("patient_id").alias("sample"))
    sex = pl.col("sex").cast(pl.String) if "sex" in known.columns else pl.lit(None, dtype=pl.String)
    known = known.with_columns(pl.when(sex.is_in(["F", "M"])).then(sex).alias("sex_in_study"))
    on = ["store", "sample"] if "store" in known.columns else ["sample"]
    return samples.join(
        known.select(*on, "patient_id", "sex_in_study"), on=on, how="inner", maintain_order="left", validate="m:1"
    )
