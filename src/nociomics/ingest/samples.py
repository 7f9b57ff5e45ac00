"""Say whose sample is whose: join a measured table to people through a table of samples."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.chosen_rows import chosen_rows
from nociomics.ingest.content import UnreadableTable
from nociomics.ingest.delimited import read_raw
from nociomics.ingest.notes import FILE, HIDDEN, ROW, Notes, Severity, place
from nociomics.ingest.people import ID
from nociomics.tables.study import SampleMap, TableSource

# Facts about a sample that every measured table may need, taken along without being asked for.
_CARRIED = ("batch", "collected_at")


def joined_to_people(
    frame: pl.DataFrame, samples: SampleMap, root: Path, source: TableSource, notes: Notes
) -> pl.DataFrame | None:
    """Give each row of a measured table its person.

    Parameters
    ----------
    frame : DataFrame, one row per sample or measurement
        Holds the sample column; a table that has ``patient_id`` instead is joined on that.
    samples : SampleMap
        Where the table of samples lies and what its columns are called.

    Returns
    -------
    DataFrame or None
        The rows of the chosen samples with ``patient_id`` and the carried columns; the sample column is gone.
        None when the two tables have no common sample column.
    """
    table = read_samples(samples, root, source, notes)
    if table is None:
        return None
    if table.columns[0] == "sample" and source.columns.get(samples.sample_id, samples.sample_id) in frame.columns:
        key = source.columns.get(samples.sample_id, samples.sample_id)
    elif ID in frame.columns:
        carried = table.filter("__chosen").drop("sample", "__chosen", strict=False)
        carried = carried.unique(ID, keep="first", maintain_order=True)
        if samples.where:
            frame = frame.filter(pl.col(ID).is_in(carried[ID].to_list()))
        return frame.join(_new_columns(carried, frame), on=ID, how="left", maintain_order="left")
    else:
        names = [name for name in frame.columns if name not in HIDDEN]
        if samples.sample_id in names:
            notes.fatal(
                f'{samples.path}: has no column "{samples.sample_id}". Name its columns under samples: '
                "{path: ..., sample_id: their sample column, patient_id: their person column}.",
                column=samples.sample_id,
            )
            return None
        notes.fatal(
            f'{place(frame)}: has no sample column "{samples.sample_id}", nor "{ID}".'
            f"{did_you_mean(samples.sample_id, names)} The sample column has the same name in both files.",
            column=samples.sample_id,
        )
        return None
    return _with_person(frame, table, key, samples, notes)


def _with_person(frame: pl.DataFrame, table: pl.DataFrame, key: str, samples: SampleMap, notes: Notes) -> pl.DataFrame:
    known = frame[key].is_in(table["sample"].to_list())
    what = f"belong to a sample that {samples.path} does not name; they are left out."
    strangers = frame.filter(~known.fill_null(False)).height
    severity: Severity = "fatal" if strangers == frame.height else "warning"
    notes.rows(severity, frame, ~known.fill_null(False), what, column=key)
    people = _new_columns(table, frame.drop(ID, strict=False))
    joined = frame.drop(ID, strict=False).join(
        people, left_on=key, right_on="sample", how="inner", maintain_order="left"
    )
    notes.rows(
        "info", joined, ~joined["__chosen"], f"belong to samples that where: of {samples.path} leaves out.", column=key
    )
    joined = joined.filter("__chosen")
    notes.rows(
        "warning", joined, joined[ID].is_null(), "belong to a sample without a person and are left out.", column=key
    )
    return joined.filter(pl.col(ID).is_not_null()).drop(key, "__chosen")


def _new_columns(table: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out what the measured table says itself."""
    return table.drop([name for name in table.columns if name in frame.columns and name not in (ID, "sample")])


def read_samples(samples: SampleMap, root: Path, source: TableSource, notes: Notes) -> pl.DataFrame | None:
    """Read a table of samples.

    Returns
    -------
    DataFrame or None, one row per sample
        ``sample`` (when the file has the column), ``patient_id``, ``__chosen`` (false where ``where`` leaves it
        out), then ``batch``, ``collected_at`` where there are any and the columns of ``keep``.
    """
    described = TableSource.model_validate({"path": samples.path, "missing": source.missing})
    try:
        raw = read_raw(root / samples.path, described, notes)
    except UnreadableTable as error:
        for problem in error.problems:
            notes.fatal(problem.message, count=problem.count)
        return None
    lacking = [name for name in (samples.patient_id, *samples.keep, *samples.where) if name not in raw.columns]
    names = [name for name in raw.columns if name not in HIDDEN]
    for name in lacking:
        notes.fatal(
            f'{samples.path}: has no column "{name}".{did_you_mean(name, names)} Name its columns under samples: '
            "{path: ..., sample_id: their sample column, patient_id: their person column}.",
            column=name,
        )
    if lacking:
        return None
    return _one_row_per_sample(raw.insert_column(0, pl.lit(samples.path).alias(FILE)), samples, notes)


def _one_row_per_sample(raw: pl.DataFrame, samples: SampleMap, notes: Notes) -> pl.DataFrame:
    chosen = chosen_rows(raw, samples.where, notes, "where of the samples", {})
    columns = {name: name for name in _CARRIED if name in raw.columns} | samples.keep
    picked = [pl.col(theirs).alias(ours) for theirs, ours in columns.items()]
    sample = [pl.col(samples.sample_id).alias("sample")] if samples.sample_id in raw.columns else []
    table = raw.select(
        *sample,
        pl.col(samples.patient_id).alias(ID),
        pl.col(ROW).is_in(chosen[ROW].to_list()).alias("__chosen"),
        *picked,
    )
    if not sample:
        return table
    first = pl.col(samples.patient_id).first().over(samples.sample_id)
    another = raw.select(pl.col(samples.sample_id).is_not_null() & pl.col(samples.patient_id).ne_missing(first))
    what = "give a sample to another person than a row above. Keep one person for each sample."
    notes.rows("fatal", raw, another.to_series(), what, column=samples.sample_id)
    return table.drop_nulls("sample").unique("sample", keep="first", maintain_order=True)
