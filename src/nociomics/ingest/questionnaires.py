"""Read questionnaires: answers to items, wide or long, or scores that came scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nociomics.errors import did_you_mean
from nociomics.ingest.notes import FILE, HIDDEN, Notes, place
from nociomics.ingest.people import ID, matched
from nociomics.ingest.questionnaire_names import Questionnaires, note_unknown_columns, note_unknown_pair
from nociomics.ingest.questionnaire_visits import (
    ANSWERED,
    DATES,
    baseline_before_treatment,
    note_idle_mapping,
    note_visits,
    visit_of_column,
    with_times,
    with_visit_words,
)
from nociomics.ingest.sources import measured_at, read_source
from nociomics.ingest.values import number_column
from nociomics.knowledge.instrument import Instrument, folded, load_instruments, resolve_item
from nociomics.knowledge.instrument_item import Item
from nociomics.tables.study import TableSource

_ABOUT = ("visit", *DATES, "sample_id")
_RESPONSES: dict[str, pl.DataType] = {
    **dict.fromkeys((ID, "visit", "instrument", "item"), pl.String()),
    "response": pl.Float64(),
    ANSWERED: pl.Datetime("us"),
}
_SCORES: dict[str, pl.DataType] = {
    **dict.fromkeys((ID, "visit", "instrument", "scale"), pl.String()),
    "score": pl.Float64(),
}
_PLACE = "__place"
_MOST_NAMED = 10
_ADVICE = "Keep one answer each, or give each its own visit."


@dataclass(frozen=True)
class _Reader:
    """What every reader of a questionnaire file needs."""

    known: Questionnaires
    treatments: pl.DataFrame | None
    notes: Notes


def read_questionnaires(
    sources: Sequence[TableSource],
    root: Path,
    people: pl.Series | None,
    notes: Notes,
    treatments: pl.DataFrame | None = None,
    instruments: Mapping[str, Instrument] | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read every file of answers or scores.

    Parameters
    ----------
    people : Series of String or None
        Ids of the study.
    treatments : DataFrame, optional
        With ``started_at``: no answer at baseline may be dated later.
    instruments : mapping of str to Instrument, optional
        The shipped instruments when left out; `instrument_file.load_with_own` adds the study's own.

    Returns
    -------
    DataFrame, one row per answer
        As in the contract ``RESPONSES``, with ``answered_at`` when any file dates its answers; no rows when only
        scores came.
    DataFrame, one row per score
        As in the contract ``SCORES``; no rows when only answers came.
    """
    reader = _Reader(Questionnaires.of(load_instruments() if instruments is None else instruments), treatments, notes)
    answers, scores = [pl.DataFrame(schema=_RESPONSES)], [pl.DataFrame(schema=_SCORES)]
    for source in sources:
        # Visits are translated here: in a wide table they may stand in the names of the columns.
        frame = read_source(source.model_copy(update={"visits": {}}), root, notes)
        if frame is None:
            continue
        frame = matched(frame, people, notes)
        note_idle_mapping(frame, source, notes)
        if "score" in frame.columns and "scale" in frame.columns:
            scores.append(_scores(_described(frame, source, reader), reader))
        elif source.layout == "long" or (source.layout is None and {"item", "response"} <= set(frame.columns)):
            answers.append(_long_answers(_described(frame, source, reader), reader))
        else:
            answers.append(_wide_answers(frame, source, reader))
    responses = _together(answers, "item", notes)
    if responses[ANSWERED].null_count() == responses.height:
        responses = responses.drop(ANSWERED)
    return responses, _together(scores, "scale", notes)


def _described(frame: pl.DataFrame, source: TableSource, reader: _Reader) -> pl.DataFrame:
    """Add visit and time of answering to the rows of a long table."""
    notes = reader.notes
    if "visit" in frame.columns:
        frame = with_visit_words(frame, source, notes)
    else:
        frame = frame.with_columns(pl.lit(measured_at(source, "visit")[0]).alias("visit"))
    note_visits(frame, notes)
    date = next((name for name in DATES if name in frame.columns), None)
    return baseline_before_treatment(with_times(frame, notes, date), reader.treatments, notes, date)


def _together(parts: Sequence[pl.DataFrame], name: str, notes: Notes) -> pl.DataFrame:
    """Put the answers of all files below each other; an item that stands in two files is compared."""
    parts = [part for part in parts if part.height] or list(parts[:1])
    if len(parts) == 1:
        return parts[0]
    pairs = Counter(pair for part in parts for pair in part.select("instrument", name).unique().iter_rows())
    shared = [pair for pair, files in pairs.items() if files > 1]
    whole = pl.concat(parts)
    if not shared:
        return whole
    twice = pl.DataFrame(shared, schema={"instrument": pl.String, name: pl.String}, orient="row")
    overlap = whole.join(twice, on=["instrument", name], how="semi", maintain_order="left")
    rest = whole.join(twice, on=["instrument", name], how="anti", maintain_order="left")
    return pl.concat([rest, _once(overlap, [ID, "visit", "instrument", name], notes)])


def _once(rows: pl.DataFrame, key: list[str], notes: Notes) -> pl.DataFrame:
    """Drop rows that repeat another in everything, and note rows that contradict one as fatal."""
    # Only rows whose keys share a hash are compared in full: hardly any, and the table may be long and wide.
    suspects = rows.select(key).hash_rows(seed=0).is_duplicated() if rows.height else pl.Series([], dtype=pl.Boolean)
    if not suspects.any():
        return rows
    said = [name for name in rows.columns if name not in HIDDEN]
    looked_at = rows.with_row_index(_PLACE).filter(suspects)
    repeats = looked_at.filter(~looked_at.select(pl.struct(said).is_first_distinct()).to_series())
    if repeats.height:
        what = f"{place(rows)}: {repeats.height} rows only repeat another row and are left out."
        notes.warning(what, count=repeats.height)
        rule = "the same row stands there already"
        notes.step(_file(rows), "left out", rows.height, rows.height - repeats.height, rule)
    others = looked_at.join(repeats.select(_PLACE), on=_PLACE, how="anti", maintain_order="left")
    again = ~others.select(pl.struct(key).is_first_distinct()).to_series()
    notes.rows("fatal", others, again, f"answer differently for the same {', '.join(key)}. {_ADVICE}", column=ID)
    left_out = pl.concat([repeats[_PLACE], others.filter(again)[_PLACE]])
    return (
        rows.with_row_index(_PLACE).join(left_out.to_frame(), on=_PLACE, how="anti", maintain_order="left").drop(_PLACE)
    )


def _file(frame: pl.DataFrame) -> str | None:
    return str(frame[FILE][0]) if FILE in frame.columns and frame.height else None


@dataclass(frozen=True)
class _ItemColumn:
    """A wide column: its item, and its visit when the name says so."""

    name: str
    instrument: str
    item: str
    visit: str | None


def _wide_answers(frame: pl.DataFrame, source: TableSource, reader: _Reader) -> pl.DataFrame:
    notes = reader.notes
    columns, unknown = _item_columns(frame, source, reader.known)
    note_unknown_columns(frame, unknown, reader.known, notes)
    columns = _one_column_each(frame, columns, notes)
    visits = list(dict.fromkeys(column.visit for column in columns if column.visit is not None))
    parts = [pl.DataFrame(schema=_RESPONSES)]
    for visit in [None, *visits]:
        named = [column for column in columns if column.visit == visit]
        if named:
            parts += _wide_visit(frame, named, visit, source, reader)
    for column in columns:
        notes.came_from("responses", f"{column.instrument}/{column.item}", _file(frame) or source.path, column.name)
    answers = pl.concat(parts)
    notes.step(_file(frame) or source.path, "converted", frame.height, answers.height, "one row per answer")
    return answers


def _item_columns(
    frame: pl.DataFrame, source: TableSource, known: Questionnaires
) -> tuple[list[_ItemColumn], list[str]]:
    """Find the item of every column; a visit at the end of its name counts only where the study maps it."""
    found, unknown = [], []
    for name in frame.columns:
        if name in (ID, *HIDDEN, *_ABOUT):
            continue
        own, split = resolve_item(name, known.columns), visit_of_column(name, source)
        if own is not None:
            word, named = measured_at(source, name)
            found.append(_ItemColumn(name, *own, word if named else None))
        elif split is not None and (item := resolve_item(split[0], known.columns)) is not None:
            found.append(_ItemColumn(name, *item, split[1]))
        elif split is None or split[0] not in DATES:
            unknown.append(name)
    return found, unknown


def _one_column_each(frame: pl.DataFrame, columns: list[_ItemColumn], notes: Notes) -> list[_ItemColumn]:
    """Note two columns for the same item and visit as fatal, and keep the first."""
    first: dict[tuple[str, str, str | None], _ItemColumn] = {}
    for column in columns:
        kept = first.setdefault((column.instrument, column.item, column.visit), column)
        if kept is not column:
            notes.fatal(
                f'{place(frame)}: the columns "{kept.name}" and "{column.name}" are both item {column.item} of '
                f"{column.instrument}. Leave one out (drop:), or name their visits (visits:).",
                column=column.name,
            )
    return list(first.values())


def _wide_visit(
    frame: pl.DataFrame, columns: list[_ItemColumn], visit: str | None, source: TableSource, reader: _Reader
) -> list[pl.DataFrame]:
    """Read the columns of one visit, or those whose visit the rows say."""
    notes = reader.notes
    if visit is not None:
        date = next((name for name in frame.columns if _is_date_of(name, visit, source)), None)
        # the study itself says which columns are of which visit: nothing to remark
        rows = frame.with_columns(pl.lit(visit).alias("visit"))
        rows = baseline_before_treatment(with_times(rows, notes, date), reader.treatments, notes, date)
    else:
        rows = _described(frame, source, reader)
    names = [column.name for column in columns]
    rows = _once(rows.select(*HIDDEN, ID, "visit", ANSWERED, *names), [ID, "visit"], notes)
    parts = []
    for column in columns:
        item = reader.known.instruments[column.instrument].item(column.item)
        facts = {"instrument": pl.lit(column.instrument), "item": pl.lit(column.item)}
        points = _points(rows, column.name, item, column.name, notes)
        parts.append(rows.select(ID, "visit", **facts, response=points, answered_at=pl.col(ANSWERED)))
    return parts


def _is_date_of(name: str, visit: str, source: TableSource) -> bool:
    found = visit_of_column(name, source)
    return found is not None and found[0] in DATES and found[1] == visit


def _points(frame: pl.DataFrame, column: str, item: Item, shown: str, notes: Notes) -> pl.Series:
    """Turn answers into points; answers that the item does not allow are one fatal finding, never clipped."""
    text = frame[column]
    if item.kind in ("integer", "number"):
        numbers = text.cast(pl.Float64, strict=False)
        fine = numbers.is_between(item.low, item.high)
        if item.kind == "integer":
            fine = fine & (numbers == numbers.floor())
        if numbers.null_count() == text.null_count() and fine.all():
            return numbers
    points: dict[str, float | None] = {}
    refused = []
    for answer in text.drop_nulls().unique().to_list():
        try:
            points[answer] = item.points(answer)
        except ValueError:
            refused.append(answer)
    notes.rows("fatal", frame, text.is_in(refused), _not_allowed(shown, item), column=shown)
    return text.replace_strict(points, default=None, return_dtype=pl.Float64)


def _not_allowed(shown: str, item: Item) -> str:
    return f'are outside what the item "{shown}" allows: {item.allowed}. Correct them; nothing is cut to the range.'


def _lacks(frame: pl.DataFrame, needed: Sequence[str], notes: Notes) -> bool:
    lacking = [name for name in needed if name not in frame.columns]
    for name in lacking:
        notes.fatal(f'{place(frame)}: has no column "{name}".{did_you_mean(name, frame.columns)}', column=name)
    return bool(lacking)


def _long_answers(frame: pl.DataFrame, reader: _Reader) -> pl.DataFrame:
    notes, known = reader.notes, reader.known
    if _lacks(frame, ("item", "response"), notes):
        return pl.DataFrame(schema=_RESPONSES)
    if "instrument" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("instrument"))
    meant = _meanings(frame, "item", known.item)
    _note_unknown(frame, meant, "item", note_unknown_pair, known, notes)
    rows = frame.join(meant, on=["instrument", "item"], how="left", nulls_equal=True, maintain_order="left")
    rows = rows.drop_nulls("ours_item").with_columns(instrument="ours_instrument", item="ours_item")
    rows = _long_points(rows, known, notes)
    rows = _once(rows.select(*HIDDEN, *_RESPONSES), [ID, "visit", "instrument", "item"], notes)
    file = _file(frame)
    if file is not None:
        notes.came_from("responses", "*", file, "response")
        notes.step(file, "converted", frame.height, rows.height, "answers to known items, as points")
    return rows.select(list(_RESPONSES))


def _meanings(
    frame: pl.DataFrame, name: str, meaning: Callable[[str | None, str | None], tuple[str, str] | None]
) -> pl.DataFrame:
    """Look every different pair of instrument and item (or scale) up once."""
    pairs = frame.select("instrument", name).unique(maintain_order=True)
    found = [meaning(instrument, word) or (None, None) for instrument, word in pairs.iter_rows()]
    schema = {"ours_instrument": pl.String, f"ours_{name}": pl.String}
    return pl.concat([pairs, pl.DataFrame(found, schema=schema, orient="row")], how="horizontal")


def _note_unknown(
    frame: pl.DataFrame,
    meant: pl.DataFrame,
    name: str,
    note: Callable[[pl.DataFrame, str | None, str | None, Questionnaires, Notes], None],
    known: Questionnaires,
    notes: Notes,
) -> None:
    """Note the first items (or scales) that no questionnaire has one by one, and count the others."""
    unknown = meant.filter(pl.col(f"ours_{name}").is_null()).select("instrument", name).rows()
    for instrument, word in unknown[:_MOST_NAMED]:
        note(_of_pair(frame, instrument, word, name), instrument, word, known, notes)
    rest = len(unknown) - _MOST_NAMED
    if rest > 0:
        notes.fatal(f"{place(frame)}: {rest} further {name}s are those of no known questionnaire.", count=rest)


def _of_pair(frame: pl.DataFrame, instrument: str | None, word: str | None, name: str) -> pl.DataFrame:
    same = pl.col("instrument").eq_missing(pl.lit(instrument, pl.String))
    return frame.filter(same & pl.col(name).eq_missing(pl.lit(word, pl.String)))


def _long_points(rows: pl.DataFrame, known: Questionnaires, notes: Notes) -> pl.DataFrame:
    """Turn the answers of a long table into points; each different answer to an item is read once."""
    different = rows.select("instrument", "item", "response").unique(maintain_order=True).drop_nulls("response")
    read = []
    for instrument, item, answer in different.iter_rows():
        try:
            read.append((instrument, item, answer, known.instruments[instrument].item(item).points(answer), False))
        except ValueError:
            read.append((instrument, item, answer, None, True))
    schema = {**{name: pl.String for name in different.columns}, "points": pl.Float64, "refused": pl.Boolean}
    table = pl.DataFrame(read, schema=schema, orient="row")
    joined = rows.join(table, on=different.columns, how="left", maintain_order="left")
    wrong = joined.filter(pl.col("refused"))
    for instrument, item in wrong.select("instrument", "item").unique(maintain_order=True).iter_rows():
        shown = f"{instrument}_{item}"
        bad = _of_pair(wrong, instrument, item, "item")
        definition = known.instruments[instrument].item(item)
        notes.rows("fatal", bad, bad["refused"], _not_allowed(shown, definition), column=shown)
    return joined.drop("response").rename({"points": "response"})


def _scores(frame: pl.DataFrame, reader: _Reader) -> pl.DataFrame:
    notes, known = reader.notes, reader.known
    if _lacks(frame, ("instrument",), notes):
        return pl.DataFrame(schema=_SCORES)
    frame = frame.with_columns(number_column(frame, "score", notes))

    def scale(instrument_name: str | None, scale_name: str | None) -> tuple[str, str] | None:
        instrument = known.instrument(instrument_name)
        word = folded(scale_name or "")
        return (instrument.id, word) if instrument is not None and word in instrument.scales else None

    meant = _meanings(frame, "scale", scale)
    _note_unknown(frame, meant, "scale", _note_unknown_scale, known, notes)
    rows = frame.join(meant, on=["instrument", "scale"], how="left", nulls_equal=True, maintain_order="left")
    rows = rows.drop_nulls("ours_scale").with_columns(instrument="ours_instrument", scale="ours_scale")
    for instrument, name in meant.drop_nulls("ours_scale").select("ours_instrument", "ours_scale").unique().iter_rows():
        low, high = known.instruments[instrument].scales[name].range
        same = (rows["instrument"] == instrument) & (rows["scale"] == name)
        outside = same & ((rows["score"] < low) | (rows["score"] > high))
        what = f"are outside the range of {instrument} {name}, {low:g} to {high:g}. Correct them."
        notes.rows("fatal", rows, outside, what, column="score")
    rows = _once(rows.select(*HIDDEN, *_SCORES), [ID, "visit", "instrument", "scale"], notes)
    file = _file(frame)
    if file is not None:
        notes.came_from("scores", "*", file, "score")
        notes.step(file, "read", frame.height, rows.height, "scores of known scales, as they came")
    return rows.select(list(_SCORES))


def _note_unknown_scale(
    rows: pl.DataFrame, instrument_name: str | None, scale_name: str | None, known: Questionnaires, notes: Notes
) -> None:
    instrument = known.instrument(instrument_name)
    if instrument is None:
        note_unknown_pair(rows, instrument_name or "", scale_name, known, notes)
        return
    near = did_you_mean(folded(scale_name or ""), instrument.scales)
    what = f'name the scale "{scale_name}", which {instrument.id} does not have.{near} '
    everywhere = pl.repeat(True, rows.height, eager=True)
    notes.rows("fatal", rows, everywhere, f"{what}Its scales: {', '.join(instrument.scales)}.", column="scale")
