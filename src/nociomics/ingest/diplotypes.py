"""Read star alleles that were called elsewhere, wide or long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import HIDDEN, ROW, Notes, listed, place
from nociomics.ingest.people import ID, matched, once_each
from nociomics.ingest.sources import read_source
from nociomics.knowledge.pharmacogene import HLA_GENES, STAR_GENES, load_allele_functions, load_phenotype_rules
from nociomics.tables.study import TableSource

_SUFFIX = "_diplotype"
_ALLELES_OF_A_CALL = 2
_LINES_SHOWN = 100
_NOT_TESTED = ("", "no result", "not tested", "not done")
_TWO_MEANINGS = r"[()\[\]{}?,;]|\bor\b|\band\b"


def read_diplotypes(
    sources: Sequence[TableSource],
    root: Path,
    people: pl.Series | None,
    notes: Notes,
    *,
    require_readable: bool = False,
) -> pl.DataFrame | None:
    """Read every file of outside calls; the calls stay as they are written.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.
    require_readable : bool
        Whether rows that hold no call at all are fatal, all named by their lines; else they are warned of. What has
        two meanings is refused later, in its own row.

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
    if require_readable:
        _note_unreadable(whole, notes)
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


def unreadable(gene: pl.Expr, text: pl.Expr) -> pl.Expr:
    """Tell whether a text names no call: less than two star alleles, or no HLA type.

    A text with two alleles that has no single meaning (brackets, "or", a hyphen) is readable here; the call of its
    gene is refused with the reason. Other genes are not judged: nothing here can be called of them.
    """
    plain = text.str.strip_chars().str.to_lowercase()
    stars = plain.str.count_matches(r"\*\s*\d") < _ALLELES_OF_A_CALL
    no_type = ~plain.str.contains(r"\d|positive|negative")
    is_open = plain.is_in(_NOT_TESTED) | plain.str.contains(_TWO_MEANINGS)
    lacks = (gene.is_in(STAR_GENES) & stars) | (gene.str.replace("_", "-", literal=True).is_in(HLA_GENES) & no_type)
    return (lacks & ~is_open).fill_null(False)


def _note_unreadable(frame: pl.DataFrame, notes: Notes) -> None:
    bad = frame.filter(unreadable(pl.col("gene"), pl.col("diplotype")))
    if bad.is_empty():
        return
    lines = listed([str(line) for line in bad[ROW].unique().sort().to_list()], _LINES_SHOWN)
    count = "1 call" if bad.height == 1 else f"{bad.height} calls"
    notes.fatal(
        f"{place(bad, 'diplotype')}: {count} cannot be read (lines {lines}). Write both alleles, such as *1/*4, "
        "*1x2/*4 or *36+*10/*41, for HLA such as *15:02 positive; leave the cell empty where nothing was tested.",
        column="diplotype",
        count=bad.height,
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
