"""Questionnaire scores from item answers, as each instrument's file says; nothing is ever filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nociomics.errors import NociomicsError, TableError, did_you_mean
from nociomics.harmonise.psqi import psqi_score
from nociomics.knowledge.instrument import load_value_set
from nociomics.tables.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from nociomics.knowledge.instrument import Cutoff, Instrument, Item, Scale, ValueSet

_PEOPLE = ["patient_id", "visit"]
_DIMENSIONS = ("MO", "SC", "UA", "PD", "AD")
_OUTPUT = ["patient_id", "visit", "instrument", "scale", "score", "n_valid", "prorated", "band", "status", "flags"]


def _column(item: str) -> pl.Expr:
    return pl.col(f"item:{item}")


def _points(instrument: Instrument, scale: Scale) -> list[pl.Expr]:
    """Points of each item as they enter the scale: reversed items are turned round first."""
    found = []
    for name in scale.items:
        item = instrument.items[name]
        found.append((item.low + item.high) - _column(name) if name in scale.reversed else _column(name))
    return found


def _n_valid(scale: Scale) -> pl.Expr:
    return pl.sum_horizontal([_column(item).is_not_null().cast(pl.Int64) for item in scale.items])


def _sum(instrument: Instrument, scale: Scale) -> pl.Expr:
    total, answered, items = pl.sum_horizontal(_points(instrument, scale)), _n_valid(scale), len(scale.items)
    return pl.when(answered == items).then(total).otherwise(total * items / answered) / scale.divisor


def _mean(instrument: Instrument, scale: Scale) -> pl.Expr:
    return pl.mean_horizontal(_points(instrument, scale))


def _lookup(instrument: Instrument, scale: Scale) -> pl.Expr:
    total = pl.sum_horizontal(_points(instrument, scale)).cast(pl.Int64)
    return total.replace_strict(scale.table, default=None, return_dtype=pl.Float64)


def _percent_of_max(instrument: Instrument, scale: Scale) -> pl.Expr:
    return 100 * _mean(instrument, scale) / float(scale.item_max or 1)


def _count_nonzero(instrument: Instrument, scale: Scale) -> pl.Expr:
    return pl.sum_horizontal([(points != 0).cast(pl.Float64) for points in _points(instrument, scale)])


def _single(instrument: Instrument, scale: Scale) -> pl.Expr:
    return _points(instrument, scale)[0]


def _profile(instrument: Instrument, scale: Scale) -> pl.Expr:
    digits = _points(instrument, scale)
    return sum((digit * 10 ** (len(digits) - 1 - place) for place, digit in enumerate(digits)), pl.lit(0.0))


_METHODS: dict[str, Callable[[Instrument, Scale], pl.Expr]] = {
    "sum": _sum,
    "mean": _mean,
    "lookup": _lookup,
    "percent_of_max": _percent_of_max,
    "count_nonzero": _count_nonzero,
    "single": _single,
    "profile": _profile,
    "custom:psqi": lambda _, scale: psqi_score(scale.id, _column),
}


def index_value(value_set: ValueSet) -> pl.Expr:
    """Health utility of the five EQ-5D-5L dimensions by one value set, to three decimals.

    Full health takes no intercept; several sets add a term for any level 5, for a dimension at 4 or
    5, and for the square of how many beyond the first are at 4 or 5.
    """
    terms = value_set.terms
    levels = [_column(name) for name in _DIMENSIONS]
    value = pl.lit(terms.get("StartValue", 1.0))
    for name, level in zip(_DIMENSIONS, levels, strict=True):
        worth = {float(rank): terms.get(f"{name}{rank}", 0.0) for rank in range(1, 6)}
        value = value + level.replace_strict(worth, default=None, return_dtype=pl.Float64)
        value = value + terms.get(f"{name}45", 0.0) * (level >= 4).cast(pl.Float64)
    beyond = (pl.sum_horizontal([(level >= 4).cast(pl.Float64) for level in levels]) - 1).clip(lower_bound=0)
    value = value + terms.get("Num45sq", 0.0) * beyond.pow(2)
    value = value + terms.get("Intercept", 0.0) * pl.any_horizontal([level > 1 for level in levels]).cast(pl.Float64)
    value = value + terms.get("N5", 0.0) * pl.any_horizontal([level == 5 for level in levels]).cast(pl.Float64)
    return value.round(3)


def _score(instrument: Instrument, scale: Scale, value_set: ValueSet | None) -> pl.Expr:
    """Score of one scale, null when too few items are answered."""
    if scale.method == "combine":
        parts = [weight * _score(instrument, instrument.scales[name], None) for name, weight in scale.weights.items()]
        return sum(parts, pl.lit(0.0))
    if scale.method == "index_value_set":
        score = pl.lit(None, dtype=pl.Float64) if value_set is None else index_value(value_set)
    else:
        score = _METHODS[scale.method](instrument, scale)
    return pl.when(_n_valid(scale) >= scale.min_valid).then(score)


def _items(instrument: Instrument, scale: Scale) -> Scale:
    """Return the scale with the items of its parts, so that answers can be counted."""
    if scale.method != "combine":
        return scale
    items = tuple(item for name in scale.weights for item in instrument.scales[name].items)
    return scale.model_copy(update={"items": items})


def _may_prorate(scale: Scale) -> bool:
    """Whether a score may rest on fewer than all items (in a PSQI, an empty item is a defined 0)."""
    return scale.method == "combine" or (scale.missing is not None and scale.missing.rule != "none")


def _reason(scale: Scale, value_set: ValueSet | None) -> pl.Expr:
    """Why a score is null."""
    allows_missing = scale.missing is not None and _may_prorate(scale)
    missing = pl.lit("too_many_missing" if allows_missing else "incomplete_block")
    if scale.method == "index_value_set" and value_set is None:
        return pl.when(_n_valid(scale) >= scale.min_valid).then(pl.lit("no_value_set")).otherwise(missing)
    if scale.method == "custom:psqi":
        answered = pl.all_horizontal([_column(item).is_not_null() for item in scale.items if item != "disturb_j"])
        return pl.when(answered).then(pl.lit("inconsistent_times")).otherwise(missing)
    return missing


def _band(scale: Scale) -> pl.Expr:
    """Label of the band; a score between two closed bands is rounded half up first."""
    if scale.method == "profile":
        return pl.col("score").cast(pl.Int64).cast(pl.String)
    exact = pl.col("score").round(9)
    label = pl.lit(None, dtype=pl.String)
    for score in ((exact + 0.5).floor(), exact):  # the exact score goes last, and so goes first
        for band in scale.bands:
            end = score <= band.high if band.high is not None else score < band.below
            label = pl.when((score >= band.low) & end).then(pl.lit(band.label)).otherwise(label)
    return label


def _passes(cutoff: Cutoff) -> pl.Expr:
    score, value = pl.col("score").round(9), cutoff.value
    return {">=": score >= value, ">": score > value, "<=": score <= value, "<": score < value}[cutoff.op]


def _flags(instrument: Instrument, scale: Scale) -> pl.Expr:
    """Safety findings on the raw answers, then cut-offs passed, joined by "|"."""
    safety = [
        pl.when(_column(rule.item) >= rule.at_least).then(pl.lit(f"safety:{rule.item}"))
        for rule in instrument.safety
        if rule.item in scale.items
    ]
    cutoffs = [pl.when(_passes(cut)).then(pl.lit(f"cutoff:{cut.op}{cut.value:g}")) for cut in scale.cutoffs]
    if not safety and not cutoffs:
        return pl.lit("")
    return pl.concat_str([*safety, *cutoffs], separator="|", ignore_nulls=True)


def _scored(wide: pl.DataFrame, instrument: Instrument, scale: Scale, value_set: ValueSet | None) -> pl.DataFrame:
    counted = _items(instrument, scale)
    scores = wide.with_columns(
        score=_score(instrument, scale, value_set).cast(pl.Float64),
        n_valid=_n_valid(counted),
        instrument=pl.lit(instrument.id),
        scale=pl.lit(scale.id),
    )
    return scores.select(
        *_PEOPLE,
        "instrument",
        "scale",
        "score",
        "n_valid",
        prorated=pl.col("score").is_not_null() & (pl.col("n_valid") < len(counted.items)) & _may_prorate(scale),
        band=_band(scale),
        status=pl.when(pl.col("score").is_not_null()).then(pl.lit("ok")).otherwise(_reason(counted, value_set)),
        flags=_flags(instrument, counted),
    )


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
    by_item = bad.group_by("item", maintain_order=True).agg(pl.len(), pl.col("row").min())
    for item, count, first in by_item.iter_rows():
        problems.append(
            f'item "{item}": {count} answers are not allowed (first: row {first}); {_allowed(instrument, item)}'
        )
    if problems:
        raise TableError(f"answers to {instrument.id}: " + "; ".join(problems) + ". Nothing was scored.")
    return answers


def _allowed(instrument: Instrument, item: str) -> str:
    return f"allowed: {instrument.items[item].allowed}"


def _wide(responses: pl.DataFrame | pl.LazyFrame, instrument: Instrument) -> pl.DataFrame:
    """One row per patient and visit, one column per item; items of other instruments are left out."""
    known = pl.col("item").is_in(list(instrument.items)) & (pl.col("instrument") == instrument.id)
    answers = responses.lazy().filter(known).with_columns(pl.col("response").cast(pl.Float64)).collect()
    _checked(answers, instrument)
    wide = answers.pivot(
        on="item", on_columns=list(instrument.items), index=_PEOPLE, values="response", aggregate_function="first"
    )
    return wide.rename({item: f"item:{item}" for item in instrument.items})


def score_scale(
    responses: pl.DataFrame | pl.LazyFrame, instrument: Instrument, scale: str, value_set: str | None = None
) -> pl.DataFrame:
    """Score one scale for every patient and visit; see `score_instrument`."""
    if scale not in instrument.scales:
        near = did_you_mean(scale, instrument.scales)
        raise NociomicsError(
            f'{instrument.id} has no scale "{scale}".{near} Its scales: {", ".join(instrument.scales)}.'
        )
    chosen = load_value_set(value_set) if value_set else None
    return _scored(_wide(responses, instrument), instrument, instrument.scales[scale], chosen)


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
    return pl.concat(scored).sort("person", maintain_order=True).select(_OUTPUT)


def score_responses(responses: pl.DataFrame, instruments: dict[str, Instrument]) -> pl.DataFrame:
    """Score every instrument that the answers name; no rows when they name none.

    Returns
    -------
    DataFrame, one row per patient, visit, instrument and scale
        As of `score_instrument`.
    """
    named = responses["instrument"].unique(maintain_order=True).to_list()
    scored = [score_instrument(responses, instruments[name]) for name in named]
    return pl.concat(scored) if scored else _no_scores()


def _no_scores() -> pl.DataFrame:
    kinds = {"score": pl.Float64, "n_valid": pl.Int64, "prorated": pl.Boolean}
    return pl.DataFrame(schema={name: kinds.get(name, pl.String) for name in _OUTPUT})


def points_of_answers(raw: pl.DataFrame, instrument: Instrument) -> pl.DataFrame:
    """Turn answers as written into points.

    Parameters
    ----------
    raw : DataFrame, one row per answer
        ``item`` of this instrument and ``response`` as written, text or number.
    instrument : Instrument
        What may be answered.

    Returns
    -------
    DataFrame
        The same rows with ``response`` as Float64.

    Raises
    ------
    TableError
        Answers that are not allowed, with items, counts and first rows.
    """
    written = raw.with_columns(pl.col("response").cast(pl.String))
    pairs = written.select("item", "response").unique().drop_nulls("response")
    read = [(item, answer, *_read(instrument.items[item], answer)) for item, answer in pairs.iter_rows()]
    schema = {"item": pl.String, "response": pl.String, "points": pl.Float64, "refused": pl.Boolean}
    table = pl.DataFrame(read, schema=schema, orient="row")
    joined = written.join(table, on=["item", "response"], how="left", maintain_order="left")
    bad = joined.with_row_index("row", offset=1).filter(pl.col("refused"))
    counts = bad.group_by("item", maintain_order=True).agg(pl.len(), pl.col("row").min())
    problems = [
        f'item "{item}": {count} answers are not allowed (first: row {first}); {_allowed(instrument, item)}'
        for item, count, first in counts.iter_rows()
    ]
    if problems:
        raise TableError(f"answers to {instrument.id}: " + "; ".join(problems) + ". Nothing was scored.")
    return joined.drop("response", "refused").rename({"points": "response"})


def _read(item: Item, answer: str) -> tuple[float | None, bool]:
    try:
        return item.points(answer), False
    except ValueError:
        return None, True


def score_table(
    raw: pl.DataFrame, instrument: Instrument, value_set: str | None = None
) -> tuple[pl.DataFrame, list[Finding]]:
    """Score a table of answers as written (the command ``nociomics score``).

    Parameters
    ----------
    raw : DataFrame, one row per answer
        ``patient_id``, ``item``, ``response`` as written; optional ``visit`` and ``instrument``.
        Item names are the instrument's own, in any case.
    instrument : Instrument
        The questionnaire.
    value_set : str, optional
        As in `score_instrument`.

    Returns
    -------
    DataFrame, list of Finding
        Scores as of `score_instrument`, without ``visit`` when the table has none; how many rows
        were left out because their item is not part of the instrument.

    Raises
    ------
    TableError
        No row belongs to the instrument, or answers are not allowed.
    """
    has_visit = "visit" in raw.columns
    table = raw if has_visit else raw.with_columns(visit=pl.lit("baseline"))
    if "instrument" in table.columns:
        table = table.filter(pl.col("instrument").str.to_lowercase() == instrument.id)
    spelling = {item.lower(): item for item in instrument.items}
    text = pl.col("item").cast(pl.String).str.strip_chars().str.to_lowercase()
    named = table.with_columns(item=text.replace_strict(spelling, default=None, return_dtype=pl.String))
    answers = named.drop_nulls("item")
    if answers.is_empty():
        raise TableError(
            f"none of the {raw.height} rows is an answer to {instrument.id}. Its items: {', '.join(instrument.items)}."
        )
    points = points_of_answers(answers, instrument).with_columns(instrument=pl.lit(instrument.id))
    scores = score_instrument(points, instrument, value_set)
    left_out = named.height - answers.height
    message = f"{left_out} rows name an item that {instrument.id} does not have and were left out"
    findings = [Finding("questionnaires", "item", "warning", left_out, message)] if left_out else []
    return scores if has_visit else scores.drop("visit"), findings
