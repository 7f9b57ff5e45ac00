"""Read questionnaires: answers to items, wide or long, or scores that came scored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.leak_guard import sounds_after_treatment
from nociomics.ingest.notes import HIDDEN, Notes, listed, place
from nociomics.ingest.people import ID, matched, once_each
from nociomics.ingest.sources import BASELINE, measured_at, read_source
from nociomics.ingest.values import number_column
from nociomics.knowledge.instrument import Instrument, load_instruments, resolve_item
from nociomics.tables.study import TableSource

_BASELINE_VISITS = ("baseline", "v0", "0", "0.0", "screening", "pre")
_ABOUT = ("visit", "collected_at", "completed_at", "date", "sample_id")
_RESPONSES = {ID: pl.String, "visit": pl.String, "instrument": pl.String, "item": pl.String, "response": pl.Float64}
_SCORES = {ID: pl.String, "visit": pl.String, "instrument": pl.String, "scale": pl.String, "score": pl.Float64}
_KEEP_NAMED = 10


def read_questionnaires(
    sources: Sequence[TableSource], root: Path, people: pl.Series | None, notes: Notes
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read every file of answers or scores.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.

    Returns
    -------
    DataFrame, one row per answer
        As in the contract ``RESPONSES``; no rows when only scores came.
    DataFrame, one row per score
        As in the contract ``SCORES``; no rows when only answers came.
    """
    answers, scores = [pl.DataFrame(schema=_RESPONSES)], [pl.DataFrame(schema=_SCORES)]
    for source in sources:
        frame = read_source(source, root, notes)
        if frame is None:
            continue
        frame = matched(_with_visit(frame, source, notes), people, notes)
        if "score" in frame.columns and "scale" in frame.columns:
            scores.append(_scores(frame, notes))
        elif source.layout == "long" or (source.layout is None and {"item", "response"} <= set(frame.columns)):
            answers.append(_long_answers(frame, notes))
        else:
            answers.append(_wide_answers(frame, notes))
    responses = pl.concat(answers, how="diagonal_relaxed")
    scored = pl.concat(scores, how="diagonal_relaxed")
    key = (ID, "visit", "instrument")
    advice = "Keep one answer each, or add a visit column."
    responses = once_each(responses, notes, (*key, "item"), advice).select(list(_RESPONSES))
    return responses, once_each(scored, notes, (*key, "scale"), advice).select(list(_SCORES))


def _with_visit(frame: pl.DataFrame, source: TableSource, notes: Notes) -> pl.DataFrame:
    """Name the baseline visit ``baseline``; other visits keep their word and are no features."""
    word, _ = measured_at(source, "visit")
    if "visit" not in frame.columns:
        return frame.with_columns(pl.lit(word).alias("visit"))
    notes.rows("fatal", frame, frame["visit"].is_null(), "have no visit.", column="visit")
    frame = frame.filter(pl.col("visit").is_not_null())
    known = pl.col("visit").str.strip_chars().str.to_lowercase().is_in(list(_BASELINE_VISITS))
    frame = frame.with_columns(pl.when(known).then(pl.lit(BASELINE)).otherwise(pl.col("visit")).alias("visit"))
    other = frame["visit"] != BASELINE
    if other.all() and frame.height:
        notes.rows(
            "warning",
            frame,
            other,
            f"are of no baseline visit (a word such as {listed(list(_BASELINE_VISITS))}).",
            column="visit",
        )
    else:
        notes.rows("info", frame, other, "are of later visits and do not become features.", column="visit")
    return frame


def _wide_answers(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    parts = [pl.DataFrame(schema=_RESPONSES)]
    unknown = []
    for name in frame.columns:
        if name in (ID, *HIDDEN, *_ABOUT):
            continue
        found = resolve_item(name)
        if found is None:
            unknown.append(name)
            continue
        instrument, item = found
        response = _points(frame, name, load_instruments()[instrument], item, name, notes)
        parts.append(
            frame.select(*HIDDEN, ID, "visit", instrument=pl.lit(instrument), item=pl.lit(item), response=response)
        )
    _note_unknown_items(frame, unknown, notes)
    return pl.concat(parts, how="diagonal_relaxed")


def _note_unknown_items(frame: pl.DataFrame, unknown: list[str], notes: Notes) -> None:
    known = [column for instrument in load_instruments().values() for column in instrument.columns]
    for name in unknown[:_KEEP_NAMED]:
        where = f'{place(frame)}, column "{name}"'
        if sounds_after_treatment(name):
            notes.fatal(
                f"{where}: looks measured after treatment. Give it as rows with a visit, or leave it out (drop:).",
                column=name,
            )
            continue
        notes.fatal(
            f"{where}: is no item of a known questionnaire.{did_you_mean(name.lower(), known)} Items are called "
            f"<instrument>_<item>; instruments: {listed(list(load_instruments()), 60)}. Rename it under columns:, "
            "leave it out (drop:), or give it with the patients.",
            column=name,
        )
    if len(unknown) > _KEEP_NAMED:
        rest = len(unknown) - _KEEP_NAMED
        notes.fatal(f"{place(frame)}: {rest} further columns are no items of a known questionnaire.", count=rest)


def _long_answers(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    lacking = [name for name in ("item", "response") if name not in frame.columns]
    for name in lacking:
        notes.fatal(f'{place(frame)}: has no column "{name}".{did_you_mean(name, frame.columns)}', column=name)
    if lacking:
        return pl.DataFrame(schema=_RESPONSES)
    if "instrument" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("instrument"))
    pairs = frame.select("instrument", "item").unique(maintain_order=True)
    parts = [pl.DataFrame(schema=_RESPONSES)]
    for instrument_name, item_name in pairs.iter_rows():
        same = pl.col("instrument").eq_missing(pl.lit(instrument_name)) & pl.col("item").eq_missing(pl.lit(item_name))
        rows = frame.filter(same)
        found = _item(instrument_name, item_name)
        if found is None:
            _note_unknown_pair(rows, instrument_name, item_name, notes)
            continue
        instrument, item = found
        response = _points(rows, "response", load_instruments()[instrument], item, f"{instrument}_{item}", notes)
        parts.append(
            rows.select(*HIDDEN, ID, "visit", instrument=pl.lit(instrument), item=pl.lit(item), response=response)
        )
    return pl.concat(parts, how="diagonal_relaxed")


def _folded(word: str) -> str:
    return re.sub(r"[\s.-]+", "_", word.strip().lower())


def _instrument(name: str | None) -> Instrument | None:
    word = _folded(name or "")
    instruments = load_instruments()
    if word in instruments:
        return instruments[word]
    return next((found for found in instruments.values() if word in found.aliases), None)


def _item(instrument_name: str | None, item_name: str | None) -> tuple[str, str] | None:
    """Find an item by its own name, its number, or its wide column name."""
    if item_name is None:
        return None
    instrument = _instrument(instrument_name)
    if instrument is None:
        return resolve_item(item_name) if instrument_name is None else None
    if item_name in instrument.items:
        return instrument.id, item_name
    found = resolve_item(f"{instrument.id}_{item_name}") or resolve_item(item_name)
    return found if found is not None and found[0] == instrument.id else None


def _note_unknown_pair(rows: pl.DataFrame, instrument_name: str | None, item_name: str | None, notes: Notes) -> None:
    instrument = _instrument(instrument_name)
    if instrument is None and instrument_name is not None:
        near = did_you_mean(_folded(instrument_name), load_instruments())
        what = f'name the questionnaire "{instrument_name}", which is not known.{near} Known: '
        what += f"{listed(list(load_instruments()), 60)}."
        notes.rows("fatal", rows, pl.repeat(True, rows.height, eager=True), what, column="instrument")
        return
    known = [*(instrument.items if instrument else ()), *(instrument.columns if instrument else ())]
    near = did_you_mean(item_name or "", known)
    items = f" Its items: {listed(list(instrument.items), 60)}." if instrument else ""
    what = f'name the item "{item_name or ""}", which is not known.{near}{items}'
    notes.rows("fatal", rows, pl.repeat(True, rows.height, eager=True), what, column="item")


def _points(frame: pl.DataFrame, column: str, instrument: Instrument, item: str, shown: str, notes: Notes) -> pl.Series:
    """Turn answers into points; answers that the item does not allow are one fatal finding, never clipped."""
    definition = instrument.item(item)
    points: dict[str, float | None] = {}
    refused = []
    for answer in frame[column].drop_nulls().unique().to_list():
        try:
            points[answer] = definition.points(answer)
        except ValueError:
            refused.append(answer)
    what = (
        f'are outside what the item "{shown}" allows: {definition.allowed}. Correct them; nothing is cut to the range.'
    )
    notes.rows("fatal", frame, frame[column].is_in(refused), what, column=shown)
    return frame[column].replace_strict(points, default=None, return_dtype=pl.Float64)


def _scores(frame: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    lacking = [name for name in ("instrument",) if name not in frame.columns]
    for name in lacking:
        notes.fatal(f'{place(frame)}: has no column "{name}".{did_you_mean(name, frame.columns)}', column=name)
    if lacking:
        return pl.DataFrame(schema=_SCORES)
    frame = frame.with_columns(number_column(frame, "score", notes))
    pairs = frame.select("instrument", "scale").unique(maintain_order=True)
    parts = [pl.DataFrame(schema=_SCORES)]
    for instrument_name, scale_name in pairs.iter_rows():
        same = pl.col("instrument").eq_missing(pl.lit(instrument_name))
        rows = frame.filter(same & pl.col("scale").eq_missing(pl.lit(scale_name)))
        parts.append(_scale_rows(rows, instrument_name, scale_name, notes))
    return pl.concat(parts, how="diagonal_relaxed")


def _scale_rows(rows: pl.DataFrame, instrument_name: str | None, scale_name: str | None, notes: Notes) -> pl.DataFrame:
    instrument = _instrument(instrument_name)
    scale = _folded(scale_name or "")
    if instrument is None:
        _note_unknown_pair(rows, instrument_name or "", scale_name, notes)
        return pl.DataFrame(schema=_SCORES)
    everywhere = pl.repeat(True, rows.height, eager=True)
    if scale not in instrument.scales:
        near = did_you_mean(scale, instrument.scales)
        what = f'name the scale "{scale_name}", which {instrument.id} does not have.{near} '
        notes.rows("fatal", rows, everywhere, f"{what}Its scales: {', '.join(instrument.scales)}.", column="scale")
        return pl.DataFrame(schema=_SCORES)
    low, high = instrument.scales[scale].range
    outside = (rows["score"] < low) | (rows["score"] > high)
    what = f"are outside the range of {instrument.id} {scale}, {low:g} to {high:g}. Correct them."
    notes.rows("fatal", rows, outside, what, column="score")
    return rows.select(*HIDDEN, ID, "visit", "score", instrument=pl.lit(instrument.id), scale=pl.lit(scale))
