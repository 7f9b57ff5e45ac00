"""Cortisol over time: the response to awakening and the slope over the day, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

AWAKENING_MINUTES = 75.0  # protocols end at 45 or 60 minutes; some delay is usual
_LATE, _TOO_LATE = 5.0, 15.0
_AT_30 = 5.0  # minutes around 30 that count as the sample at 30
_MILLER_2013, _WUST_2000 = 1.5, 2.5  # nmol/L, general knowledge
_SHORTEST_DAY = 6.0  # hours between the first and the last sample of a slope (project default)
_DAY = ["patient_id", "day"]
_FIGURES = ["auc_g", "auc_i", "mean_increase", "delta_30", "rise_percent", "peak_rise"]
_MARKS = ["responder_1_5", "responder_2_5"]


def awakening_responses(samples: pl.DataFrame) -> pl.DataFrame:
    """Describe how cortisol rises after awakening, for every person and day.

    Parameters
    ----------
    samples : DataFrame, one row per saliva sample, in the order of sampling
        ``patient_id``, ``day`` (anything that tells days apart, may be null), ``minutes`` since waking,
        ``value`` in nmol/L; only samples within `AWAKENING_MINUTES` belong here.

    Returns
    -------
    DataFrame, one row per person and day, in order of appearance
        ``auc_g`` (trapezoids above 0, nmol/L x min), ``auc_i`` (the same above the first sample), ``mean_increase``
        (mean of the later samples less the first), ``delta_30`` (null without a sample 25 to 35 minutes after
        waking), ``rise_percent`` (second sample against the first), ``peak_rise`` (largest later sample less the
        first), ``responder_1_5`` and ``responder_2_5`` (peak rise of at least 1.5, Miller 2013, and 2.5 nmol/L,
        Wust 2000), ``span`` (minutes), ``samples`` and ``status``: ``ok``, ``flagged: ...`` or ``refused: ...``,
        for which every figure is null.

    References
    ----------
    Pruessner 2003 (areas); Stalder 2016, DOI 10.1016/j.psyneuen.2015.10.010 (sampling).
    """
    days = samples.group_by(_DAY, maintain_order=True).agg(
        samples=pl.len(), span=_last_minute() - _first_minute(), status=_awakening_status(), **_awakening_figures()
    )
    sound = ~pl.col("status").str.starts_with("refused")
    marks = {"responder_1_5": pl.col("peak_rise") >= _MILLER_2013, "responder_2_5": pl.col("peak_rise") >= _WUST_2000}
    figures = [pl.when(sound).then(name).alias(name) for name in (*_FIGURES, "span", *_MARKS)]
    return (
        days.with_columns(**marks).with_columns(figures).select(*_DAY, *_FIGURES, *_MARKS, "span", "samples", "status")
    )


def awakening_response(minutes: Sequence[float], nmol_per_l: Sequence[float | None]) -> dict[str, Any]:
    """Describe one person's response to awakening; see `awakening_responses`.

    Examples
    --------
    >>> found = awakening_response([0, 30, 45], [12, 20, 18])
    >>> found["auc_g"], found["auc_i"], found["mean_increase"], found["status"]
    (765.0, 225.0, 7.0, 'ok')
    >>> awakening_response([20, 45], [12, 20])["status"]
    'refused: the first sample was taken more than 15 minutes after waking'
    """
    rows = {"minutes": [float(one) for one in minutes], "value": list(nmol_per_l)}
    frame = pl.DataFrame(rows, schema={"minutes": pl.Float64, "value": pl.Float64}, strict=False)
    table = awakening_responses(frame.with_columns(patient_id=pl.lit(""), day=pl.lit(None, pl.String)))
    if table.is_empty():
        return {**dict.fromkeys((*_FIGURES, *_MARKS, "span")), "samples": 0, "status": "refused: no sample"}
    return table.drop(_DAY).row(0, named=True)


def _first_minute() -> pl.Expr:
    return pl.col("minutes").first()


def _last_minute() -> pl.Expr:
    return pl.col("minutes").last()


def _awakening_figures() -> dict[str, pl.Expr]:
    value, minutes = pl.col("value"), pl.col("minutes")
    first, later = value.first(), value.slice(1)
    ground = ((value + value.shift(1)) / 2 * minutes.diff()).sum()
    return {
        "auc_g": ground,
        "auc_i": ground - first * (minutes.last() - minutes.first()),
        "mean_increase": later.mean() - first,
        "delta_30": value.filter((minutes - 30).abs() <= _AT_30).first() - first,
        "rise_percent": pl.when(first > 0).then((value.slice(1, 1).first() - first) / first * 100),
        "peak_rise": later.max() - first,
    }


def _awakening_status() -> pl.Expr:
    minutes, value = pl.col("minutes"), pl.col("value")
    reasons = [
        (pl.len() < 2, "refused: a single sample shows no response"),
        (minutes.null_count() > 0, "refused: a sample has no time since waking"),
        ((value.null_count() > 0) | ~value.is_finite().all(), "refused: a sample has no value"),
        ((value < 0).any(), "refused: a value is below zero"),
        ((minutes.diff() <= 0).any(), "refused: the samples are out of order or two have one time"),
        (minutes.first() < 0, "refused: the first sample was taken before waking"),
        (minutes.first() > _TOO_LATE, "refused: the first sample was taken more than 15 minutes after waking"),
        (minutes.first() >= _LATE, "flagged: the first sample was taken 5 to 15 minutes after waking"),
    ]
    return _first_reason(reasons)


def _first_reason(reasons: list[tuple[pl.Expr, str]]) -> pl.Expr:
    status = pl.lit("ok")
    for wrong, text in reversed(reasons):
        status = pl.when(wrong).then(pl.lit(text)).otherwise(status)
    return status


def diurnal_slopes(samples: pl.DataFrame) -> pl.DataFrame:
    """Fit the fall of cortisol over the day, for every person and day.

    Least squares of the natural logarithm on the hour: cortisol falls by a share of itself, so that the slope of
    the logarithm does not depend on the level. The rise after awakening is not part of the fall: leave samples
    taken 1 to `AWAKENING_MINUTES` minutes after waking out before.

    Parameters
    ----------
    samples : DataFrame, one row per sample
        ``patient_id``, ``day``, ``hours`` (since waking, or of the clock), ``value`` in nmol/L.

    Returns
    -------
    DataFrame, one row per person and day, in order of appearance
        ``slope`` (ln(nmol/L) per hour; a healthy day falls, below 0), ``samples`` and ``status``: ``ok`` or
        ``refused: ...`` with a null slope.
    """
    hours, value = pl.col("hours"), pl.col("value")
    logs = pl.when(value > 0).then(value).log()
    reasons = [
        (pl.len() < 2, "refused: a single sample has no slope"),
        (hours.null_count() > 0, "refused: a sample has no time of day"),
        (logs.null_count() > 0, "refused: a sample has no value above zero"),
        (hours.n_unique() < pl.len(), "refused: two samples have one time"),
        (hours.max() - hours.min() < _SHORTEST_DAY, "refused: the samples span less than 6 hours"),
    ]
    centred = hours - hours.mean()
    slope = (centred * (logs - logs.mean())).sum() / (centred * centred).sum()
    days = samples.group_by(_DAY, maintain_order=True).agg(slope=slope, samples=pl.len(), status=_first_reason(reasons))
    return days.with_columns(pl.when(pl.col("status") == "ok").then("slope").alias("slope"))
