"""Read a further numeric block: proteins, methylation, imaging, wearables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.ingest.detection import note_below_limit
from nociomics.ingest.leak_guard import baseline_columns, before_treatment, sounds_after_treatment, times_of
from nociomics.ingest.measured import ABOUT, Measured, note_suspect_codes, numbers_of, read_measured
from nociomics.ingest.notes import HIDDEN, Notes, place
from nociomics.ingest.number_cells import Single
from nociomics.ingest.people import ID, has_id, matched, once_each, without_empty_ids
from nociomics.ingest.samples import joined_to_people
from nociomics.ingest.sources import BASELINE, combined, described_columns, described_rows, open_source
from nociomics.ingest.transforms import transformed_values
from nociomics.tables.study import BlockSource

_FEATURE = "feature"
_LARGE_BYTES = 64 << 20
_Wanted = Callable[[pl.DataFrame, list[str]], list[str]]


def read_block(
    sources: Sequence[BlockSource],
    root: Path,
    people: pl.Series | None,
    treatments: pl.DataFrame | None,
    outcome: str | None,
    notes: Notes,
) -> pl.DataFrame | None:
    """Read the files of one block.

    Parameters
    ----------
    sources : sequence of BlockSource
        All with the same name.
    people : Series of String or None
        Ids of the study.
    treatments : DataFrame or None
        For the start of treatment, where samples have ``collected_at``.
    outcome : str or None
        Column that a block may not hold.

    Returns
    -------
    DataFrame or None, one row per person
        ``patient_id`` and Float64 columns, transformed as the source says; Float32 for a file of 64 MB or more.
    """
    parts = []
    for source in sources:
        found = _one_file(source, root, people, outcome, notes)
        if found is not None:
            parts.append(_prepared(found, source, treatments, notes))
    _compare_units(sources, root, notes)
    if not parts:
        return None
    if not any(part.names for part in parts):
        notes.fatal("no column of this block can be used.")
    return _one_table(parts, people, notes)


def _one_table(parts: Sequence[Measured], people: pl.Series | None, notes: Notes) -> pl.DataFrame:
    if len(parts) == 1:
        # Choosing people in the small table first spares copies of the large one.
        rows = matched(once_each(_with_places(parts[0].rows), notes), people, notes)
        return _kept(parts[0], rows).frame().drop(HIDDEN, strict=False)
    whole = combined([part.frame() for part in parts])
    assert whole is not None
    return matched(once_each(whole, notes), people, notes).drop(HIDDEN, strict=False)


def _prepared(found: Measured, source: BlockSource, treatments: pl.DataFrame | None, notes: Notes) -> Measured:
    """Leave out samples that were taken too late, and transform the others."""
    part = _kept(found, before_treatment(_with_places(found.rows), treatments, notes))
    notes.came_from(f"block_{source.name}", "*", source.path)
    if source.transform != "clr":
        note_suspect_codes(part, notes)
    values = transformed_values(part.values, part.names, part.rows, source.transform, notes)
    if source.transform != "none":
        notes.step(source.path, "converted", part.rows.height, part.rows.height, f"transform: {source.transform}")
    prepared = Measured(part.rows.drop(ABOUT, strict=False), part.names, values)
    return _median_each(prepared, source, notes) if source.replicates == "median" else prepared


def _median_each(part: Measured, source: BlockSource, notes: Notes) -> Measured:
    """Make one row of all samples of a person: the median of each value, over the samples that have it."""
    first = part.rows.with_row_index("__at").group_by(ID, maintain_order=True).agg(pl.col("__at"))
    several = first.filter(pl.col("__at").list.len() > 1)
    if several.is_empty():
        return part
    values = part.values[first["__at"].list.first().to_numpy()].copy()
    places = {patient: at for at, patient in enumerate(first[ID])}
    for patient, at in several.iter_rows():
        samples = part.values[at]
        known = ~np.isnan(samples).all(axis=0)
        values[places[patient]] = np.nan
        values[places[patient], known] = np.nanmedian(samples[:, known], axis=0)
    told = f"{source.path}: {several.height} people have several samples: the median is taken."
    notes.warning(told, count=several.height)
    rule = "replicates: the median of a person's samples"
    notes.step(source.path, "combined", part.rows.height, first.height, rule)
    return Measured(part.rows[first["__at"].list.first()], part.names, values)


def _with_places(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(__at=pl.int_range(pl.len()))


def _kept(part: Measured, rows: pl.DataFrame) -> Measured:
    return part.chosen(rows.drop("__at"), rows["__at"].to_numpy())


def _one_file(
    source: BlockSource, root: Path, people: pl.Series | None, outcome: str | None, notes: Notes
) -> Measured | None:
    def wanted(rows: pl.DataFrame, names: list[str]) -> list[str]:
        return _wanted(rows, names, source, outcome, notes)

    if source.names_from:
        return _long_file(source, root, wanted, notes)
    if source.lod_from is not None:
        note_below_limit(pl.DataFrame(), source, notes)
    found = read_measured(source, root, _FEATURE, people, notes, _kind(root / source.path, source, notes), wanted)
    return None if found is None else _each_once(found, notes)


def _wanted(rows: pl.DataFrame, names: list[str], source: BlockSource, outcome: str | None, notes: Notes) -> list[str]:
    """Choose what was measured at baseline. Only columns that there is something to say of are gone through singly."""
    times = times_of(names, [source])
    doubtful = [
        name for name, (word, _) in times.items() if name == outcome or word != BASELINE or sounds_after_treatment(name)
    ]
    left_out = set(doubtful) - set(baseline_columns(rows, doubtful, [source], notes, outcome))
    return [name for name in times if name not in left_out]


def _each_once(found: Measured, notes: Notes) -> Measured:
    """Refuse a feature that stands in two rows, and go on with its first."""
    places = {name: at for at, name in reversed(list(enumerate(found.names)))}
    again = len(found.names) - len(places)
    if not again:
        return found
    notes.fatal(
        f"{place(found.rows)}: {again} rows repeat a {_FEATURE} that stands above. Rename or remove them.", count=again
    )
    first = sorted(places.values())
    return replace(found, names=[found.names[at] for at in first], values=found.values[:, first])


def _kind(path: Path, source: BlockSource, notes: Notes) -> Single:
    """Measurements have fewer than seven digits: a very large file need not take twice the memory."""
    if not path.is_file() or path.stat().st_size < _LARGE_BYTES:
        return np.float64
    notes.info(f"{source.path}: is large, so its values are kept in single precision (7 digits).")
    return np.float32


def _long_file(source: BlockSource, root: Path, wanted: _Wanted, notes: Notes) -> Measured | None:
    """Read one row per measurement, and make it one row per person."""
    frame = open_source(source, root, notes)
    if frame is None:
        return None
    frame = described_rows(frame, source, notes)
    joined = frame if source.samples is None else joined_to_people(frame, source.samples, root, source, notes)
    if joined is None or not has_id(joined, notes):
        return None
    joined = without_empty_ids(joined, notes)
    note_below_limit(joined, source, notes)
    wide = described_columns(joined, source, notes)
    names = wanted(wide, [name for name in wide.columns if name not in (ID, *HIDDEN, *ABOUT)])
    about = [name for name in ABOUT if name in wide.columns]
    found = numbers_of(wide.select(*HIDDEN, ID, *about, *names), names, notes, np.float64)
    return _with_zeros(found, source, notes) if source.transform == "clr" else found


def _with_zeros(found: Measured, source: BlockSource, notes: Notes) -> Measured:
    """Read what a long table of counts leaves out as 0, when it leaves out every 0."""
    absent = np.isnan(found.values)
    count = int(absent.sum())
    if not count or (found.values == 0).any():
        return found
    notes.info(
        f"{source.path}: lists no count of 0, so {count} counts that it does not list were read as 0.", count=count
    )
    return replace(found, values=np.where(absent, 0.0, found.values))


def _compare_units(sources: Sequence[BlockSource], root: Path, notes: Notes) -> None:
    """Refuse to stack files in different units, unless their values stay within their own cohort."""
    if len(sources) < 2:
        return
    units = [_units(source, root) for source in sources]
    known = [found for found in units if found]
    if all(found == known[0] for found in known):
        return
    named = "; ".join(
        f"{source.path}: {', '.join(sorted(found))}" for source, found in zip(sources, units, strict=True) if found
    )
    within = {source.within for source in sources}
    if None in within:
        notes.fatal(
            f"its files report different units ({named}), and this program cannot convert them. Convert them first, or "
            "say within: COLUMN (a column of patients that tells the files apart) to standardise each on its own."
        )
    else:
        notes.warning(
            f"its files report different units ({named}). They are never put on one scale: values are standardised "
            f"within {', '.join(sorted(str(name) for name in within))}, and differences between these are lost.",
            count=len(sources),
        )


def _units(source: BlockSource, root: Path) -> frozenset[str]:
    """Units that the source declares, or that its own column ``unit`` holds."""
    if isinstance(source.unit, str):
        return frozenset({source.unit})
    if not source.names_from:
        return frozenset()
    raw = open_source(source, root, Notes("unit"))
    if raw is None or "unit" not in raw.columns:
        return frozenset()
    rows = described_rows(raw, source, Notes("unit"))
    return frozenset(rows["unit"].drop_nulls().str.strip_chars().unique().to_list())
