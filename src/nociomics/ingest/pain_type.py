"""Write the five usual words for a type of pain alike; every other word stays as the study has it."""

from __future__ import annotations

import polars as pl

from nociomics.ingest.notes import Notes

_WORDS = {
    **dict.fromkeys(("neuropathic", "neuropathic pain", "neuropathisch"), "neuropathic"),
    **dict.fromkeys(("inflammatory", "inflammatory pain", "entzündlich"), "inflammatory"),
    **dict.fromkeys(
        ("musculoskeletal", "musculoskeletal pain", "musculo-skeletal", "muskuloskelettal"), "musculoskeletal"
    ),
    **dict.fromkeys(("mixed", "mixed pain", "gemischt"), "mixed"),
    **dict.fromkeys(("unknown", "not known", "unbekannt"), "unknown"),
}


def with_usual_words(frame: pl.DataFrame, notes: Notes, column: str = "pain_type") -> pl.DataFrame:
    """Turn exact synonyms of neuropathic, inflammatory, musculoskeletal, mixed and unknown into these words.

    Case and spaces at the ends do not count. A missing value stays missing; "unknown" stays a category.

    Parameters
    ----------
    frame : DataFrame, one row per person
        With hidden columns; nothing happens without the column.
    """
    if column not in frame.columns:
        return frame
    text = frame[column]
    word = text.str.strip_chars().str.to_lowercase().replace_strict(_WORDS, default=None, return_dtype=pl.String)
    other = word.is_not_null() & (word != text)
    notes.rows(
        "info", frame, other, "write a usual word for the type of pain otherwise; it was unified.", column=column
    )
    return frame.with_columns(text.zip_with(~other.fill_null(False), word).alias(column))
