"""Read the files of one table as the study describes them: names, rows, samples, layout; all still text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.calendar_spans import months_between
from nociomics.ingest.chosen_rows import chosen_rows
from nociomics.ingest.content import UnreadableTable
from nociomics.ingest.decimal_marks import with_points
from nociomics.ingest.delimited import read_raw
from nociomics.ingest.notes import FILE, HIDDEN, ROW, Notes, Severity, listed, place
from nociomics.ingest.people import ID, has_id, without_empty_ids
from nociomics.ingest.repeated_rows import without_repeats
from nociomics.ingest.samples import joined_to_people
from nociomics.ingest.values import parsed_times
from nociomics.tables.study import TableSource, TimeBetween

BASELINE = "baseline"
_ONE_ROW_EACH = ("patients", "treatments", "outcomes")
_WITH_REPLICATES = ("biomarkers",)  # two equal rows are two wells that gave the same value
VISIT = "visit"


def read_source(source: TableSource, root: Path, notes: Notes) -> pl.DataFrame | None:
    """Read one file of a table, reshaped as its source says.

    Parameters
    ----------
    source : TableSource
        Path and description.
    root : Path
        Folder that the path is relative to.
    notes : Notes
        Takes every problem.

    Returns
    -------
    DataFrame or None
        Hidden ``__file`` and ``__row``, then text columns; rows without an id are left out (and fatal).
        None when the file cannot be used at all.
    """
    frame = open_source(source, root, notes)
    if frame is None:
        return None
    return of_people(described_rows(frame, source, notes), source, root, notes)


def of_people(frame: pl.DataFrame, source: TableSource, root: Path, notes: Notes) -> pl.DataFrame | None:
    """Give rows their person and choose columns; None when there is no way to tell whose rows they are."""
    if source.samples is not None:
        joined = joined_to_people(frame, source.samples, root, source, notes)
        if joined is None:
            return None
        frame = joined
    if not has_id(frame, notes):
        return None
    frame = described_columns(without_empty_ids(frame, notes), source, notes)
    # a list of samples says the same of a person once per sample
    return without_repeats(frame, notes) if source.repeats == "equal" and notes.table in _ONE_ROW_EACH else frame


def open_source(source: TableSource, root: Path, notes: Notes) -> pl.DataFrame | None:
    """Read one file as text with its own column names changed to ours; None after a fatal finding."""
    try:
        raw = read_raw(root / source.path, source, notes)
    except UnreadableTable as error:
        for problem in error.problems:
            notes.fatal(problem.message, column=problem.column, count=problem.count)
        return None
    frame = _without_blank_rows(raw.insert_column(0, pl.lit(source.path).alias(FILE)), notes)
    notes.step(source.path, "read", raw.height, frame.height, "rows of the file that hold anything")
    if notes.table not in _WITH_REPLICATES:
        frame = without_repeats(frame, notes)
    return _renamed(frame, source, notes, strict=not source.names_from)


def described_rows(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame:
    """Apply ``where``, ``values_map``, ``visits``, ``decimal``, ``derive`` and ``label``; look for ``as_text``."""
    before = frame.height
    frame = chosen_rows(frame, source.where, notes, "where", source.columns)
    if source.where:
        notes.step(source.path, "left out", before, frame.height, f"where: {listed(list(source.where))}")
    frame = _mapped_values(frame, source, notes)
    frame = _renamed_visits(frame, source, notes)
    _note_unknown(
        source.as_text,
        list(frame.columns) if not source.names_from else source.as_text,
        frame,
        notes,
        "as_text",
        "fatal",
    )
    frame = with_points(frame, source.decimal, source.as_text, notes)
    frame = frame.with_columns(
        [
            span
            for name, ends in source.derive.items()
            if (span := _time_between(frame, name, ends, source, notes)) is not None
        ]
    )
    return frame.with_columns([pl.lit(text).alias(name) for name, text in source.label.items()])


def described_columns(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame:
    """Apply ``names_from``, then ``keep`` and ``drop``."""
    frame = without_nameless(frame, notes)
    if source.names_from:
        frame = _renamed(_widened(frame, source, notes), source, notes, strict=False)
    names = [name for name in frame.columns if name not in (*HIDDEN, ID)]
    if source.keep is not None:
        _note_unknown([name for name in source.keep if name != ID], names, frame, notes, "keep", "fatal")
        wanted = set(source.keep)
        names = [name for name in names if name in wanted]
    _note_unknown([name for name in source.drop if "*" not in name], names, frame, notes, "drop", "warning")
    names = [name for name in names if not any(fnmatchcase(name, pattern) for pattern in source.drop)]
    return frame.select(*[name for name in HIDDEN if name in frame.columns], ID, *names)


def without_nameless(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Leave out a column without a name, which holds the row numbers of pandas or R nearly always."""
    if "" not in frame.columns:
        return frame
    notes.warning(
        f"{place(frame)}: a column without a name holds values and is left out. Name it in the file, or under "
        'columns: {"": its name}, if it is wanted.',
        count=1,
    )
    return frame.drop("")


def combined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame | None:
    """Put the files of one table together: below each other, or side by side.

    Files about the same people that share no other column are joined on the person; all others are
    concatenated, with null where a file lacks a column.
    """
    if not frames:
        return None
    whole = frames[0]
    for frame in frames[1:]:
        shared = set(whole.columns) & set(frame.columns) - {ID, *HIDDEN}
        same_people = bool(frame[ID].is_in(whole[ID].unique().to_list()).any())
        if not shared and same_people and frame[ID].is_unique().all() and whole[ID].is_unique().all():
            right = frame.drop(HIDDEN, strict=False)
            whole = whole.join(right, on=ID, how="full", coalesce=True, maintain_order="left_right")
        else:
            whole = pl.concat([whole, frame], how="diagonal_relaxed")
    return whole


def read_all(
    sources: Sequence[TableSource],
    root: Path,
    notes: Notes,
    part: Callable[[pl.DataFrame, TableSource], pl.DataFrame] | None = None,
) -> pl.DataFrame | None:
    """Read every file of a table, treat each with ``part``, and combine them; None when none could be read."""
    frames = []
    for source in sources:
        frame = read_source(source, root, notes)
        if frame is not None:
            frames.append(part(frame, source) if part else frame)
    return combined(frames)


def measured_at(source: TableSource, column: str) -> tuple[str, bool]:
    """When a column was measured, and whether the study says so for this very column.

    Returns
    -------
    str
        ``baseline`` or the study's word.
    bool
        True when a name or pattern other than ``default`` gave it.
    """
    if isinstance(source.measured_at, str):
        return source.measured_at, False
    if column in source.measured_at:
        return source.measured_at[column], True
    for pattern, word in source.measured_at.items():
        if pattern != "default" and fnmatchcase(column, pattern):
            return word, True
    return source.measured_at.get("default", BASELINE), False


def _without_blank_rows(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    columns = [name for name in frame.columns if name not in HIDDEN]
    blank = frame.select(pl.all_horizontal(pl.col(columns).is_null()).alias("blank"))["blank"]
    notes.rows("info", frame, blank, "hold nothing at all and are left out.")
    return frame.filter(~blank) if blank.any() else frame


def _renamed(frame: pl.DataFrame, source: TableSource, notes: Notes, *, strict: bool) -> pl.DataFrame:
    # Spaces around the file's names are cut when it is read, so a study may write them with or without.
    asked = {theirs if theirs in frame.columns else theirs.strip(): ours for theirs, ours in source.columns.items()}
    present = {theirs: ours for theirs, ours in asked.items() if theirs in frame.columns and theirs != ours}
    known = [name for name in frame.columns if name not in HIDDEN]
    if strict:
        _note_unknown(list(asked), known, frame, notes, "columns", "fatal")
    ours = [present.get(name, name) for name in frame.columns]
    twice = sorted({name for name in ours if ours.count(name) > 1}) if len(set(ours)) < len(ours) else []
    if twice:
        notes.fatal(
            f'{place(frame)}: after renaming, {len(twice)} columns have the same name (first: "{twice[0]}"). '
            "Correct columns:, one name for one column; a column of the file that has the name already is renamed too.",
            count=len(twice),
        )
        # The renamed column stays, the other of that name goes, so that reading can find further problems.
        frame = frame.drop([name for name in twice if name in frame.columns and name not in present])
        present = {theirs: name for theirs, name in present.items() if list(present.values()).count(name) == 1}
    return frame.rename(present)


def _note_unknown(
    names: Sequence[str], known: Sequence[str], frame: pl.DataFrame, notes: Notes, key: str, severity: Severity
) -> None:
    for name in names:
        if name not in known:
            message = (
                f'{place(frame)}: {key}: names the column "{name}", which the file lacks.{did_you_mean(name, known)}'
            )
            notes.add(severity, message, column=name, count=1)


def _mapped_values(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame:
    for name, mapping in source.values_map.items():
        column = source.columns.get(name, name)
        if column not in frame.columns:
            _note_unknown([name], frame.columns, frame, notes, "values_map", "fatal")
            continue
        wrong = frame[column].is_not_null() & ~frame[column].is_in([*mapping, *mapping.values()])
        notes.rows(
            "warning", frame, wrong, "hold a value that values_map does not name; it stays as it is.", column=column
        )
        frame = frame.with_columns(pl.col(column).replace(mapping))
    return frame


def _time_between(
    frame: pl.DataFrame, name: str, ends: TimeBetween, source: TableSource, notes: Notes
) -> pl.Series | None:
    """Years or months between two dates, as text like every other column; a negative one is fatal."""
    columns = [source.columns.get(end, end) for end in ends.ends]
    _note_unknown([end for end in columns if end not in frame.columns], frame.columns, frame, notes, "derive", "fatal")
    if any(end not in frame.columns for end in columns):
        return None
    unit = "years" if ends.years_from else "months"
    for end in columns:
        wrong = frame[end].is_not_null() & parsed_times(frame[end]).is_null()
        notes.rows("fatal", frame, wrong, f"are not dates (write 2026-01-31), so no {unit} follow.", column=end)
    months = months_between(parsed_times(frame[columns[0]]), parsed_times(frame[columns[1]]))
    negative = (months < 0).fill_null(False)
    notes.rows(
        "fatal", frame, negative, f'lie before "{columns[0]}", so "{name}" would be negative.', column=columns[1]
    )
    spans = (months / (12 if ends.years_from else 1)).round(3)
    return spans.zip_with(~negative, pl.Series([None], dtype=pl.Float64)).cast(pl.String).alias(name)


def _renamed_visits(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame:
    """Turn the file's words for visits into ours."""
    if not source.visits:
        return frame
    if VISIT not in frame.columns:
        names = [name for name in frame.columns if name not in HIDDEN]
        notes.fatal(
            f'{place(frame)}: visits: needs the column "{VISIT}".{did_you_mean(VISIT, names)} '
            f"Name it under columns: {{their name: {VISIT}}}.",
            column=VISIT,
        )
        return frame
    wrong = frame[VISIT].is_not_null() & ~frame[VISIT].is_in([*source.visits, *source.visits.values()])
    notes.rows("warning", frame, wrong, "are of a visit that visits: does not name; it stays as it is.", column=VISIT)
    return frame.with_columns(pl.col(VISIT).replace(source.visits))


def note_origins(frame: pl.DataFrame, table: str, source: TableSource, notes: Notes) -> pl.DataFrame:
    """Note for each column of a file, described already, which column of the file it came from; return the frame."""
    theirs = {ours: name for name, ours in source.columns.items()}
    theirs |= {name: "; ".join(ends.ends) for name, ends in source.derive.items()}
    for name in frame.columns:
        if name not in HIDDEN and name not in source.label:
            notes.came_from(table, name, source.path, theirs.get(name, name))
    return frame


def _widened(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame:
    """One row per person; the new columns are named by the values of ``names_from``, joined by an underscore."""
    value = source.columns.get(source.values_from or "", source.values_from or "")
    parts = [source.columns.get(name, name) for name in source.names_from]
    lacking = [name for name in (*parts, value) if name not in frame.columns]
    if lacking:
        _note_unknown(lacking, frame.columns, frame, notes, "names_from and values_from", "fatal")
        return frame.unique(ID, keep="first", maintain_order=True).select(*HIDDEN, ID)
    unnamed = frame.select(pl.any_horizontal(pl.col(parts).is_null()).alias("unnamed"))["unnamed"]
    notes.rows("fatal", frame, unnamed, f"have no value in {listed(parts)}, which names the new column.")
    named = frame.filter(~unnamed).with_columns(pl.concat_str(parts, separator="_").alias("__name"))
    again = ~named.select(pl.struct(ID, "__name").is_first_distinct()).to_series()
    notes.rows(
        "fatal",
        named,
        again,
        f"give a person a second value for the same {' and '.join(parts)}. "
        "Choose rows with where:, or name one more column under names_from:.",
        column=value,
    )
    wide = named.filter(~again).pivot(on="__name", index=ID, values=value, maintain_order=True)
    first = named.group_by(ID, maintain_order=True).agg(pl.col(FILE).first(), pl.col(ROW).first())
    return first.join(wide, on=ID, how="left", maintain_order="left").select(*HIDDEN, ID, pl.exclude(*HIDDEN, ID))
