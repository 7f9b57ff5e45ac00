"""The elements that AnnData files are made of, written and read with h5py alone.

The anndata package itself cannot be a dependency: its releases up to 0.12 need pandas below 3
(docs/decisions/0015-interchange-without-anndata.md).

References
----------
AnnData, "On-disk format", https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nociomics.errors import TableError

if TYPE_CHECKING:
    import h5py


def require_h5py() -> Any:
    """Return h5py, or raise `StudyError` with the command that installs it."""
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise TableError(
            "AnnData and MuData files need h5py, which is not installed: pip install 'nociomics[interchange]'."
        ) from error
    return h5py


def mark(element: Any, kind: str, version: str) -> None:
    """Say what an element is, as the format wants it."""
    element.attrs["encoding-type"] = kind
    element.attrs["encoding-version"] = version


def write_mapping(parent: h5py.Group, name: str) -> h5py.Group:
    """Make an empty mapping."""
    group = parent.create_group(name)
    mark(group, "dict", "0.1.0")
    return group


def write_array(parent: h5py.Group, name: str, values: np.ndarray) -> None:
    """Write numbers or booleans; NaN is a missing number."""
    large = {"compression": "gzip", "compression_opts": 1} if values.size > 4096 else {}
    mark(parent.create_dataset(name, data=values, **large), "array", "0.2.0")


def write_text(parent: h5py.Group, name: str, text: str) -> None:
    """Write one text."""
    mark(parent.create_dataset(name, data=text, dtype=require_h5py().string_dtype()), "string", "0.2.0")


def write_texts(parent: h5py.Group, name: str, values: list[str]) -> None:
    """Write texts, none of them missing."""
    data = np.array(values, dtype=object)
    mark(parent.create_dataset(name, data=data, dtype=require_h5py().string_dtype()), "string-array", "0.2.0")


def write_frame(parent: h5py.Group, name: str, index: list[str], frame: pl.DataFrame) -> None:
    """Write a table with its index.

    Parameters
    ----------
    index : list of str
        Names of the rows.
    frame : DataFrame
        Float64 columns (null is written as NaN), Boolean ones without null, and String ones: as categories, in which a
        null has a code of its own.
    """
    group = parent.create_group(name)
    mark(group, "dataframe", "0.2.0")
    group.attrs["_index"] = "_index"
    names = np.array(frame.columns, dtype=object)
    group.attrs.create("column-order", names, dtype=require_h5py().string_dtype())
    write_texts(group, "_index", index)
    for column in frame.iter_columns():
        if column.dtype == pl.Boolean:
            write_array(group, column.name, column.to_numpy())
        elif column.dtype.is_numeric():
            write_array(group, column.name, column.cast(pl.Float64).to_numpy())
        else:
            _write_labels(group, column.cast(pl.String))


def _write_labels(parent: h5py.Group, column: pl.Series) -> None:
    words = sorted(column.drop_nulls().unique().to_list())
    place = {word: code for code, word in enumerate(words)}
    codes = np.array([-1 if word is None else place[word] for word in column.to_list()], dtype=np.int32)
    group = parent.create_group(column.name)
    mark(group, "categorical", "0.2.0")
    group.attrs["ordered"] = False
    write_texts(group, "categories", words)
    write_array(group, "codes", codes)


def read_texts(element: h5py.Dataset) -> list[str]:
    """Read texts."""
    return [str(text) for text in element.asstr()[()]]


def read_frame(group: h5py.Group) -> tuple[list[str], pl.DataFrame]:
    """Read a table that `write_frame` wrote: the names of its rows, and its columns."""
    index = read_texts(group[group.attrs["_index"]])
    columns = {str(name): _column(group[str(name)]) for name in group.attrs["column-order"]}
    return index, pl.DataFrame(columns) if columns else pl.DataFrame({"": index}).select([])


def _column(element: h5py.Group | h5py.Dataset) -> pl.Series:
    if element.attrs["encoding-type"] == "categorical":
        words = read_texts(element["categories"])
        return pl.Series([None if code < 0 else words[code] for code in element["codes"][()]], dtype=pl.String)
    values = element[()]
    return pl.Series(values) if values.dtype == bool else pl.Series(values, nan_to_null=True)
