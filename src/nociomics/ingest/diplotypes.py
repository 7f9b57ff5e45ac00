"""Read star alleles that were called elsewhere, wide or long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, Notes, listed, place
from nociomics.ingest.people import ID, matched, once_each
from nociomics.ingest.sources import read_source
from nociomics.knowledge.pharmacogene import load_allele_functions, load_phenotype_rules
from nociomics.tables.study import TableSource

_SUFFIX = "_diplotype"


def read_diplotypes(
    sources: Sequence[TableSource], root: Path, people: pl.Series | None, notes: Notes
) -> pl.DataFrame | None:
    """Read every file of outside calls; the calls stay as they are written.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.

    Returns
    -------
    DataFrame or None, one row per person and gene
        As in the contract ``DIPLOTYPES``; the gene in upper case, a missing call null.
    """
    frames = []
    for source in sources:
        frame = read_source(source, root, notes)
        long = None if frame is None else _long(frame, notes)
        if long is not None:
            frames.append(long)
    if not frames:
        return None
    whole = pl.concat(frames)
    notes.rows("fatal", whole, whole["gene"].is_null(), "name no gene.", column="gene")
    whole = whole.filter(pl.col("gene").is_not_null())
    whole = whole.with_columns(pl.col("gene").str.strip_chars().str.to_uppercase())
    whole = once_each(matched(whole, people, notes), notes, (ID, "gene"), "Keep one call per person and gene.")
    _note_without_meaning(whole, notes)
    return whole.select(ID, "gene", "diplotype")


def _note_without_meaning(frame: pl.DataFrame, notes: Notes) -> None:
    """Warn of genes without a phenotype here, and of calls of star alleles that are written otherwise."""
    functions = load_allele_functions().group_by("gene").agg(stars=pl.col("allele").str.starts_with("*").all())
    known = {*functions["gene"], *load_phenotype_rules()["gene"]}
    genes = ", ".join(sorted(known))
    strange = ~frame["gene"].is_in(list(known))
    notes.rows(
        "warning", frame, strange, f"name a gene that gets no phenotype here. Those that do: {genes}.", column="gene"
    )
    starred = frame["gene"].is_in(functions.filter("stars")["gene"].to_list())
    other = starred & ~frame["diplotype"].str.contains("*", literal=True)
    notes.rows(
        "warning", frame, other, "hold no star alleles, so they get no phenotype. Write *1/*4.", column="diplotype"
    )


def _long(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame | None:
    if {"gene", "diplotype"} <= set(frame.columns):
        return frame.select(*HIDDEN, ID, "gene", "diplotype")
    wide = [name for name in frame.columns if name.lower().endswith(_SUFFIX)]
    if not wide:
        names = [name for name in frame.columns if name not in (ID, *HIDDEN)]
        notes.fatal(
            f"{place(frame)}: has neither the columns gene and diplotype nor any <gene>{_SUFFIX}."
            f"{did_you_mean('diplotype', names)} Columns: {listed(names)}."
        )
        return None
    long = frame.unpivot(on=wide, index=[*HIDDEN, ID], variable_name="gene", value_name="diplotype")
    return long.with_columns(pl.col("gene").str.head(-len(_SUFFIX)))
