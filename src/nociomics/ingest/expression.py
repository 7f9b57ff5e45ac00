"""Read gene expression: people in rows or genes in rows, and the table of its samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.gene_names import clean_genes
from nociomics.ingest.leak_guard import before_treatment
from nociomics.ingest.measured import ABOUT, Measured, note_suspect_codes, read_measured
from nociomics.ingest.notes import HIDDEN, Notes, place
from nociomics.ingest.people import ID, matched, once_each
from nociomics.ingest.sources import BASELINE, combined, measured_at, open_source
from nociomics.ingest.values import number_column
from nociomics.tables.study import TableSource

_GENE, _COUNT = "gene", "count"
_ONE_SAMPLE = "A person has one sample; choose it under where: of the samples."
# log2 of the largest count that a sequencer can give is below 40; of counts, 30 is far below a usual maximum.
_HIGHEST_LOG2, _LOWEST_COUNT_MAXIMUM = 50, 30
_ROWS_AT_ONCE = 256


def read_expression(
    sources: Sequence[TableSource],
    root: Path,
    people: pl.Series | None,
    treatments: pl.DataFrame | None,
    notes: Notes,
) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
    """Read every file of expression values.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.
    treatments : DataFrame or None
        For the start of treatment, where samples have ``collected_at``.

    Returns
    -------
    DataFrame or None, one row per person
        As in the contract ``EXPRESSION``: one Float32 column per gene, as measured.
    DataFrame or None, one row per person
        As in the contract ``EXPRESSION_SAMPLES``.
    """
    parts = []
    for source in sources:
        found = _one_file(source, root, people, notes)
        if found is None:
            continue
        word, _ = measured_at(source, "expression")
        if word != BASELINE:
            count = found.rows.height
            notes.info(
                f'{source.path}: {count} samples were measured at "{word}" and do not become features.', count=count
            )
            continue
        parts.append(_kept(found, before_treatment(_with_places(found.rows), treatments, notes)))
    _same_of_all("values", sources, notes)
    _same_of_all("normalise", sources, notes)
    _check_normalise(sources, notes)
    return _one_table(parts, people, notes)


def read_reference(sources: Sequence[TableSource], root: Path, notes: Notes) -> pl.DataFrame | None:
    """Read the fixed profile of counts that ``normalise: tmm`` compares every sample with.

    Parameters
    ----------
    sources : sequence of TableSource
        Of expression; at most one profile may be named.

    Returns
    -------
    DataFrame or None, one row per gene
        ``gene`` (without the version of an Ensembl id) and ``count``. None when the study does not ask for tmm, or
        after a fatal finding.
    """
    paths = {source.reference for source in sources if source.normalise == "tmm" and source.reference is not None}
    return _profile(min(paths), root, notes) if paths else None


def _check_normalise(sources: Sequence[TableSource], notes: Notes) -> None:
    """Refuse what ``normalise: tmm`` cannot do without using other people."""
    asked = [source for source in sources if source.normalise == "tmm"]
    for source in asked:
        if source.values != "counts":
            notes.fatal(f"{source.path}: normalise: tmm is for counts, and values: is {source.values}. Leave it out.")
        if source.reference is None:
            notes.fatal(
                f"{source.path}: normalise: tmm needs reference:, a table with the columns gene and count. TMM "
                "compares each sample with another one; if that came from this cohort, everybody's values would "
                "depend on other people, and on who is in the study. Give a fixed profile (such as the summed counts "
                "of a public cohort, kept in a file), or leave normalise: out for log-CPM."
            )
    _same_of_all("reference", asked, notes)


def _profile(path: str, root: Path, notes: Notes) -> pl.DataFrame | None:
    frame = open_source(TableSource.model_validate({"path": path}), root, notes)
    if frame is None:
        return None
    lacking = [name for name in (_GENE, _COUNT) if name not in frame.columns]
    if lacking:
        notes.fatal(f"{path}: has no column {' and no column '.join(lacking)}. A reference has gene and count.")
        return None
    counts = number_column(frame, _COUNT, notes)
    notes.rows("fatal", frame, counts.is_null() | (counts < 0), "hold no count of 0 or more.", column=_COUNT)
    notes.rows("fatal", frame, frame[_GENE].is_null(), "name no gene.", column=_GENE)
    named = frame[_GENE].is_not_null()
    column = counts.filter(named).to_numpy(writable=True)[:, np.newaxis]
    genes, values = clean_genes(frame[_GENE].filter(named).to_list(), column, "counts", path, notes)
    return pl.DataFrame({_GENE: genes, _COUNT: values[:, 0]})


def _one_table(
    parts: Sequence[Measured], people: pl.Series | None, notes: Notes
) -> tuple[pl.DataFrame | None, pl.DataFrame | None]:
    """Check who the samples are of, then lay the values out as one wide table."""
    if not parts:
        return None, None
    if len(parts) == 1:
        # Choosing people in the small table first spares copies of the large one.
        rows = matched(once_each(_with_places(parts[0].rows), notes, advice=_ONE_SAMPLE), people, notes)
        whole = _kept(parts[0], rows).frame()
    else:
        stacked = combined([part.frame() for part in parts])
        assert stacked is not None
        whole = matched(once_each(stacked, notes, advice=_ONE_SAMPLE), people, notes)
    return whole.drop(*HIDDEN, *ABOUT, strict=False), _samples(whole)


def _with_places(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(__at=pl.int_range(pl.len()))


def _kept(part: Measured, rows: pl.DataFrame) -> Measured:
    return part.chosen(rows.drop("__at"), rows["__at"].to_numpy())


def _samples(whole: pl.DataFrame) -> pl.DataFrame:
    empty = pl.lit(None, pl.String)
    batch = pl.col("batch") if "batch" in whole.columns else empty.alias("batch")
    dated = [pl.col("collected_at")] if "collected_at" in whole.columns else []
    return whole.select(ID, batch, *dated)


def _one_file(source: TableSource, root: Path, people: pl.Series | None, notes: Notes) -> Measured | None:
    found = read_measured(source, root, _GENE, people, notes, np.float32)
    if found is None:
        return None
    if not found.names:
        notes.fatal(f"{place(found.rows)}: has no gene columns.")
        return found
    notes.came_from("expression", "*", source.path)
    samples = source.path if source.samples is None else source.samples.path
    if "batch" in found.rows.columns:
        notes.came_from("expression_samples", "batch", samples, "batch")
    genes = found.values.T
    _check_values(genes, found.rows, source, notes)
    if source.values != "counts":
        note_suspect_codes(found, notes)
    names, genes = clean_genes(found.names, genes, source.values, source.path, notes)
    return replace(found, names=names, values=genes.T)


def _check_values(genes: np.ndarray, rows: pl.DataFrame, source: TableSource, notes: Notes) -> None:
    """Refuse negative counts and TPM, and counts that are not whole; remark on a scale that cannot be the one named."""
    where = place(rows)
    low, broken, highest = _odd_values(genes)
    if source.values in ("counts", "tpm") and low:
        notes.fatal(f"{where}: {low} values are negative, which no {source.values} can be.", count=low)
    if source.values == "counts" and broken:
        hint = (
            f" No value reaches {_LOWEST_COUNT_MAXIMUM}: these look like log2 values."
            if highest < _LOWEST_COUNT_MAXIMUM and source.values == "counts"
            else " Expected counts (RSEM, salmon) are estimates: round them in the file if they are to count as counts."
        )
        notes.fatal(
            f"{where}: {broken} values are no whole numbers, but values: is counts. "
            f"Give raw counts, or say values: tpm or values: log2.{hint}",
            count=broken,
        )
    if source.values == "log2" and highest > _HIGHEST_LOG2:
        high = int((genes > _HIGHEST_LOG2).sum())
        notes.warning(
            f"{where}: {high} values are above {_HIGHEST_LOG2}, but values: is log2, and no measurement reaches "
            f"2^{_HIGHEST_LOG2}. If these are counts or TPM, say values: counts or values: tpm.",
            count=high,
        )


def _odd_values(genes: np.ndarray) -> tuple[int, int, float]:
    """How many values are negative, how many are not whole, and the largest one; a part of the genes at a time."""
    low = broken = 0
    highest = -np.inf
    for first in range(0, len(genes), _ROWS_AT_ONCE):
        part = genes[first : first + _ROWS_AT_ONCE]
        low += int((part < 0).sum())
        broken += int((np.rint(part) != part).sum() - np.isnan(part).sum())
        highest = max(highest, float(np.nanmax(part, initial=-np.inf)))
    return low, broken, highest


def _same_of_all(key: str, sources: Sequence[TableSource], notes: Notes) -> None:
    """All files of a study are put on the log2 scale in one way."""
    said = {str(getattr(source, key)) for source in sources}
    if len(said) > 1:
        notes.fatal(
            f"its files differ in {key}: ({', '.join(sorted(said))}), and are put on one scale together. "
            "Bring them to the same first.",
            count=len(said),
        )
