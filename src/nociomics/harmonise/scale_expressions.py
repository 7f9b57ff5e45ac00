"""How the points of a scale's items become its score, band, status and flags: expressions over one row of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nociomics.harmonise.psqi import psqi_score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nociomics.knowledge.instrument import Cutoff, Instrument, Scale
    from nociomics.knowledge.value_set import ValueSet

    Answers = Callable[[str], pl.Expr]

_DIMENSIONS = ("MO", "SC", "UA", "PD", "AD")


def total(terms: Sequence[pl.Expr]) -> pl.Expr:
    """Sum expressions that hold no null, in pairs, so that deep scales make a shallow plan."""
    parts = list(terms) or [pl.lit(0)]
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        parts = [one + other for one, other in pairs] + (parts[-1:] if len(parts) % 2 else [])
    return parts[0]


def _points(instrument: Instrument, scale: Scale, answers: Answers) -> list[pl.Expr]:
    """Points of each item as they enter the scale: reversed items are turned round first."""
    found = []
    for name in scale.items:
        ends = instrument.items[name].low + instrument.items[name].high
        turned = int(ends) if ends == int(ends) else ends  # a whole number keeps small integers small
        found.append(turned - answers(name) if name in scale.reversed else answers(name))
    return found


def n_valid(scale: Scale, answers: Answers) -> pl.Expr:
    """How many of the scale's items are answered, as the smallest type that holds their number."""
    small = pl.Int8 if len(scale.items) < 2**7 else pl.Int16
    return total([answers(item).is_not_null().cast(small) for item in scale.items])


def _raw_sum(instrument: Instrument, scale: Scale, answers: Answers) -> pl.Expr:
    return total([points.fill_null(0) for points in _points(instrument, scale, answers)]).cast(pl.Float64)


def _sum(instrument: Instrument, scale: Scale, answers: Answers) -> pl.Expr:
    raw, answered, items = _raw_sum(instrument, scale, answers), n_valid(scale, answers), len(scale.items)
    return pl.when(answered == items).then(raw).otherwise(raw * items / answered) / scale.divisor


def _mean(instrument: Instrument, scale: Scale, answers: Answers) -> pl.Expr:
    return _raw_sum(instrument, scale, answers) / n_valid(scale, answers)


def _lookup(instrument: Instrument, scale: Scale, answers: Answers) -> pl.Expr:
    # A chain of when and then: a mapping of values would hold the whole table in memory.
    raw = _raw_sum(instrument, scale, answers)
    value = pl.lit(None, dtype=pl.Float64)
    for entry, worth in scale.table.items():
        value = pl.when(raw == entry).then(pl.lit(worth)).otherwise(value)
    return value


def _percent_of_max(instrument: Instrument, scale: Scale, answers: Answers) -> pl.Expr:
    return 100 * _mean(instrument, scale, answers) / float(scale.item_max or 1)


def _count_nonzero(instrument: Instrument, scale: Scale, answers: Answers) -> pl.Expr:
    chosen = [(points != 0).fill_null(False).cast(pl.Int16) for points in _points(instrument, scale, answers)]
    return total(chosen).cast(pl.Float64)


def _single(instrument: Instrument, scale: Scale, answers: Answers) -> pl.Expr:
    return _points(instrument, scale, answers)[0].cast(pl.Float64)


def _profile(instrument: Instrument, scale: Scale, answers: Answers) -> pl.Expr:
    digits = [points.cast(pl.Float64) for points in _points(instrument, scale, answers)]
    return total([digit * 10 ** (len(digits) - 1 - place) for place, digit in enumerate(digits)])


_METHODS: dict[str, Callable[[Instrument, Scale, Answers], pl.Expr]] = {
    "sum": _sum,
    "mean": _mean,
    "lookup": _lookup,
    "percent_of_max": _percent_of_max,
    "count_nonzero": _count_nonzero,
    "single": _single,
    "profile": _profile,
    "custom:psqi": lambda _, scale, answers: psqi_score(scale.id, answers),
}


def index_value(value_set: ValueSet, answers: Answers) -> pl.Expr:
    """Health utility of the five EQ-5D-5L dimensions by one value set, to three decimals.

    Full health takes no intercept; several sets add a term for any level 5, for a dimension at 4 or
    5, and for the square of how many beyond the first are at 4 or 5.
    """
    terms = value_set.terms
    levels = [answers(name) for name in _DIMENSIONS]
    value = pl.lit(terms.get("StartValue", 1.0))
    for name, level in zip(_DIMENSIONS, levels, strict=True):
        worth = pl.lit(None, dtype=pl.Float64)
        for rank in range(1, 6):
            worth = pl.when(level == rank).then(pl.lit(terms.get(f"{name}{rank}", 0.0))).otherwise(worth)
        value = value + worth + terms.get(f"{name}45", 0.0) * (level >= 4).cast(pl.Float64)
    beyond = (total([(level >= 4).cast(pl.Float64) for level in levels]) - 1).clip(lower_bound=0)
    value = value + terms.get("Num45sq", 0.0) * beyond.pow(2)
    value = value + terms.get("Intercept", 0.0) * pl.any_horizontal([level > 1 for level in levels]).cast(pl.Float64)
    value = value + terms.get("N5", 0.0) * pl.any_horizontal([level == 5 for level in levels]).cast(pl.Float64)
    return value.round(3)


def score(instrument: Instrument, scale: Scale, answers: Answers, value_set: ValueSet | None = None) -> pl.Expr:
    """Score of one scale as Float64, null when too few items are answered.

    Parameters
    ----------
    answers : callable
        Gives the points of an item by its id: any number, null when unanswered.
    value_set : ValueSet, optional
        For an EQ-5D-5L index; without one the index is null.
    """
    if scale.method == "combine":
        parts = [weight * score(instrument, instrument.scales[name], answers) for name, weight in scale.weights.items()]
        return total(parts)
    if scale.method == "index_value_set":
        value = pl.lit(None, dtype=pl.Float64) if value_set is None else index_value(value_set, answers)
    else:
        value = _METHODS[scale.method](instrument, scale, answers)
    return pl.when(n_valid(scale, answers) >= scale.min_valid).then(value.cast(pl.Float64))


def counted(instrument: Instrument, scale: Scale) -> Scale:
    """Return the scale with the items of its parts, so that answers can be counted."""
    if scale.method != "combine":
        return scale
    items = tuple(item for name in scale.weights for item in instrument.scales[name].items)
    return scale.model_copy(update={"items": items})


def _may_prorate(scale: Scale) -> bool:
    """Whether a score may rest on fewer than all items (in a PSQI, an empty item is a defined 0)."""
    return scale.method == "combine" or (scale.missing is not None and scale.missing.rule != "none")


def prorated(scale: Scale, scored: pl.Expr, answered: pl.Expr) -> pl.Expr:
    """Whether a score rests on fewer than all items."""
    if not _may_prorate(scale):
        return pl.lit(False)
    return scored.is_not_null() & (answered < len(scale.items))


def status(scale: Scale, answers: Answers, scored: pl.Expr, answered: pl.Expr, has_value_set: bool) -> pl.Expr:
    """``ok``, or why a score is null."""
    allows_missing = scale.missing is not None and _may_prorate(scale)
    reason = pl.lit("too_many_missing" if allows_missing else "incomplete_block")
    if scale.method == "index_value_set" and not has_value_set:
        reason = pl.when(answered >= scale.min_valid).then(pl.lit("no_value_set")).otherwise(reason)
    if scale.method == "custom:psqi":
        whole = pl.all_horizontal([answers(item).is_not_null() for item in scale.items if item != "disturb_j"])
        reason = pl.when(whole).then(pl.lit("inconsistent_times")).otherwise(reason)
    return pl.when(scored.is_not_null()).then(pl.lit("ok")).otherwise(reason)


def band(scale: Scale, scored: pl.Expr) -> pl.Expr:
    """Label of the band; a score between two closed bands is rounded half up first."""
    if scale.method == "profile":
        return scored.cast(pl.Int64).cast(pl.String)
    exact = scored.round(9)
    label = pl.lit(None, dtype=pl.String)
    for value in ((exact + 0.5).floor(), exact):  # the exact score goes last, and so goes first
        for entry in scale.bands:
            end = value <= entry.high if entry.high is not None else value < entry.below
            label = pl.when((value >= entry.low) & end).then(pl.lit(entry.label)).otherwise(label)
    return label


def _passes(cutoff: Cutoff, scored: pl.Expr) -> pl.Expr:
    exact, value = scored.round(9), cutoff.value
    return {">=": exact >= value, ">": exact > value, "<=": exact <= value, "<": exact < value}[cutoff.op]


def flags(instrument: Instrument, scale: Scale, answers: Answers, scored: pl.Expr) -> pl.Expr:
    """Safety findings on the raw answers, then cut-offs passed, joined by "|"; empty when there is none."""
    found = [
        pl.when(answers(rule.item) >= rule.at_least).then(pl.lit(f"safety:{rule.item}"))
        for rule in instrument.safety
        if rule.item in scale.items
    ]
    found += [pl.when(_passes(cut, scored)).then(pl.lit(f"cutoff:{cut.op}{cut.value:g}")) for cut in scale.cutoffs]
    return pl.concat_str(found, separator="|", ignore_nulls=True) if found else pl.lit("")


def scale_results(
    instrument: Instrument, scale: Scale, answers: Answers, scored: pl.Expr, answered: pl.Expr, has_value_set: bool
) -> dict[str, pl.Expr]:
    """Everything that is said of one score, by the names of the columns of `instrument_scores.OUTPUT`.

    Parameters
    ----------
    scored, answered : Expr
        Columns that hold `score` and `n_valid` (of `counted`) already.
    """
    whole = counted(instrument, scale)
    return {
        "score": scored,
        "n_valid": answered.cast(pl.Int64),
        "prorated": prorated(whole, scored, answered),
        "band": band(scale, scored),
        "status": status(whole, answers, scored, answered, has_value_set),
        "flags": flags(instrument, whole, answers, scored),
    }
