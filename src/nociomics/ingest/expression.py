"""Read gene expression: people in rows or genes in rows, and the table of its samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.leak_guard import before_treatment
from nociomics.ingest.notes import FILE, HIDDEN, ROW, Notes, place
from nociomics.ingest.people import ID, has_id, matched, once_each, without_empty_ids
from nociomics.ingest.samples import joined_to_people
from nociomics.ingest.sources import BASELINE, combined, described_columns, described_rows, measured_at, open_source
from nociomics.ingest.values import number_columns
from nociomics.tables.study import TableSource

_ABOUT = ("batch", "collected_at", "plate", "sample_id")
_GENE = "gene"
_ONE_SAMPLE = "A person has one sample; choose it under where: of the samples."


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
    frames = []
    for source in sources:
        frame = _one_file(source, root, notes)
        if frame is None:
            continue
        word, _ = measured_at(source, "expression")
        if word != BASELINE:
            notes.info(
                f'{source.path}: {frame.height} samples were measured at "{word}" and do not become features.',
                count=frame.height,
            )
            continue
        frames.append(before_treatment(frame, treatments, notes))
    whole = combined(frames)
    if whole is None:
        return None, None
    whole = matched(once_each(whole, notes, advice=_ONE_SAMPLE), people, notes)
    return whole.drop(*HIDDEN, *_ABOUT, strict=False), _samples(whole)


def _samples(whole: pl.DataFrame) -> pl.DataFrame:
    empty = pl.lit(None, pl.String)
    batch = pl.col("batch") if "batch" in whole.columns else empty.alias("batch")
    dated = [pl.col("collected_at")] if "collected_at" in whole.columns else []
    return whole.select(ID, batch, *dated)


def _one_file(source: TableSource, root: Path, notes: Notes) -> pl.DataFrame | None:
    frame = open_source(source, root, notes)
    if frame is None:
        return None
    if _GENE in frame.columns and ID not in frame.columns:
        frame = _people_in_rows(frame, source, notes)
    else:
        frame = described_rows(frame, source, notes)
    if source.samples is not None:
        joined = joined_to_people(frame, source.samples, root, source, notes)
        if joined is None:
            return None
        frame = joined
    if not has_id(frame, notes):
        return None
    frame = described_columns(without_empty_ids(frame, notes), source, notes)
    genes = [name for name in frame.columns if name not in (ID, *HIDDEN, *_ABOUT)]
    frame = number_columns(frame, [name for name in genes if frame[name].dtype == pl.String], notes)
    _check_values(frame, genes, source, notes)
    return frame.with_columns(pl.col(genes).cast(pl.Float32)) if genes else frame


def _people_in_rows(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame:
    """Turn genes in rows round; the column names become the sample (or person) column."""
    notes.rows("fatal", frame, frame[_GENE].is_null(), "name no gene.", column=_GENE)
    frame = frame.filter(pl.col(_GENE).is_not_null())
    again = ~frame[_GENE].is_first_distinct()
    notes.rows("fatal", frame, again, "repeat a gene that stands above. Add them up or rename them.", column=_GENE)
    frame = frame.filter(~again)
    samples = [name for name in frame.columns if name not in (*HIDDEN, _GENE)]
    # The column names are people: their text is counted without naming them.
    numbers = frame.select(pl.col(samples).str.strip_chars().cast(pl.Float64, strict=False))
    lost = frame.select(pl.any_horizontal(pl.col(name).is_not_null() & numbers[name].is_null() for name in samples))
    notes.rows("fatal", frame, lost.to_series(), "hold text where a number belongs. Correct them, or list missing:.")
    key = source.samples.sample_id if source.samples is not None else ID
    columns = dict(zip(frame[_GENE].to_list(), numbers.to_numpy(), strict=True))
    turned = pl.DataFrame({key: samples, FILE: pl.repeat(source.path, len(samples), eager=True)}).with_columns(
        pl.Series(name, values, nan_to_null=True) for name, values in columns.items()
    )
    rows = pl.Series(ROW, np.arange(len(samples)) + 1, dtype=pl.Int64)
    return turned.with_columns(rows).select(*HIDDEN, key, *columns)


def _check_values(frame: pl.DataFrame, genes: list[str], source: TableSource, notes: Notes) -> None:
    """Refuse negative counts and TPM, and counts that are not whole."""
    if not genes:
        notes.fatal(f"{place(frame)}: has no gene columns.")
        return
    numbers = pl.col(genes)
    if source.values in ("counts", "tpm"):
        low = _cells(frame, numbers < 0)
        if low:
            notes.fatal(f"{place(frame)}: {low} values are negative, which no {source.values} can be.", count=low)
    if source.values == "counts":
        broken = _cells(frame, numbers != numbers.round())
        if broken:
            notes.fatal(
                f"{place(frame)}: {broken} values are no whole numbers, but values: is counts. "
                "Give raw counts, or say values: tpm or values: log2.",
                count=broken,
            )


def _cells(frame: pl.DataFrame, wrong: pl.Expr) -> int:
    return int(sum(value or 0 for value in frame.select(wrong.sum()).row(0)))
