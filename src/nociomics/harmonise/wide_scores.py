"""Questionnaire scores straight from a wide table of answers, as streaming expressions: no reshaping, any size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from nociomics.errors import TableError
from nociomics.harmonise.answer_points import answer_points, answer_words, is_text, refused, stored_bounds
from nociomics.harmonise.instrument_scores import (
    OUTPUT,
    different_answers,
    refusal,
    refused_answers,
    repeated_rows,
)
from nociomics.harmonise.scale_expressions import counted, n_valid, scale_results, score
from nociomics.knowledge.instrument import item_columns, resolve_item
from nociomics.knowledge.value_set import load_value_set

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nociomics.knowledge.instrument import Instrument
    from nociomics.tables.finding import Finding

_ROW = "__row"
PARTS = ("score", "n_valid", "prorated", "band", "status", "flags")


@dataclass(frozen=True)
class WideAnswers:
    """A wide table of answers.

    Attributes
    ----------
    frame : LazyFrame, one row per person (and visit)
        ``patient_id``, perhaps ``visit``, and columns of answers of any type; further columns are not looked at.
    items : dict of str to (Instrument, str)
        Column -> instrument and item.
    left_out : tuple of int
        Rows, from 0, that only repeat another row; see `checked_answers`.
    """

    frame: pl.LazyFrame
    items: dict[str, tuple[Instrument, str]]
    left_out: tuple[int, ...] = field(default=(), repr=False)

    @property
    def key(self) -> list[str]:
        """Columns that name a row."""
        return [name for name in ("patient_id", "visit") if name in self.frame.collect_schema().names()]

    @property
    def instruments(self) -> dict[str, Instrument]:
        """Instruments of which there is at least one item, in the order of the columns."""
        return {instrument.id: instrument for instrument, _ in self.items.values()}


def wide_answers(frame: pl.LazyFrame, instruments: Mapping[str, Instrument]) -> WideAnswers:
    """Find the items of some instruments among the columns of a wide table.

    Raises
    ------
    TableError
        When two columns hold the same item; when there is none.
    """
    known = item_columns(instruments)
    items: dict[str, tuple[Instrument, str]] = {}
    for name in frame.collect_schema().names():
        found = resolve_item(name, known)
        if found is None:
            continue
        item = (instruments[found[0]], found[1])
        if item in items.values():
            first = next(column for column, other in items.items() if other == item)
            raise TableError(f'the columns "{first}" and "{name}" both hold the item {found[1]} of {found[0]}.')
        items[name] = item
    if not items:
        names = ", ".join(instruments)
        raise TableError(f"No column is an item of {names}. Name them <instrument>_<item>, or give a long table.")
    return WideAnswers(frame, items)


def _named(instrument: Instrument, item: str) -> str:
    return f"{instrument.id}:{item}"


def _with_all_points(answers: WideAnswers, frame: pl.LazyFrame) -> tuple[pl.LazyFrame, dict[str, pl.Expr]]:
    """Add one column of points per item to rows of the table, and say which of them are refused."""
    schema = answers.frame.collect_schema()
    words, points, marks = [], [], {}
    for name, (instrument, item_id) in answers.items.items():
        item, point = instrument.items[item_id], _named(instrument, item_id)
        answer = pl.col(name)
        if is_text(schema[name], item):
            words.append(answer_words(name, item).alias(f"word:{name}"))
            answer = pl.col(f"word:{name}")
        points.append(answer_points(answer, schema[name], item).alias(point))
        bounds = stored_bounds(schema[name], item)
        # Where the numbers stand in the file itself, its own statistics can tell that none is refused.
        outside = (pl.col(name) < bounds[0]) | (pl.col(name) > bounds[1]) if bounds else refused(pl.col(point), item)
        marks[name] = outside
    return frame.with_columns(words).with_columns(points), marks


def _small_type(instrument: Instrument, dtype: pl.DataType, item: str) -> pl.DataType:
    """Choose the type of points: the smallest that holds every sum of a scale, Float64 where a fraction may occur."""
    kinds = {entry.kind for entry in instrument.items.values()}
    if not dtype.is_integer() or kinds - {"integer", "boolean"}:
        return pl.Float64()
    sums = [
        sum(abs(instrument.items[name].low) + abs(instrument.items[name].high) for name in scale.items)
        for scale in instrument.scales.values()
    ]
    largest = max([*sums, abs(instrument.items[item].high), len(instrument.items)])
    return pl.Int8() if largest < 2**7 else pl.Int16() if largest < 2**15 else pl.Float64()


def _points_to_score(answers: WideAnswers) -> pl.LazyFrame:
    """Key columns and one small column of points per item, without the rows that are left out."""
    frame = answers.frame
    if answers.left_out:
        rows = pl.Series(answers.left_out, dtype=pl.UInt32).implode()
        frame = _numbered(frame).filter(~pl.col(_ROW).is_in(rows))
    schema = answers.frame.collect_schema()
    frame, _ = _with_all_points(answers, frame)
    points = [
        pl.col(_named(instrument, item)).cast(_small_type(instrument, schema[name], item))
        for name, (instrument, item) in answers.items.items()
    ]
    return frame.select(*[pl.col(name).cast(pl.String) for name in answers.key], *points)


def _numbered(frame: pl.LazyFrame) -> pl.LazyFrame:
    return frame.with_row_index(_ROW)


def checked_answers(answers: WideAnswers) -> tuple[WideAnswers, list[Finding]]:
    """Refuse answers that are not allowed, and find the rows that repeat another.

    The table is read as a stream, of which one number is kept for each row; only rows that are wrong or seem to be
    repeated are held in memory.

    Returns
    -------
    WideAnswers
        With ``left_out`` set.
    list of Finding
        How many rows were left out as mere repetitions.

    Raises
    ------
    TableError
        With one line for every problem: rows without a person or visit, answers that are not allowed, rows of one
        person (and visit) that answer differently.
    """
    problems = _empty_keys(answers)
    problems += _refused(answers)
    left_out, contradicting = _repeated(answers) if not problems else ((), [])
    problems += contradicting
    if problems:
        raise TableError("\n".join(_lines(problems, answers)))
    return WideAnswers(answers.frame, answers.items, left_out), repeated_rows(len(left_out))


def _lines(problems: Sequence[str], answers: WideAnswers) -> list[str]:
    instruments = list(answers.instruments.values())
    return [refusal(list(problems), instruments[0])] if len(instruments) == 1 else [*problems, "Nothing was scored."]


def _empty_keys(answers: WideAnswers) -> list[str]:
    found = []
    for name in answers.key:
        empty = pl.col(name).is_null()
        if answers.frame.filter(empty).select(pl.len()).collect(engine="streaming").item():
            rows = _numbered(answers.frame).filter(empty).select(_ROW).collect(engine="streaming")[_ROW]
            first = rows[0] + 1
            found.append(f'column "{name}": {len(rows)} rows are empty (first: row {first}); complete or remove them')
    return found


def _chosen(frame: pl.LazyFrame, rows: pl.Series) -> pl.LazyFrame:
    """Keep some rows by their number."""
    return _numbered(frame).filter(pl.col(_ROW).is_in(rows.cast(pl.UInt32).implode()))


def _refused(answers: WideAnswers) -> list[str]:
    """Count the refused answers of every item, and find the first."""
    frame, marks = _with_all_points(answers, answers.frame)
    # A filter without row numbers: what the statistics of a Parquet file rule out is then never read.
    wrong = pl.any_horizontal(list(marks.values()))
    if not frame.filter(wrong).select(pl.len()).collect(engine="streaming").item():
        return []
    frame, marks = _with_all_points(answers, _numbered(answers.frame))
    said = [mark.fill_null(False).alias(name) for name, mark in marks.items()]
    table = frame.filter(wrong).select(_ROW, *said).collect(engine="streaming")
    found = []
    for name, (instrument, item) in answers.items.items():
        bad = table.filter(pl.col(name))
        if bad.height:
            found.append(refused_answers(instrument, item, bad.height, bad[_ROW][0] + 1))
    return found


def _repeated(answers: WideAnswers) -> tuple[tuple[int, ...], list[str]]:
    """Find rows of the same person (and visit): those that say the same go, others are a problem.

    Equal hashes only choose the rows to look at; the rows themselves are then compared.
    """
    key = [pl.col(name) for name in answers.key]
    hashed = answers.frame.select((pl.struct(key) if len(key) > 1 else key[0]).hash())
    hashes = hashed.collect(engine="streaming").to_series()
    candidates = rows_that_recur(hashes)
    if candidates.is_empty():
        return (), []
    frame, _ = _with_all_points(answers, _chosen(answers.frame, candidates))
    points = [_named(*item) for item in answers.items.values()]
    rows = frame.select(_ROW, *answers.key, *points).collect(engine="streaming")
    once = rows.unique([*answers.key, *points], keep="first", maintain_order=True)
    twice = once.filter(~pl.struct(answers.key).is_first_distinct())
    problems = []
    if twice.height:
        words = "patient and visit" if len(answers.key) > 1 else "patient"
        problems.append(different_answers(twice.height, twice[_ROW][0] + 1, words))
    left_out = rows.join(once.select(_ROW), on=_ROW, how="anti", maintain_order="left")[_ROW]
    return tuple(left_out.to_list()), problems


def rows_that_recur(values: pl.Series) -> pl.Series:
    """Return the positions of values that occur more than once, rising.

    Examples
    --------
    >>> rows_that_recur(pl.Series([5, 3, 5, 9])).to_list()
    [0, 2]
    """
    order = values.sort().to_numpy()
    again = pl.Series(order[1:][order[1:] == order[:-1]]).unique()
    return values.is_in(again.implode()).arg_true() if len(again) else pl.Series([], dtype=pl.UInt32)


def _answers_of(instrument: Instrument, present: set[str]) -> Callable[[str], pl.Expr]:
    def points(item: str) -> pl.Expr:
        name = _named(instrument, item)
        return pl.col(name) if name in present else pl.lit(None, dtype=pl.Float64)

    return points


def _scored(
    answers: WideAnswers, value_set: str | None
) -> tuple[pl.LazyFrame, dict[tuple[str, str], dict[str, pl.Expr]]]:
    """Add score and number of answers of every scale; say what else is known of each."""
    chosen = load_value_set(value_set) if value_set else None
    present = {_named(*item) for item in answers.items.values()}
    columns: list[pl.Expr] = []
    told: dict[tuple[str, str], dict[str, pl.Expr]] = {}
    for instrument in answers.instruments.values():
        points = _answers_of(instrument, present)
        for scale in instrument.scales.values():
            at = f"{instrument.id}:{scale.id}"
            columns.append(score(instrument, scale, points, chosen).alias(f"{at}:score"))
            columns.append(n_valid(counted(instrument, scale), points).alias(f"{at}:n_valid"))
            scored, answered = pl.col(f"{at}:score"), pl.col(f"{at}:n_valid")
            told[instrument.id, scale.id] = scale_results(
                instrument, scale, points, scored, answered, chosen is not None
            )
    return _points_to_score(answers).with_columns(columns), told


def wide_scores(
    answers: WideAnswers, parts: Sequence[str] = ("score", "n_valid", "status"), value_set: str | None = None
) -> pl.LazyFrame:
    """Score every scale of every instrument of a wide table; the result is as wide.

    Parameters
    ----------
    answers : WideAnswers
        From `checked_answers`.
    parts : sequence of str
        Which of `PARTS` to give.
    value_set : str, optional
        Name of an EQ-5D-5L value set.

    Returns
    -------
    LazyFrame, one row per person (and visit), in the order of the table
        Key columns, then for every scale ``<prefix>_<scale>`` (score) and ``<prefix>_<scale>_<part>``, the same
        numbers and words as of `instrument_scores.score_instrument`.
    """
    frame, results = _scored(answers, value_set)
    columns = []
    for (instrument, scale), said in results.items():
        prefix = f"{answers.instruments[instrument].feature_prefix}_{scale}"
        for part in parts:
            told = said[part].cast(pl.Int16) if part == "n_valid" else said[part]
            columns.append(told.alias(prefix if part == "score" else f"{prefix}_{part}"))
    return frame.select(*answers.key, *columns)


def long_scores(answers: WideAnswers, value_set: str | None = None) -> pl.LazyFrame:
    """Score every scale of a wide table; one row per score.

    Returns
    -------
    LazyFrame, one row per person (and visit), instrument and scale
        Columns of `instrument_scores.OUTPUT`, without ``visit`` when the table has none.
    """
    frame, told = _scored(answers, value_set)
    key = answers.key
    numbered = _numbered(frame)
    # Merging by row number keeps the scales of a person together; lists of records to explode cost ten times as much.
    parts = [
        numbered.select(
            _ROW,
            *key,
            pl.lit(instrument).alias("instrument"),
            pl.lit(scale).alias("scale"),
            *[expression.alias(part) for part, expression in said.items()],
        )
        for (instrument, scale), said in told.items()
    ]
    while len(parts) > 1:
        pairs = [one.merge_sorted(other, key=_ROW) for one, other in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + (parts[-1:] if len(parts) % 2 else [])
    return parts[0].select(*[name for name in OUTPUT if name != "visit" or name in key])
