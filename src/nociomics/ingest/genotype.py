"""Read genotypes for a study: convert once, match samples with people, take only the variants that become features."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from nociomics.ingest.content import UnreadableTable, first_bytes
from nociomics.ingest.dosage_table import VARIANT_SCHEMA, read_dosage_table
from nociomics.ingest.genotype_conversion import (
    BASES,
    REFUSED,
    TABLE,
    convert_genotypes,
    converted_kind,
    is_store_kind,
    told_again,
)
from nociomics.ingest.notes import FILE, HIDDEN, Notes
from nociomics.ingest.people import ID, has_id, matched, once_each
from nociomics.ingest.pharmacogene_calls import SCHEMA as CALL_SCHEMA
from nociomics.ingest.samples import joined_to_people
from nociomics.ingest.sources import BASELINE, combined, measured_at
from nociomics.ingest.variant_choice import choose_variants
from nociomics.tables.files import read_table
from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.ingested import PHARMACOGENE_GENOTYPES
from nociomics.tables.study import TableSource

_COLUMN = "__column"
_SIDE_FILES = (".bim", ".fam", ".pvar", ".psam")
_PEOPLE_SCHEMA = {ID: pl.String, "sample": pl.String, "store": pl.String}


class GenotypeTables(NamedTuple):
    """What a study takes from its genotype files.

    Attributes
    ----------
    dosages : DataFrame, one row per genotyped person
        As in the contract ``DOSAGES``: the variants that become features (``variants:`` of the source).
    variants : DataFrame, one row per variant of these
        As in the contract ``VARIANTS``; rates and frequencies are those of the study's people, a haploid call
        counting as one of two.
    bases : DataFrame, one row per person and position
        As in the contract ``PHARMACOGENE_GENOTYPES``; no rows when the build is unknown.
    people : DataFrame, one row per person and store
        As in the contract ``GENOTYPE_PEOPLE``; a table of dosages has no store.
    """

    dosages: pl.DataFrame
    variants: pl.DataFrame
    bases: pl.DataFrame
    people: pl.DataFrame


@contextmanager
def folder_of_stores(stores: Path | None) -> Iterator[Path]:
    """Give the folder of the converted files; a temporary one when there is none."""
    if stores is not None:
        yield stores
        return
    with tempfile.TemporaryDirectory(prefix="nociomics-genotypes-") as folder:
        yield Path(folder)


def store_of(source: TableSource, number: int, root: Path, stores: Path, notes: Notes) -> GenotypeStore | None:
    """Open the store of a study's genotype file, converting the file when that was not done yet.

    Parameters
    ----------
    number : int
        Place of the file among the study's genotype files, from 1; its store is ``stores/<number>``.

    Returns
    -------
    GenotypeStore or None
        None after a fatal finding.
    """
    folder = stores / str(number)
    kind = converted_kind(folder)
    if kind is None:
        return convert_genotypes(root / source.path, source.path, folder, notes, source.build)
    told_again(folder, notes)
    return None if kind in (TABLE, REFUSED) else GenotypeStore(folder)


def read_genotype(
    sources: Sequence[TableSource],
    root: Path,
    people: pl.Series | None,
    notes: Notes,
    stores: Path | None = None,
    wanted: Sequence[str] | None = None,
) -> GenotypeTables:
    """Read every genotype file.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.
    stores : Path, optional
        Folder of the converted files, ``stores/<number>``; a file that was not converted yet is converted into it.
        Without it they are converted into a temporary folder.
    wanted : sequence of str, optional
        Names of the variants that a model was trained with: exactly these are read, where the file has them.
    """
    read = []
    with folder_of_stores(stores) as folder:
        for number, source in enumerate(sources, start=1):
            if measured_at(source, "genotype")[0] != BASELINE:
                notes.info(f"{source.path}: is not declared as baseline and is left out.")
                continue
            one = _one_file(source, number, root, people, notes, folder, wanted)
            read += [] if one is None else [one]
    whole = combined([one.dosages for one in read])
    empty = pl.DataFrame(schema={ID: pl.String})
    whole = empty if whole is None else once_each(whole, notes).drop(HIDDEN, strict=False)
    known = pl.concat([pl.DataFrame(schema=VARIANT_SCHEMA), *(one.variants for one in read)])
    bases = pl.concat([pl.DataFrame(schema=CALL_SCHEMA), *(one.bases for one in read)])
    return GenotypeTables(
        whole,
        known.unique("variant", keep="first", maintain_order=True),
        bases.unique([ID, "rsid"], keep="first", maintain_order=True),
        pl.concat([pl.DataFrame(schema=_PEOPLE_SCHEMA), *(one.people for one in read)]),
    )


def _one_file(
    source: TableSource,
    number: int,
    root: Path,
    people: pl.Series | None,
    notes: Notes,
    stores: Path,
    wanted: Sequence[str] | None,
) -> GenotypeTables | None:
    if _is_side_file(source, root, notes):
        return None
    kind = converted_kind(stores / str(number))
    try:
        is_table = kind == TABLE if kind else not is_store_kind(first_bytes(root / source.path, source.path))
    except UnreadableTable as error:
        for problem in error.problems:
            notes.fatal(problem.message, count=problem.count)
        return None
    if is_table:
        return _dosage_table(source, root, people, notes, wanted)
    store = store_of(source, number, root, stores, notes)
    if store is None:
        return None
    chosen = _people_of(store.samples["sample"].to_list(), source, root, people, notes)
    return None if notes.has_fatal else _of_people(store, chosen, source, root, wanted, notes)


def _is_side_file(source: TableSource, root: Path, notes: Notes) -> bool:
    """Note a PLINK file beside the calls, or the stem of its three files, in place of the one with the calls."""
    path = root / source.path
    if path.suffix not in _SIDE_FILES and path.exists():
        return False
    for suffix in (".bed", ".pgen"):
        calls = path.with_suffix(suffix) if path.suffix in _SIDE_FILES else path.with_name(path.name + suffix)
        if calls.is_file():
            given = "describes the calls of a PLINK file" if path.exists() else "does not exist"
            notes.fatal(f'{source.path}: {given}. Name the file that holds the calls: "{calls.name}".')
            return True
    return False


def _dosage_table(
    source: TableSource, root: Path, people: pl.Series | None, notes: Notes, wanted: Sequence[str] | None
) -> GenotypeTables | None:
    read = read_dosage_table(source, root, people, notes)
    if read is None:
        return None
    dosages, variants = read
    if wanted is not None:
        kept = [name for name in dosages.columns if name in (ID, *HIDDEN) or name in set(wanted)]
        dosages, variants = dosages.select(kept), variants.filter(pl.col("variant").is_in(kept))
    return GenotypeTables(
        dosages,
        variants.select(list(VARIANT_SCHEMA)),
        pl.DataFrame(schema=CALL_SCHEMA),
        pl.DataFrame(schema=_PEOPLE_SCHEMA),
    )


def _people_of(
    samples: list[str], source: TableSource, root: Path, people: pl.Series | None, notes: Notes
) -> pl.DataFrame:
    """Match the samples of a store with people: one row per person with its sample column."""
    key = source.samples.sample_id if source.samples is not None else ID
    frame = pl.DataFrame(
        {FILE: source.path, key: samples, _COLUMN: range(len(samples))},
        schema={FILE: pl.String, key: pl.String, _COLUMN: pl.Int64},
    )
    if source.samples is not None:
        joined = joined_to_people(frame, source.samples, root, source, notes)
        frame = frame.clear().with_columns(pl.lit("").alias(ID)) if joined is None else joined
    if not has_id(frame, notes):
        return frame
    return matched(once_each(frame, notes), people, notes)


def _of_people(
    store: GenotypeStore,
    chosen: pl.DataFrame,
    source: TableSource,
    root: Path,
    wanted: Sequence[str] | None,
    notes: Notes,
) -> GenotypeTables:
    picked = choose_variants(store, source, root, wanted, notes)
    copies = store.copies(picked.rows, chosen[_COLUMN].to_numpy())
    notes.step(
        source.path, "left out", store.variants.height, len(picked.names), "variants that become features are kept"
    )
    notes.came_from("dosages", "*", source.path)
    notes.came_from("pharmacogene_genotypes", "*", source.path)
    table = pl.DataFrame(np.ascontiguousarray(copies.T), schema=dict.fromkeys(picked.names, pl.Int8), orient="row")
    # two copies at most: anything below none is the mark of a missing call
    table = table.select(pl.when(pl.all() >= 0).then(pl.all())) if picked.names else table
    dosages = pl.concat([chosen.select(pl.lit(source.path).alias(FILE), ID), table], how="horizontal")
    described = _described(store, picked.rows, picked.names, copies)
    names = store.samples["sample"].gather(chosen[_COLUMN])
    known = chosen.select(ID, pl.Series("sample", names, pl.String), pl.lit(store.folder.name).alias("store"))
    return GenotypeTables(dosages, described, _bases(store, known), known)


def _described(store: GenotypeStore, rows: np.ndarray, names: list[str], copies: np.ndarray) -> pl.DataFrame:
    called = (copies >= 0).sum(axis=1)
    counted = np.where(copies > 0, copies, 0).sum(axis=1)
    return store.variants[rows].select(
        pl.Series("variant", names, pl.String),
        "chrom",
        "pos",
        "ref",
        "alt",
        pl.Series("call_rate", called / max(copies.shape[1], 1), pl.Float64),
        pl.Series("alt_frequency", np.divide(counted, 2 * called, where=called > 0, out=np.full(len(called), np.nan)))
        .fill_nan(None)
        .cast(pl.Float64),
    )


def _bases(store: GenotypeStore, known: pl.DataFrame) -> pl.DataFrame:
    """Take the people's bases at the pharmacogene positions, their ids in place of the samples' names."""
    path = store.folder / BASES
    if not path.is_file():
        return pl.DataFrame(schema=CALL_SCHEMA)
    people = known.select(pl.col(ID).alias("__id"), pl.col("sample").alias("__sample"))
    rows = (
        read_table(path, PHARMACOGENE_GENOTYPES)
        .with_columns(pl.col(ID).cast(pl.String))
        .join(people, left_on=ID, right_on="__sample", how="inner", maintain_order="left")
    )
    return rows.with_columns(pl.col("__id").alias(ID)).select(
        pl.col(name).cast(kind) for name, kind in CALL_SCHEMA.items()
    )
