"""Questionnaire scores from item answers, as each instrument's file says; nothing is ever filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nociomics.errors import NociomicsError, TableError
from nociomics.harmonise.scale_expressions import counted, n_valid, scale_results, score
from nociomics.knowledge.value_set import load_value_set, load_value_sets
from nociomics.tables.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nociomics.knowledge.instrument import Instrument, Scale
    from nociomics.knowledge.instrument_item import Item
    from nociomics.knowledge.value_set import ValueSet

_PEOPLE = ["patient_id", "visit"]
OUTPUT = ["patient_id", "visit", "instrument", "scale", "score", "n_valid", "prorated", "band", "status", "flags"]


def _column(item: str) -> pl.Expr:
    return pl.col(f"item:{item}")


def _scored(wide: pl.DataFrame, instrument: Instrument, scale: Scale, value_set: ValueSet | None) -> pl.DataFrame:
    raw = wide.with_columns(
        score=score(instrument, scale, _column, value_set),
        n_valid=n_valid(counted(instrument, scale), _column),
    )
    told = scale_results(instrument, scale, _column, pl.col("score"), pl.col("n_valid"), value_set is not None)
    named = [pl.lit(instrument.id).alias("instrument"), pl.lit(scale.id).alias("scale")]
    return raw.select(*_PEOPLE, *named, **told)


def _bounds(instrument: Instrument) -> pl.DataFrame:
    rows = [
        {"item": item.id, "low": item.low, "high": item.high, "whole": item.kind not in {"number", "clock"}}
        for item in instrument.items.values()
    ]
    return pl.DataFrame(rows, schema={"item": pl.String, "low": pl.Float64, "high": pl.Float64, "whole": pl.Boolean})


def _checked(answers: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
    """Refuse repeated answers and answers outside their item's range, all of them at once."""
    problems = []
    repeated = answers.height - answers.select([*_PEOPLE, "item"]).n_unique()
    if repeated:
        problems.append(f"{repeated} rows repeat a patient, visit and item: keep one answer each")
    outside = ~pl.col("response").is_between("low", "high")
    broken = pl.col("whole") & (pl.col("response") != pl.col("response").floor())
    bad = (
        answers.with_row_index("row", offset=1)
        .join(_bounds(instrument), on="item", how="left")
        .filter(outside | broken)
    )
    _refuse([*problems, *_told(bad, instrument)], instrument)
    return answers


def _told(bad: pl.DataFrame, instrument: Instrument) -> list[str]:
    """Name each item with refused answers: how many, and in which row the first one stands."""
    by_item = bad.group_by("item", maintain_order=True).agg(pl.len(), pl.col("row").min())
    return [refused_answers(instrument, item, count, first) for item, count, first in by_item.iter_rows()]


def refused_answers(instrument: Instrument, item: str, count: int, first: int) -> str:
    """Say how many answers to an item are not allowed, and what would be."""
    return (
        f'item "{item}": {count} answers are not allowed (first: row {first}); '
        f"allowed: {instrument.items[item].allowed}"
    )


def _refuse(problems: list[str], instrument: Instrument) -> None:
    if problems:
        raise TableError(refusal(problems, instrument))


def refusal(problems: list[str], instrument: Instrument) -> str:
    """One line for each problem of a table of answers."""
    lines = [f"answers to {instrument.id}: {problem}." for problem in problems]
    return "\n".join([*lines, "Nothing was scored."])


def _wide(responses: pl.DataFrame | pl.LazyFrame, instrument: Instrument) -> pl.DataFrame:
    """One row per patient and visit, one column per item; items of other instruments are left out."""
    known = pl.col("item").is_in(list(instrument.items)) & (pl.col("instrument") == instrument.id)
    answers = responses.lazy().filter(known).with_columns(pl.col("response").cast(pl.Float64)).collect()
    _checked(answers, instrument)
    wide = answers.pivot(
        on="item", on_columns=list(instrument.items), index=_PEOPLE, values="response", aggregate_function="first"
    )
    return wide.rename({item: f"item:{item}" for item in instrument.items})


def score_instrument(
    responses: pl.DataFrame | pl.LazyFrame, instrument: Instrument, value_set: str | None = None
) -> pl.DataFrame:
    """Score every scale of one instrument.

    Reversed items are turned round, then the answered items are combined. Too few valid answers
    give a null score and a reason: no answer is ever filled in or moved into its range.

    Parameters
    ----------
    responses : DataFrame or LazyFrame, one row per (patient_id, visit, instrument, item)
        As in `tables.ingested.RESPONSES`; ``response`` in points, null when unanswered. Other
        instruments and items that the instrument lacks are left out.
    instrument : Instrument
        Items, scales and rules.
    value_set : str, optional
        Name of an EQ-5D-5L value set; without one there is no index.

    Returns
    -------
    DataFrame, one row per patient, visit and scale
        ``score`` in the scale's own units; ``n_valid`` answered items; ``prorated`` when a score
        rests on fewer than all items; ``band`` null without bands; ``status`` ``ok`` or the reason
        of a null; ``flags`` such as ``safety:9|cutoff:>=10``, empty when there is none.

    Raises
    ------
    TableError
        Answers out of range or given twice, with items and counts.
    NociomicsError
        When there is no such value set.

    References
    ----------
    ``sources`` of the instrument's file in knowledge/instruments.

    Examples
    --------
    >>> from nociomics.knowledge.instrument import load_instrument
    >>> answers = pl.DataFrame({"patient_id": "P1", "visit": "baseline", "instrument": "peg",
    ...                         "item": ["1", "2", "3"], "response": [7, 8, 6]})
    >>> score_instrument(answers, load_instrument("peg")).select("scale", "score", "n_valid", "status").row(0)
    ('peg', 7.0, 3, 'ok')
    """
    wide = _wide(responses, instrument).with_row_index("person")
    chosen = load_value_set(value_set) if value_set else None
    scored = [_scored(wide, instrument, scale, chosen).with_row_index("person") for scale in instrument.scales.values()]
    return pl.concat(scored).sort("person", maintain_order=True).select(OUTPUT)


def score_responses(
    responses: pl.DataFrame, instruments: Mapping[str, Instrument], value_set: str | None = None
) -> pl.DataFrame:
    """Score every instrument that the answers name; no rows when they name none.

    Parameters
    ----------
    value_set : str, optional
        As in `score_instrument`; `without_value_set` tells whom it would concern.

    Returns
    -------
    DataFrame, one row per patient, visit, instrument and scale
        As of `score_instrument`.
    """
    named = responses["instrument"].unique(maintain_order=True).to_list()
    scored = [score_instrument(responses, instruments[name], value_set) for name in named]
    return pl.concat(scored) if scored else _no_scores()


def without_value_set(scores: pl.DataFrame) -> list[Finding]:
    """Say that complete EQ-5D-5L answers have no index because no value set was named, and how to name one."""
    people = scores.filter(pl.col("status") == "no_value_set")["patient_id"].n_unique()
    if not people:
        return []
    message = (
        f"{people} people answered the EQ-5D-5L in full, but there is no index: no value set is named. A value set "
        "belongs to a country and is never guessed; name one under questionnaires: {value_set: ...} in the study "
        f"file. Known: {', '.join(load_value_sets())}. Profile, level sum score and VAS were scored"
    )
    return [Finding("questionnaires", "eq_5d_5l", "warning", people, message)]


def _no_scores() -> pl.DataFrame:
    kinds = {"score": pl.Float64, "n_valid": pl.Int64, "prorated": pl.Boolean}
    return pl.DataFrame(schema={name: kinds.get(name, pl.String) for name in OUTPUT})


def _with_points(written: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
    """Add ``points`` and ``refused`` to answers as written; each different answer is read once."""
    pairs = written.select("item", "response").unique(maintain_order=True).drop_nulls("response")
    read = [(item, answer, *_read(instrument.items[item], answer)) for item, answer in pairs.iter_rows()]
    schema = {"item": pl.String, "response": pl.String, "points": pl.Float64, "refused": pl.Boolean}
    table = pl.DataFrame(read, schema=schema, orient="row")
    return written.join(table, on=["item", "response"], how="left", maintain_order="left")


def _read(item: Item, answer: str) -> tuple[float | None, bool]:
    try:
        return item.points(answer), False
    except ValueError:
        return None, True


def score_table(
    raw: pl.DataFrame, instrument: Instrument, value_set: str | None = None
) -> tuple[pl.DataFrame, list[Finding]]:
    """Score a long table of answers as written (the command ``nociomics score``).

    Parameters
    ----------
    raw : DataFrame, one row per answer
        ``patient_id``, ``item``, ``response`` as written; optional ``visit`` and ``instrument``.
        Item names are the instrument's own, or wide column names, in any case.
    instrument : Instrument
        The questionnaire.
    value_set : str, optional
        As in `score_instrument`.

    Returns
    -------
    DataFrame, list of Finding
        Scores as of `score_instrument`, without ``visit`` when the table has none; how many rows
        were left out because their item is not part of the instrument, and how many only repeated another.

    Raises
    ------
    TableError
        No row belongs to the instrument, or with every kind of problem: rows without a person or visit, answers
        that are not allowed, two different answers to one item.
    """
    has_visit = "visit" in raw.columns
    table = (raw if has_visit else raw.with_columns(visit=pl.lit("baseline"))).with_row_index("row", offset=1)
    table = table.with_columns(pl.col("patient_id", "visit", "response").cast(pl.String))
    if "instrument" in table.columns:
        table = table.filter(pl.col("instrument").str.to_lowercase().is_in([instrument.id, *instrument.aliases]))
    spelling = instrument.columns | {item.lower(): item for item in instrument.items}
    text = pl.col("item").cast(pl.String).str.strip_chars().str.to_lowercase()
    named = table.with_columns(item=text.replace_strict(spelling, default=None, return_dtype=pl.String))
    answers = named.drop_nulls("item")
    if answers.is_empty():
        raise TableError(
            f"none of the {raw.height} rows is an answer to {instrument.id}. Its items: {', '.join(instrument.items)}."
        )
    points, findings = _long_points(answers, instrument)
    scores = score_instrument(points.with_columns(instrument=pl.lit(instrument.id)), instrument, value_set)
    left_out = named.height - answers.height
    if left_out:
        message = f"{left_out} rows name an item that {instrument.id} does not have and were left out"
        findings = [Finding("questionnaires", "item", "warning", left_out, message), *findings]
    return scores if has_visit else scores.drop("visit"), findings


def failing_examples(instrument: Instrument) -> list[str]:
    """Name the worked examples of an instrument's file that do not come out, and the scales concerned."""
    failing = []
    for example in instrument.examples:
        columns = {
            "patient_id": "example",
            "item": list(example.responses),
            "response": list(example.responses.values()),
        }
        raw = pl.DataFrame(columns, schema_overrides={"response": pl.String})
        found = {row["scale"]: row for row in score_table(raw, instrument)[0].iter_rows(named=True)}
        for scale, expected in example.expect.items():
            got = found.get(scale, {}).get("band" if isinstance(expected, str) else "score")
            same = got == expected if not isinstance(expected, float) or got is None else abs(got - expected) < 1e-6
            if scale not in found or not same:
                failing.append(f"{example.id}: {scale}")
        failing += [
            f"{example.id}: band of {scale}" for scale, band in example.bands.items() if found[scale]["band"] != band
        ]
    return failing


def require_examples(instrument: Instrument) -> Instrument:
    """Return an instrument whose worked examples come out; else raise `NociomicsError` that names them."""
    failing = failing_examples(instrument)
    if failing:
        raise NociomicsError(
            f"the worked examples of {instrument.id} do not come out ({'; '.join(failing)}). Correct the file: items, "
            "reversed, method or the example itself."
        )
    return instrument


def _long_points(answers: pl.DataFrame, instrument: Instrument) -> tuple[pl.DataFrame, list[Finding]]:
    """Read the answers of a long table; collect everything that is wrong with it before refusing it."""
    read = _with_points(answers, instrument)
    problems = missing_keys(read["patient_id"], read["visit"])
    problems += _told(read.filter(pl.col("refused")), instrument)
    key = [*_PEOPLE, "item"]
    once = read.unique([*key, "points"], keep="first", maintain_order=True)
    twice = once.filter(~pl.struct(key).is_first_distinct())
    if twice.height:
        problems.append(different_answers(twice.height, twice["row"][0], "patient, visit and item"))
    _refuse(problems, instrument)
    return once.select(*key, response=pl.col("points")), repeated_rows(read.height - once.height)


def missing_keys(people: pl.Series, visits: pl.Series | None) -> list[str]:
    """Say how many rows have no person, or no visit where there is such a column."""
    columns = [("patient_id", people)] + ([] if visits is None else [("visit", visits)])
    found = [(name, values.is_null().arg_true()) for name, values in columns]
    return [
        f'column "{name}": {len(rows)} rows are empty (first: row {rows[0] + 1}); complete or remove them'
        for name, rows in found
        if len(rows)
    ]


def different_answers(count: int, first: int, key: str) -> str:
    """Say how many rows contradict an earlier row of the same person."""
    return f"{count} rows (first: row {first}) answer differently for the same {key}; keep one, or name their visits"


def repeated_rows(count: int) -> list[Finding]:
    """Tell of rows that say what an earlier row says, and were left out."""
    message = f"{count} rows only repeat another row and were left out"
    return [Finding("questionnaires", "patient_id", "warning", count, message)] if count else []
