"""Match the ids of a table with the people of the study: exactly, and with a hint when nearly."""

from __future__ import annotations

from difflib import get_close_matches

import polars as pl

from nociomics.ingest.notes import FILE, Notes, place

ID = "patient_id"
_PERSON_WORDS = frozenset(
    "id pid iid subject subjectid pat patid patient patientid patientnr participant participantid person personid "
    "record recordid studyid subjid usubjid seqn case caseid".split()
)
"""What clinics call the column of people, in small letters without marks."""
_SAMPLE_WORDS = frozenset("sample sampleid specimen specimenid barcode run runid".split())
_ROW_NAMES = {"expression": "gene", "block": "feature"}
_SURE = 0.8
_NEAR = (
    ("spaces at their ends were cut", pl.element().str.strip_chars()),
    ("upper and lower case were the same", pl.element().str.to_lowercase()),
    ("leading zeros were cut", pl.element().str.strip_chars_start("0")),
    ('a trailing ".0" were cut', pl.element().str.strip_suffix(".0")),
)


def has_id(frame: pl.DataFrame, notes: Notes) -> bool:
    """Note a fatal finding when the table has no person column."""
    if ID in frame.columns:
        return True
    # Columns are not listed: in a file without a header, or with genes in rows, their names are people's ids.
    words = [name for name in frame.columns if not any(sign.isdigit() for sign in name)]
    notes.fatal(
        f'{place(frame)}: has no column "{ID}" in its first line, which is the header.{_likely(words)} '
        f"Name the person column under columns: {{their name: {ID}}}{_or_nameless(frame)}.{_or_turned(notes.table)}",
        column=ID,
    )
    return False


def _likely(words: list[str]) -> str:
    """Point to the column that is called as people are elsewhere, else to the nearest name."""
    plain = {"".join(sign for sign in word.lower() if sign.isalnum()): word for word in reversed(words)}
    likely = next((word for short, word in plain.items() if short in _PERSON_WORDS), None)
    if likely is not None:
        return f' Is it "{likely}"?'
    near = get_close_matches(ID, words, n=1, cutoff=_SURE)  # below that it would point to protein_id
    if near:
        return f' Did you mean "{near[0]}"?'
    sample = next((word for short, word in plain.items() if short in _SAMPLE_WORDS), None)
    if sample is None:
        return ""
    return f' Its rows seem to be samples ("{sample}"): give samples:, a table that says whose they are.'


def _or_turned(table: str) -> str:
    """Name the other way round that a table of measurements may stand."""
    name = _ROW_NAMES.get(table.split(" ")[0])
    return "" if name is None else f" Where {name}s stand in rows, name their column: {{their name: {name}}}."


def _or_nameless(frame: pl.DataFrame) -> str:
    nameless = "" in frame.columns and frame[""].null_count() < frame.height
    return f'; a column without a name is {{"": {ID}}}' if nameless else ""


def without_empty_ids(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Note rows without an id as fatal, and return the others."""
    empty = frame[ID].is_null()
    notes.rows("fatal", frame, empty, "have no id. Complete it or remove these rows.", column=ID)
    return frame.filter(~empty) if empty.any() else frame


def once_each(frame: pl.DataFrame, notes: Notes, key: tuple[str, ...] = (ID,), advice: str = "") -> pl.DataFrame:
    """Note rows that repeat a key as fatal, and return each key's first row.

    Parameters
    ----------
    key : tuple of str
        Columns that may appear once together.
    advice : str
        How to mend it, for this kind of table.
    """
    again = (
        ~frame.select(pl.struct(key).is_first_distinct()).to_series()
        if frame.height
        else pl.Series([], dtype=pl.Boolean)
    )
    what = "repeat an id that stands above" if key == (ID,) else f"repeat a combination of {', '.join(key)}"
    notes.rows("fatal", frame, again, f"{what}. {advice or 'Keep one row per person.'}", column=ID)
    return frame.filter(~again) if again.any() else frame


def matched(frame: pl.DataFrame, people: pl.Series | None, notes: Notes) -> pl.DataFrame:
    """Keep the rows of the study's people, and say how many ids are of nobody.

    Fewer than half of the ids matching is fatal, unless the table holds at least half of the study's people
    (a biobank's table beside a small study).

    Parameters
    ----------
    frame : DataFrame
        With ``patient_id``.
    people : Series of String or None
        Ids of the table patients; None when that table could not be read (then nothing is compared).
    """
    if people is None or frame.height == 0:
        return frame
    known = frame[ID].is_in(people.to_list())
    rows, ids = int(known.sum()), frame.filter(known)[ID].n_unique()
    hint = _near_hint(frame[ID].filter(~known).unique(), people)
    all_ids = frame[ID].n_unique()
    if ids == 0 or (ids < all_ids / 2 and ids < people.n_unique() / 2):
        notes.fatal(
            f"{place(frame, ID)}: {rows or 'none'} of {frame.height} rows match an id of the table patients."
            f"{hint} Ids are compared as they are written; use the same ids in both tables{_or_map(notes.table)}.",
            column=ID,
            count=frame.height - rows,
        )
    elif rows < frame.height:
        what = f"have an id that is not in the table patients and are left out.{hint}"
        notes.rows("warning", frame, ~known, what, column=ID)
    kept = frame if rows == frame.height else frame.filter(known)
    notes.step(_only_file(frame), "matched", frame.height, rows, "rows of people of the table patients")
    _count_absent(kept, people, notes)
    return kept


def _or_map(table: str) -> str:
    """Name the table of samples, where laboratories write their own names."""
    own = table in ("genotype", "expression") or table.startswith("block ")
    return ", or give samples:, a table of sample_id and patient_id" if own else ""


def _only_file(frame: pl.DataFrame) -> str | None:
    """Return the file of all rows, or None when there are several."""
    files = frame[FILE].unique().to_list() if FILE in frame.columns else []
    return str(files[0]) if len(files) == 1 else None


def _count_absent(frame: pl.DataFrame, people: pl.Series, notes: Notes) -> None:
    absent = people.n_unique() - frame[ID].n_unique()
    if absent and frame.height:
        notes.info(f"{absent} of {people.n_unique()} people have no row in this table.", column=ID, count=absent)


def _near_hint(strangers: pl.Series, people: pl.Series) -> str:
    """Say what would make more ids match, without doing it."""
    if strangers.is_empty():
        return ""
    best, words = 0, ""
    for meaning, change in _NEAR:
        ours = _changed(people, change)
        near = int(_changed(strangers, change).is_in(ours.unique().to_list()).sum())
        if near > best:
            best, words = near, f" {near} more ids would match if {meaning}: correct one of the tables."
    return words


def _changed(ids: pl.Series, change: pl.Expr) -> pl.Series:
    return pl.DataFrame({"ids": ids.implode()}).select(pl.col("ids").list.eval(change)).to_series().explode()
