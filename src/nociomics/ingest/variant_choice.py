"""Choose which variants of a genotype store become features: all, none, listed ones, or those that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.content import UnreadableTable, read_bytes
from nociomics.ingest.notes import HIDDEN, Notes
from nociomics.ingest.sources import open_source
from nociomics.knowledge.pharmacogene import load_misprinted_variants, load_positions
from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.study import TableSource

ALL_OF_A_SMALL_FILE = 5_000
"""Counted alleles up to which ``auto`` takes a file as a panel of chosen variants."""
_NAME_COLUMNS = ("variant", "rsid", "snp", "id")
_PLACE_COLUMNS = ("chrom", "pos", "ref", "alt")
_PLACE = pl.concat_str(
    pl.col("chrom").str.replace("(?i)^chr", ""),
    pl.col("pos").cast(pl.String),
    pl.col("ref"),
    pl.col("alt"),
    separator="_",
)


@dataclass(frozen=True)
class Chosen:
    """Rows of a store's variants, and the name that each gets."""

    rows: np.ndarray
    names: list[str]


def choose_variants(
    store: GenotypeStore, source: TableSource, root: Path, wanted: Sequence[str] | None, notes: Notes
) -> Chosen:
    """Choose the variants that become features; those that the file's own filter refused never do.

    Parameters
    ----------
    source : TableSource
        Its ``variants`` says which.
    wanted : sequence of str, optional
        Names that a model was trained with: exactly these are looked for, whatever ``variants`` says.
    """
    known = store.variants.with_row_index("row").filter(~pl.col("filtered"))
    left_out = store.variants.height - known.height
    if left_out:
        what = "did not pass the file's own FILTER and are left out."
        notes.info(f"{source.path}: {left_out} sites {what}", count=left_out)
    if wanted is not None:
        return _of_model(known, wanted, source, notes)
    if source.variants == "none":
        return Chosen(np.zeros(0, np.int64), [])
    if source.variants == "auto":
        known = _of_known_places(known, store, source, notes)
    elif source.variants != "all":
        known = _of_list(known, source, root, notes)
    return Chosen(known["row"].to_numpy().astype(np.int64), known["variant"].to_list())


def _of_known_places(known: pl.DataFrame, store: GenotypeStore, source: TableSource, notes: Notes) -> pl.DataFrame:
    if store.variants.height <= ALL_OF_A_SMALL_FILE:
        return known
    positions = load_positions()
    named = pl.col("name").is_in(positions["rsid"].implode()).fill_null(False)
    build = store.manifest.get("reference")
    if build is not None:
        places = positions.select(
            _chrom("chrom").alias("__chrom"), pl.col(f"pos_{build.lower()}").alias("pos")
        ).unique()
        here = known.with_columns(_chrom("chrom").alias("__chrom"))
        rows = here.join(places, on=["__chrom", "pos"], how="semi")["row"]
        named |= pl.col("row").is_in(rows.implode())
    kept = known.filter(named)
    others = known.height - kept.height
    notes.info(
        f"{source.path}: of {known.height} variants {kept.height} are known pain or pharmacogene variants and become "
        f"features; {others} are left out. Write variants: all, or variants: with the path of a list, to choose "
        "otherwise.",
        count=others,
    )
    return kept


def _chrom(column: str) -> pl.Expr:
    return pl.col(column).str.replace("(?i)^chr", "")


def _of_model(known: pl.DataFrame, wanted: Sequence[str], source: TableSource, notes: Notes) -> Chosen:
    """Find a model's variants under any of the names that they may have here; one that fits two is not taken."""
    ways = (pl.col("variant"), pl.col("name"), pl.concat_str("name", "alt", separator="_"), _PLACE)
    targets = pl.DataFrame({"wanted": list(dict.fromkeys(wanted))}, schema={"wanted": pl.String}).with_columns(
        pl.col("wanted").str.replace(r"(?i)^chr(\w+_\d+_)", "${1}").alias("place")
    )
    found: dict[str, int] = {}
    for way in ways:
        key = "place" if way is _PLACE else "wanted"
        open_targets = targets.filter(~pl.col("wanted").is_in(list(found)))
        here = known.select("row", way.alias(key)).join(open_targets, on=key)
        once = here.filter(pl.col("wanted").is_unique())
        found |= dict(zip(once["wanted"].to_list(), once["row"].to_list(), strict=True))
    absent = targets.height - len(found)
    if absent:
        what = "variants that the model uses are not in the file; they count as not measured."
        notes.info(f"{source.path}: {absent} of {targets.height} {what}", count=absent)
    names = [name for name in targets["wanted"].to_list() if name in found]
    return Chosen(np.array([found[name] for name in names], dtype=np.int64), names)


def _of_list(known: pl.DataFrame, source: TableSource, root: Path, notes: Notes) -> pl.DataFrame:
    listed = _read_list(source, root, notes)
    if listed is None or _note_misprints(listed, source.variants, notes):
        return known.clear()
    keyed = known.with_columns(_chrom("chrom").alias("chrom"), _PLACE.alias("__place"))
    hits = [pl.DataFrame(schema={"row": pl.UInt32, "entry": pl.UInt32})]
    if "name" in listed.columns:
        names = listed.select("entry", pl.col("name").str.replace(r"(?i)^chr(\w+_\d+_)", "${1}").alias("place"), "name")
        for way, key in (("variant", "name"), ("name", "name"), ("__place", "place")):
            pairs = keyed.select("row", pl.col(way).alias("__key")).join(names, left_on="__key", right_on=key)
            hits.append(pairs.select("row", "entry"))
    else:
        columns = [name for name in _PLACE_COLUMNS if name in listed.columns]
        hits.append(keyed.join(listed, on=columns).select("row", "entry"))
    rows = pl.concat(hits)
    absent = listed.height - rows["entry"].n_unique()
    if absent:
        what = f"variants of the list {source.variants} are not in the file."
        notes.warning(f"{source.path}: {absent} of {listed.height} {what}", count=absent)
    return known.filter(pl.col("row").is_in(rows["row"].unique().implode()))


def _note_misprints(listed: pl.DataFrame, shown: str, notes: Notes) -> bool:
    """Refuse numbers that are known as misprints: what they name is another variant than the one that is meant."""
    if "name" not in listed.columns:
        return False
    wrong = load_misprinted_variants().join(listed, left_on="printed", right_on="name", how="semi")
    for printed, meant, gene, known_as, where in wrong.select(
        "printed", "meant", "gene", "known_as", "where"
    ).iter_rows():
        notes.fatal(
            f"{shown}: asks for {printed}, which is a misprint ({where}): {gene} {known_as} is {meant}. Write {meant}."
        )
    return not wrong.is_empty()


def _read_list(source: TableSource, root: Path, notes: Notes) -> pl.DataFrame | None:
    """Read a list of variants: ``entry`` and ``name``, or ``entry`` and chrom, pos and perhaps ref and alt."""
    shown = source.variants
    words = _plain_list(root / shown, shown, notes)
    if words is not None:
        return pl.DataFrame({"name": words}, schema={"name": pl.String}).with_row_index("entry")
    table = None if notes.has_fatal else open_source(TableSource(path=shown), root, notes)
    if table is None:
        return None
    table = table.drop(HIDDEN, strict=False).rename(str.lower).with_row_index("entry")
    for name in _NAME_COLUMNS:
        if name in table.columns:
            return table.select("entry", pl.col(name).alias("name")).drop_nulls("name")
    if not {"chrom", "pos"} <= set(table.columns):
        notes.fatal(
            f"{shown}: has neither a column variant or rsid, nor the columns chrom and pos. "
            "Give one rsID per line, or a table with such columns."
        )
        return None
    return _placed(table, shown, notes)


def _plain_list(path: Path, shown: str, notes: Notes) -> list[str] | None:
    """Return the words of a text with one word per line; None when it is a table (or cannot be read)."""
    try:
        data = read_bytes(path, shown)
    except UnreadableTable as error:
        for problem in error.problems:
            notes.fatal(problem.message, count=problem.count)
        return None
    if data.startswith((b"PAR1", b"PK\x03\x04")):
        return None
    lines = [line.strip().strip('"') for line in data.decode("utf-8-sig", errors="replace").splitlines()]
    words = [line for line in lines if line and not line.startswith("#")]
    if any(mark in word for word in words for mark in "\t,;| "):
        return None
    return words[1:] if words and words[0].lower() in _NAME_COLUMNS else words


def _placed(table: pl.DataFrame, shown: str, notes: Notes) -> pl.DataFrame | None:
    columns = [name for name in _PLACE_COLUMNS if name in table.columns]
    placed = table.select(
        "entry",
        _chrom("chrom"),
        pl.col("pos").cast(pl.Int64, strict=False),
        *(pl.col(name).str.to_uppercase() for name in columns[2:]),
    )
    wrong = placed.filter(pl.any_horizontal(pl.col("chrom", "pos").is_null())).height
    if wrong:
        notes.fatal(
            f"{shown}: {wrong} rows have no chrom, or a pos that is no whole number. Correct them.", count=wrong
        )
        return None
    return placed
