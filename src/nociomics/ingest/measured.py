"""Read samples by measurements, whichever way round the file stands: who in a small table, numbers in one array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.chosen_rows import chosen_rows
from nociomics.ingest.matrix import Matrix, read_matrix
from nociomics.ingest.missing_codes import note_codes
from nociomics.ingest.notes import FILE, HIDDEN, ROW, Notes
from nociomics.ingest.number_cells import Single
from nociomics.ingest.people import ID, has_id, without_empty_ids
from nociomics.ingest.samples import joined_to_people, read_samples
from nociomics.ingest.sources import described_columns, described_rows, open_source, without_nameless
from nociomics.ingest.values import number_columns
from nociomics.tables.study import TableSource

ABOUT = ("batch", "collected_at", "plate", "sample_id")
_FEATURES = ("gene_id", "geneid", "id_ref", "probe_id")
# What featureCounts writes between the gene and its samples.
_ANNOTATION = ("Chr", "Start", "End", "Strand", "Length")
_TEXT = (
    "hold text where a number belongs. Correct them, or list missing:. "
    "A column that describes the rows is left out with drop:."
)
_COLUMNS_AT_ONCE = 64
_CODES = [int(digit * length) for digit in "789" for length in range(1, 7)]
_Choose = Callable[[pl.DataFrame, list[str]], list[str]]


@dataclass(frozen=True)
class Measured:
    """Measurements of samples.

    Attributes
    ----------
    rows : DataFrame, one row per sample
        ``__file``, ``__row``, ``patient_id`` and what is known about the sample: ``batch``, ``collected_at``...
    names : list of str
        What was measured.
    values : ndarray, shape (samples, names)
        NaN where missing. Any memory order: a file of genes in rows is not turned round.
    """

    rows: pl.DataFrame
    names: list[str]
    values: np.ndarray

    def chosen(self, rows: pl.DataFrame, at: np.ndarray) -> Measured:
        """Keep some samples: their rows, and their places in ``values``."""
        everyone = len(at) == len(self.values) and bool((at == np.arange(len(at))).all())
        return replace(self, rows=rows, values=self.values if everyone else self.values[at])

    def columns(self, names: Sequence[str]) -> Measured:
        """Keep the measurements of these names, in the order that they have."""
        wanted = set(names)
        stay = [place for place, name in enumerate(self.names) if name in wanted]
        if len(stay) == len(self.names):
            return self
        return replace(self, names=[self.names[place] for place in stay], values=self.values[:, stay])

    def frame(self) -> pl.DataFrame:
        """Everything as one wide table, one column per measurement; NaN is null."""
        return self.rows.hstack(columns_of(self.names, self.values)) if self.names else self.rows


def columns_of(names: Sequence[str], values: np.ndarray) -> list[pl.Series]:
    """Turn the columns of an array into Series, NaN into null: some columns at once, whatever the memory order."""
    made: list[pl.Series] = []
    for first in range(0, len(names), _COLUMNS_AT_ONCE):
        part = np.ascontiguousarray(values[:, first : first + _COLUMNS_AT_ONCE].T)
        gaps = np.isnan(part).any(axis=1)
        made += [
            pl.Series(name, column, nan_to_null=bool(gap))
            for name, column, gap in zip(names[first : first + _COLUMNS_AT_ONCE], part, gaps, strict=True)
        ]
    return made


def every_column(rows: pl.DataFrame, names: list[str]) -> list[str]:
    """Choose all columns."""
    return names


def read_measured(
    source: TableSource,
    root: Path,
    row_name: str,
    people: pl.Series | None,
    notes: Notes,
    kind: Single,
    choose: _Choose = every_column,
) -> Measured | None:
    """Read one file of people in rows, or of genes (proteins, sites...) in rows.

    Parameters
    ----------
    row_name : str
        Name of the column (after renaming) that shows that measurements stand in rows: ``gene`` or ``feature``.
        ID_REF of a GEO series matrix and the gene columns of counting programs mean the same.
    people : Series of String or None
        Ids of the study: they tell which way round a file stands whose first column has no name.
    kind : float32 or float64
        What the numbers become.
    choose : callable
        Given the rows and the names of the measurements, those that are wanted.

    Returns
    -------
    Measured or None
        Rows with an id, of the samples and columns that the source chooses. None after a fatal finding.
    """
    found = _from_matrix(source, root, row_name, people, notes, kind)
    if found is None:
        return _from_text(source, root, row_name, people, notes, kind, choose)
    if row_name in found.rows.columns and ID not in found.rows.columns:
        return _turned(found, source, root, row_name, notes, choose)
    return _of_people(found, source, root, notes, choose)


def _is_label(name: str, source: TableSource, row_name: str) -> bool:
    ours = source.columns.get(name, name)
    sample = {source.samples.sample_id} if source.samples is not None else set()
    looked_at = {*source.where, *source.values_map, *sample}
    labels = {ID, row_name, "", *ABOUT, *looked_at, *(source.columns.get(key, key) for key in looked_at)}
    return ours in labels or name in labels or name in _ANNOTATION or name.lower() in _FEATURES


def _from_matrix(
    source: TableSource, root: Path, row_name: str, people: pl.Series | None, notes: Notes, kind: Single
) -> Measured | None:
    """Read the fast way, the columns under our names; None when the reader of text has something to say."""
    if source.names_from or source.derive:
        return None
    matrix = read_matrix(root / source.path, source, lambda name: _is_label(name, source, row_name), kind)
    if matrix is None or not _fits(matrix, source):
        return None
    aside = Notes(notes.table)
    rows = matrix.labels.rename({name: new for name, new in source.columns.items() if name in matrix.labels.columns})
    rows = rows.insert_column(0, pl.lit(source.path).alias(FILE))
    names = [source.columns.get(name, name) for name in matrix.names]
    rows = _with_key(rows, names, source, root, row_name, people, aside)
    if row_name in rows.columns and ID not in rows.columns:
        known = {row_name, *HIDDEN, *source.where, *_annotation(rows.columns, source)}
        if not set(rows.columns) <= known:
            return None  # a column of samples that holds text
    if matrix.decimal_commas:
        aside.info(f"{source.path}: decimal commas were read as decimal points.", count=1)
    notes.findings += aside.findings
    notes.step(source.path, "read", rows.height, rows.height, "rows of labels and numbers")
    return Measured(rows, names, matrix.values)


def _fits(matrix: Matrix, source: TableSource) -> bool:
    """Whether what the study says of columns can be done."""
    labels = [name for name in matrix.labels.columns if name != ROW]
    names = [*labels, *matrix.names]
    ours = [source.columns.get(name, name) for name in names]
    looked_at = {source.columns.get(name, name) for name in (*source.where, *source.values_map)}
    return set(source.columns) <= set(names) and len(set(ours)) == len(ours) and looked_at <= set(ours[: len(labels)])


def _from_text(
    source: TableSource,
    root: Path,
    row_name: str,
    people: pl.Series | None,
    notes: Notes,
    kind: Single,
    choose: _Choose,
) -> Measured | None:
    """Read the slow way, which finds the rows that are wrong."""
    frame = open_source(source, root, notes)
    if frame is None:
        return None
    others = [name for name in frame.columns if name not in HIDDEN]
    frame = _with_key(frame, others[1:], source, root, row_name, people, notes)
    if row_name not in frame.columns or ID in frame.columns:
        return _of_text_rows(frame, source, root, notes, kind, choose)
    about = {*_annotation(frame.columns, source), *source.where, row_name, *HIDDEN}
    samples = [name for name in frame.columns if name not in about]
    # The column names are people: their text is counted without naming them.
    texts = pl.col(samples).cast(pl.String).str.strip_chars()
    numbers = frame.select(texts.cast(pl.Float64, strict=False))
    lost = frame.select(pl.any_horizontal(pl.col(name).is_not_null() & numbers[name].is_null() for name in samples))
    notes.rows("fatal", frame, lost.to_series(), _TEXT)
    whole = Measured(frame.drop(samples), samples, numbers.to_numpy().astype(kind))
    return _turned(whole, source, root, row_name, notes, choose)


def _of_text_rows(
    frame: pl.DataFrame, source: TableSource, root: Path, notes: Notes, kind: Single, choose: _Choose
) -> Measured | None:
    rows = _joined(described_rows(frame, source, notes), source, root, notes)
    if rows is None or not has_id(rows, notes):
        return None
    rows = described_columns(without_empty_ids(rows, notes), source, notes)
    every = [name for name in rows.columns if name not in (ID, *HIDDEN, *ABOUT)]
    names = choose(rows, every)
    return numbers_of(rows.drop(name for name in every if name not in set(names)), names, notes, kind)


def numbers_of(rows: pl.DataFrame, names: list[str], notes: Notes, kind: Single) -> Measured:
    """Turn the named text columns into numbers; what is no number is a finding."""
    if not names:
        return Measured(rows, [], np.empty((rows.height, 0), kind))
    texts = rows.select(names)
    numbers = texts.select(pl.all().cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False))
    pairs = zip(texts.get_columns(), numbers.get_columns(), strict=True)
    lost = [one.name for one, other in pairs if one.null_count() < other.null_count() or not other.is_finite().all()]
    if lost:
        again = number_columns(rows.select(*HIDDEN, *lost), lost, notes)
        numbers = numbers.with_columns(again.select(pl.col(lost).cast(pl.Float64)))
    return Measured(rows.drop(names), names, numbers.to_numpy().astype(kind))


def note_suspect_codes(whole: Measured, notes: Notes) -> None:
    """Warn of measurements that hold a usual code for missing (-9, 999) far outside their other values."""
    if not whole.values.size:
        return
    ends = np.fmin.reduce(whole.values, axis=0), np.fmax.reduce(whole.values, axis=0)
    suspect = np.isin(np.abs(ends), _CODES).any(axis=0)
    names = [whole.names[place] for place in np.flatnonzero(suspect)]
    if names:
        columns = columns_of(names, np.asarray(whole.values[:, suspect], dtype=np.float64))
        note_codes(whole.rows.select(HIDDEN).hstack(columns), names, notes)


def _with_key(
    frame: pl.DataFrame,
    others: Sequence[str],
    source: TableSource,
    root: Path,
    row_name: str,
    people: pl.Series | None,
    notes: Notes,
) -> pl.DataFrame:
    """Give the first column its name where the file calls it otherwise, or not at all."""
    sample = source.samples.sample_id if source.samples is not None else ID
    if {row_name, ID, sample} & set(frame.columns):
        return frame
    known = next((name for name in frame.columns if name.lower() in _FEATURES), None)
    if known is not None:
        return frame.rename({known: row_name})
    if "" not in frame.columns:
        return frame
    ids = _known_ids(source, root, people)
    people_above, people_beside = len(ids & set(others)), int(frame[""].is_in(list(ids)).sum())
    if not people_above and not people_beside:
        return frame
    name = row_name if people_above > people_beside else sample
    meaning = f"{row_name}s, with people or samples as columns" if name == row_name else "people or samples"
    notes.info(f"{source.path}: the first column has no name; its rows were read as {meaning}.", count=1)
    return frame.rename({"": name})


def _known_ids(source: TableSource, root: Path, people: pl.Series | None) -> set[str]:
    if source.samples is None:
        return set() if people is None else set(people.to_list())
    table = read_samples(source.samples, root, source, Notes("samples"))
    return set() if table is None or "sample" not in table.columns else set(table["sample"].to_list())


def _annotation(columns: Sequence[str], source: TableSource) -> list[str]:
    """Columns of a file of genes in rows that describe the gene."""
    return [name for name in columns if name in _ANNOTATION or name in source.drop]


def _turned(
    whole: Measured, source: TableSource, root: Path, row_name: str, notes: Notes, choose: _Choose
) -> Measured | None:
    """Turn measurements in rows round; the column names become the sample (or person) column."""
    rows, names, values = whole.rows, whole.names, whole.values
    nameless = rows[row_name].is_null()
    notes.rows("fatal", rows, nameless, f"name no {row_name}.", column=row_name)
    kept = chosen_rows(rows.with_row_index("__at").filter(~nameless), source.where, notes, "where", source.columns)
    if kept.height < rows.height:
        values = values[kept["__at"].to_numpy()]
    dropped = _annotation([*names, *rows.columns], source)
    if set(dropped) & set(names):
        stay = [place for place, name in enumerate(names) if name not in set(dropped)]
        names, values = [names[place] for place in stay], values[:, stay]
    key = source.samples.sample_id if source.samples is not None else ID
    numbers = np.arange(1, len(names) + 1)
    people = pl.DataFrame({FILE: pl.repeat(source.path, len(names), eager=True), ROW: numbers, key: names})
    notes.step(source.path, "turned round", rows.height, people.height, f"{row_name}s stand in rows, people in columns")
    turned = Measured(people, kept[row_name].to_list(), values.T)
    # What these keys say of rows and columns of the file is done; the rest of drop: names measurements.
    rest = [name for name in source.drop if name not in set(dropped)]
    done = source.model_copy(update={"where": {}, "values_map": {}, "label": {}, "drop": rest})
    return _of_people(turned, done, root, notes, choose)


def _of_people(whole: Measured, source: TableSource, root: Path, notes: Notes, choose: _Choose) -> Measured | None:
    """Choose samples and columns as the source says. Only the small table of samples is worked on."""
    rows = described_rows(whole.rows.with_columns(__at=pl.int_range(pl.len())), source, notes)
    joined = _joined(rows, source, root, notes)
    if joined is None or not has_id(joined, notes):
        return None
    joined = without_empty_ids(joined, notes)
    chosen = whole.chosen(joined.drop("__at"), joined["__at"].to_numpy())
    return _chosen_columns(chosen, source, notes, choose)


def _joined(rows: pl.DataFrame, source: TableSource, root: Path, notes: Notes) -> pl.DataFrame | None:
    return rows if source.samples is None else joined_to_people(rows, source.samples, root, source, notes)


def _chosen_columns(whole: Measured, source: TableSource, notes: Notes, choose: _Choose) -> Measured:
    """Apply ``keep`` and ``drop`` to the names; further columns of the sample table become measurements too."""
    rows = without_nameless(whole.rows.drop([name for name in whole.rows.columns if name in set(whole.names)]), notes)
    every = [name for name in rows.columns if name not in (ID, *HIDDEN, *ABOUT)]
    if (source.keep is not None or source.drop) and rows.height:
        probe = pl.DataFrame({name: [None] for name in dict.fromkeys(whole.names)})
        kept = set(described_columns(rows.head(1).hstack(probe), source, notes).columns)
        rows = rows.select(*HIDDEN, ID, *(name for name in rows.columns if name in kept - {ID, *HIDDEN}))
        every = [name for name in every if name in kept]
        whole = whole.columns([name for name in whole.names if name in kept])
    wanted = set(choose(rows, [*every, *whole.names]))
    whole = whole.columns([name for name in whole.names if name in wanted])
    further = [name for name in every if name in wanted]
    rows = rows.drop(name for name in every if name not in wanted)
    if not further:
        return replace(whole, rows=rows)
    aside = numbers_of(rows, further, notes, whole.values.dtype.type)
    return Measured(aside.rows, [*further, *whole.names], np.hstack([aside.values, whole.values]))
