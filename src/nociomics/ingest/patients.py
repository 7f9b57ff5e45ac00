"""Read the people of a study and their covariates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.ingest.leak_guard import baseline_columns, times_of
from nociomics.ingest.notes import HIDDEN, Notes
from nociomics.ingest.pain_type import with_usual_words
from nociomics.ingest.people import ID, once_each
from nociomics.ingest.sources import note_origins, read_all
from nociomics.ingest.values import ALWAYS_NUMBERS, is_time_column, not_numbers, number_column, with_decimal_points
from nociomics.tables.ingested import HARM_WEIGHT
from nociomics.tables.study import TableSource

_WORDS = ("sex", "site", "ancestry", "pain_type")
_SEX = {
    **dict.fromkeys(("f", "female", "w", "woman", "weiblich", "femme"), "F"),
    **dict.fromkeys(("m", "male", "man", "männlich", "homme"), "M"),
}
_OLDEST = 130


def read_patients(
    sources: Sequence[TableSource], root: Path, notes: Notes, groups: str | None = None
) -> pl.DataFrame | None:
    """Read the table of people: numbers as Float64, everything else as text.

    Parameters
    ----------
    groups : str or None
        Column that stays text whatever it holds, since it only names groups.

    Returns
    -------
    DataFrame or None, one row per person
        Hidden columns, ``patient_id``, and every column of the files; None when no file could be read.
    """
    frame = read_all(sources, root, notes, lambda part, source: note_origins(part, "patients", source, notes))
    if frame is None:
        return None
    frame = once_each(frame, notes)
    words = {*_WORDS, *([groups] if groups else []), *(name for source in sources for name in source.as_text)}
    columns = [name for name in frame.columns if name not in (ID, *HIDDEN)]
    frame = frame.with_columns([_typed(frame, name, name in words, notes) for name in columns])
    if "sex" in frame.columns:
        frame = frame.with_columns(_sex(frame["sex"]))
    frame = with_usual_words(frame, notes)
    if "age" in frame.columns:
        odd = (frame["age"] < 0) | (frame["age"] > _OLDEST)
        notes.rows("fatal", frame, odd, f"are outside 0 to {_OLDEST} years.", column="age")
        frame = frame.with_columns(pl.when(odd).then(None).otherwise(pl.col("age")).alias("age"))
    return _with_sound_weights(frame, notes)


def _with_sound_weights(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """Note people's own weights of harm that are no weights, and take them away."""
    if HARM_WEIGHT not in frame.columns:
        return frame
    odd = (frame[HARM_WEIGHT] < 0) | ~frame[HARM_WEIGHT].is_finite()
    notes.rows(
        "fatal",
        frame,
        odd,
        "are negative or not finite. A weight is 0 or more: the benefit that one adverse event outweighs for this "
        "person. Leave the cell empty where it is not known.",
        column=HARM_WEIGHT,
    )
    return frame.with_columns(pl.when(~odd).then(pl.col(HARM_WEIGHT)).alias(HARM_WEIGHT))


def covariates(
    frame: pl.DataFrame, sources: Sequence[TableSource], notes: Notes, outcome: str | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Choose the columns of people that may become features.

    Returns
    -------
    DataFrame, one row per person
        ``patient_id``, the covariates measured at baseline, and ``harm_weight`` where there is one, which is none.
    DataFrame, one row per covariate
        As in the contract ``COVARIATES``.
    """
    dates = [name for name in frame.columns if frame[name].dtype == pl.String and is_time_column(frame[name])]
    for name in dates:
        if name not in (ID, *HIDDEN):
            notes.info(f'column "{name}": holds dates and does not become a covariate.', column=name)
    if HARM_WEIGHT in frame.columns:
        notes.info(
            f'column "{HARM_WEIGHT}": is each person\'s own weight of harm and does not become a covariate; it orders '
            "the options where the study names target.adverse_event.",
            column=HARM_WEIGHT,
        )
    candidates = [name for name in frame.columns if name not in (ID, HARM_WEIGHT, *HIDDEN, *dates)]
    kept = baseline_columns(frame, candidates, sources, notes, outcome)
    said = times_of(kept, sources)
    rows = {"column": kept, "measured_at": [said[name][0] for name in kept]}
    table = pl.DataFrame(rows, schema={"column": pl.String, "measured_at": pl.String})
    return frame.select(ID, *kept, *(name for name in (HARM_WEIGHT,) if name in frame.columns)), table


def _typed(frame: pl.DataFrame, name: str, is_word: bool, notes: Notes) -> pl.Series:
    """Take a column as numbers when its values are, or when most are (then the others are fatal)."""
    text = frame[name]
    if is_word:
        return text
    present = len(text) - text.null_count()
    wrong = int(not_numbers(text).sum())
    if name in ALWAYS_NUMBERS or wrong == 0 or wrong < present / 2 or with_decimal_points(text) is not None:
        return number_column(frame, name, notes)
    return text


def _sex(text: pl.Series) -> pl.Series:
    word = text.str.strip_chars().str.to_lowercase()
    return pl.DataFrame({"word": word, "text": text}).select(
        pl.coalesce(pl.col("word").replace_strict(_SEX, default=None), "text").alias("sex")
    )["sex"]
