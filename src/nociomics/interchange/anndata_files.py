"""A cohort as AnnData (.h5ad): people in rows, features in columns, all modalities side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nociomics.errors import TableError
from nociomics.interchange.cohort import FORMAT, ID, HarmonisedCohort, matched_cohort
from nociomics.interchange.hdf5_elements import (
    mark,
    read_frame,
    require_h5py,
    write_array,
    write_frame,
    write_mapping,
    write_text,
)
from nociomics.tables.files import written_whole

if TYPE_CHECKING:
    import h5py

_TARGET = "target_"
_ABOUT = "nociomics"
_CATALOGUE = "feature_catalogue"
_EMPTY = ("layers", "obsm", "obsp", "varm", "varp")


def write_h5ad(cohort: HarmonisedCohort, path: Path) -> None:
    """Write a cohort as one AnnData file, whole or not at all.

    ``X`` holds numeric and 0/1 features (NaN = not measured) and ``var`` what they are; ``obs`` holds categories
    under their own names and the target's columns as ``target_<column>``; ``uns`` the whole catalogue.

    Raises
    ------
    TableError
        When h5py is not installed or the file cannot be written.
    """
    h5py = require_h5py()
    with written_whole(path) as draft, h5py.File(draft, "w") as file:
        labels = cohort.features.select(cohort.names("labels"))
        _refuse_twins(labels.columns, cohort.target.columns)
        write_annotated(
            file,
            cohort,
            cohort.people,
            cohort.names("numbers"),
            pl.concat([labels, target_columns(cohort)], how="horizontal"),
        )
        write_about(file["uns"], cohort)


def read_h5ad(path: Path) -> HarmonisedCohort:
    """Read a cohort that `write_h5ad` wrote: the same tables.

    Raises
    ------
    TableError
        When the file is not AnnData of this program.
    """
    with opened(path) as file:
        catalogue = read_about(file, path)
        people, obs = read_frame(file["obs"])
        numbers, matrix = read_matrix(file)
    labels = catalogue.filter(pl.col("kind") == "category")["feature"].to_list()
    whole = pl.DataFrame({ID: people}, schema={ID: pl.String}).hstack(obs.select(labels)).hstack(matrix.select(numbers))
    features = whole.select(ID, *catalogue["feature"].to_list())
    return matched_cohort(features, catalogue, target_rows(people, obs), str(path))


def target_columns(cohort: HarmonisedCohort) -> pl.DataFrame:
    """Name the target's columns ``target_<column>``, so that they are never taken for features."""
    return cohort.target.drop(ID).select(pl.all().name.prefix(_TARGET))


def target_rows(people: list[str], obs: pl.DataFrame) -> pl.DataFrame:
    """Take the target's columns back."""
    names = [name for name in obs.columns if name.startswith(_TARGET)]
    return pl.DataFrame({ID: people}, schema={ID: pl.String}).hstack(
        obs.select(pl.col(n).alias(n.removeprefix(_TARGET)) for n in names)
    )


def write_annotated(
    group: h5py.Group, cohort: HarmonisedCohort, people: list[str], numbers: list[str], obs: pl.DataFrame
) -> None:
    """Write one AnnData object: a matrix, what its rows are (``obs``), what its columns are (``var``)."""
    mark(group, "anndata", "0.1.0")
    rows = pl.DataFrame({ID: people}, schema={ID: pl.String}).join(
        cohort.features.select(ID, *numbers), on=ID, how="left", maintain_order="left"
    )
    matrix = rows.select(pl.col(numbers).cast(pl.Float64)).to_numpy() if numbers else np.zeros((len(people), 0))
    write_array(group, "X", np.ascontiguousarray(matrix))
    write_frame(group, "obs", people, obs)
    about = pl.DataFrame({"feature": numbers}, schema={"feature": pl.String}).join(
        cohort.catalogue, on="feature", how="left", maintain_order="left"
    )
    write_frame(group, "var", numbers, about.drop("feature"))
    for name in (*_EMPTY, "uns"):
        write_mapping(group, name)


def read_matrix(group: h5py.Group) -> tuple[list[str], pl.DataFrame]:
    """Read the matrix of one AnnData object: names of its columns, and Float64 columns."""
    names, _ = read_frame(group["var"])
    values = group["X"][()]
    frame = pl.from_numpy(values, schema=names, orient="row") if names else pl.DataFrame()
    return names, frame.with_columns(pl.all().fill_nan(None)) if names else frame


def write_about(group: h5py.Group, cohort: HarmonisedCohort) -> None:
    """Write the format's name and the whole catalogue into ``uns``."""
    about = write_mapping(group, _ABOUT)
    write_text(about, "format", FORMAT)
    write_frame(about, _CATALOGUE, cohort.catalogue["feature"].to_list(), cohort.catalogue.drop("feature"))


def read_about(file: h5py.File, path: Path) -> pl.DataFrame:
    """Read the catalogue; a file of another make is refused."""
    about = file.get(f"uns/{_ABOUT}")
    if about is None or about["format"].asstr()[()] != FORMAT:
        raise TableError(f"{path}: was not written by this program; only its own cohorts can be read back.")
    names, frame = read_frame(about[_CATALOGUE])
    return frame.insert_column(0, pl.Series("feature", names, dtype=pl.String))


def opened(path: Path) -> h5py.File:
    """Open an HDF5 file for reading; anything else is a `TableError`."""
    h5py = require_h5py()
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise TableError(f"{path}: is missing or is no HDF5 file (.h5ad, .h5mu).") from error


def _refuse_twins(labels: list[str], target: list[str]) -> None:
    twins = {f"{_TARGET}{name}" for name in target} & set(labels)
    if twins:
        raise TableError(
            f"{len(twins)} features are named as columns of the target (first: {min(twins)}). Rename them in the study."
        )
