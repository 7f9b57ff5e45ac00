"""A cohort as MuData (.h5mu): one AnnData object per modality, with the people who have it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nociomics.interchange.anndata_files import (
    opened,
    read_about,
    read_matrix,
    target_columns,
    target_rows,
    write_about,
    write_annotated,
)
from nociomics.interchange.cohort import ID, HarmonisedCohort, matched_cohort
from nociomics.interchange.hdf5_elements import mark, read_frame, require_h5py, write_array, write_frame, write_mapping
from nociomics.tables.files import written_whole

if TYPE_CHECKING:
    import h5py

# What readers look for at the very start of the file: 512 bytes that HDF5 leaves alone.
_FIRST_BYTES = 512
_SIGNATURE = b"MuData (format-version=0.1.0;creator=nociomics;creator-version=1)"


def write_h5mu(cohort: HarmonisedCohort, path: Path) -> None:
    """Write a cohort as one MuData file, whole or not at all.

    Each modality of the catalogue is an AnnData object that holds the people of whom anything of it was measured.
    The target stands in the file's own ``obs`` as ``target_<column>``, the catalogue in ``uns``.

    Raises
    ------
    TableError
        When h5py is not installed or the file cannot be written.
    """
    h5py = require_h5py()
    with written_whole(path) as draft:
        with h5py.File(draft, "w", userblock_size=_FIRST_BYTES) as file:
            mark(file, "MuData", "0.1.0")
            file.attrs["axis"] = 0
            _write_modalities(file, cohort)
            write_frame(file, "obs", cohort.people, target_columns(cohort))
            for name in ("obsp", "varp", "uns"):
                write_mapping(file, name)
            write_about(file["uns"], cohort)
        with draft.open("r+b") as stream:
            stream.write(_SIGNATURE.ljust(_FIRST_BYTES, b"\0"))


def _write_modalities(file: h5py.File, cohort: HarmonisedCohort) -> None:
    modalities = cohort.catalogue["modality"].unique(maintain_order=True).to_list()
    everybody = np.array(cohort.people, dtype=object)
    numbers = {name: cohort.names("numbers", name) for name in modalities}
    columns = [feature for name in modalities for feature in numbers[name]]
    write_frame(file, "var", columns, pl.DataFrame({"": columns}).select([]))
    maps = {name: write_mapping(file, name) for name in ("obsm", "varm", "obsmap", "varmap")}
    group, start = file.create_group("mod"), 0
    group.attrs.create("mod-order", np.array(modalities, dtype=object), dtype=require_h5py().string_dtype())
    for name in modalities:
        mine = cohort.features.select(ID, *cohort.names(modality=name))
        has = mine.select(pl.any_horizontal(pl.exclude(ID).is_not_null()).alias("has"))["has"].to_numpy()
        labels = mine.filter(pl.Series(has)).select(cohort.names("labels", name))
        write_annotated(group.create_group(name), cohort, everybody[has].tolist(), numbers[name], labels)
        inside = np.zeros(len(columns), bool)
        inside[start : start + len(numbers[name])] = True
        start += len(numbers[name])
        for place, kept in (("obs", has), ("var", inside)):
            write_array(maps[f"{place}m"], name, kept[:, None])
            # 0 is "not there"; the others count the object's own rows from 1.
            write_array(maps[f"{place}map"], name, np.where(kept, np.cumsum(kept), 0).astype(np.uint32))


def read_h5mu(path: Path) -> HarmonisedCohort:
    """Read a cohort that `write_h5mu` wrote: the same tables.

    Raises
    ------
    TableError
        When the file is not MuData of this program.
    """
    with opened(path) as file:
        catalogue = read_about(file, path)
        people, obs = read_frame(file["obs"])
        features = pl.DataFrame({ID: people}, schema={ID: pl.String})
        for name in file["mod"].attrs["mod-order"]:
            object_ = file["mod"][str(name)]
            mine, labels = read_frame(object_["obs"])
            _, matrix = read_matrix(object_)
            part = pl.DataFrame({ID: mine}, schema={ID: pl.String}).hstack(labels).hstack(matrix)
            features = features.join(part, on=ID, how="left", maintain_order="left")
    ordered = features.select(ID, *catalogue["feature"].to_list())
    return matched_cohort(ordered, catalogue, target_rows(people, obs), str(path))
