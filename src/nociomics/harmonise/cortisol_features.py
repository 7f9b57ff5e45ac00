"""What the times of cortisol samples tell, as features; a person for whom it cannot be known has none."""

from __future__ import annotations

import polars as pl

from nociomics.harmonise.cortisol import AWAKENING_MINUTES, awakening_responses, diurnal_slopes
from nociomics.harmonise.feature import ID, Feature, Part
from nociomics.tables.finding import Finding

_SALIVA = "cortisol_saliva"
_SERUM = ("cortisol_serum_am", "cortisol")
_CLOCK = r"[T ](\d{2}):(\d{2})(?::(\d{2}))?"
_AREA = "nmol/L x min"


def cortisol_features(rows: pl.DataFrame) -> Part:
    """Response to awakening and slope of saliva cortisol, and the clock time of serum cortisol.

    A person's figure is the mean over the days for which it could be worked out (`cortisol.awakening_responses`,
    `cortisol.diurnal_slopes`); everything else is null and counted by its reason.

    Parameters
    ----------
    rows : DataFrame, one row per measurement with a value
        As of `units.convert_biomarkers`, in nmol/L; ``collected_at`` and ``minutes_since_waking`` are used where given.

    Returns
    -------
    Part
        ``cortisol_awakening_auc_g``, ``cortisol_awakening_auc_i`` (nmol/L x min) and ``cortisol_slope``
        (ln(nmol/L) per hour) where any person has several samples on a day; ``cortisol_hour`` (hour of the day)
        where serum cortisol has clock times.
    """
    people = rows.select(ID).unique(maintain_order=True)
    saliva = _samples(rows.filter(pl.col("analyte") == _SALIVA))
    parts = [_awakening(saliva), _slope(saliva), _hour(_samples(rows.filter(pl.col("analyte").is_in(_SERUM))))]
    frame = people
    for part in parts:
        frame = frame.join(part.frame, on=ID, how="left", maintain_order="left")
    features = [entry for part in parts for entry in part.features]
    return Part(frame, features, [finding for part in parts for finding in part.findings])


def _samples(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per sample with its day, hour of the clock and minutes since waking; replicates by their median."""
    given = rows.with_columns(
        pl.lit(None).alias(name) for name in ("collected_at", "minutes_since_waking") if name not in rows.columns
    )
    at = given.with_columns(
        pl.col("collected_at").cast(pl.String), minutes=pl.col("minutes_since_waking").cast(pl.Float64)
    )
    clock = pl.col("collected_at").str.extract_groups(_CLOCK).struct
    parts = [clock.field(str(place)).cast(pl.Float64) for place in (1, 2, 3)]
    hour = parts[0] + parts[1] / 60 + parts[2].fill_null(0) / 3600
    # A time of exactly midnight is how a date without a time of day is stored.
    timed = at.with_columns(day=pl.col("collected_at").str.extract(r"^([^T ]+)"), hour=pl.when(hour > 0).then(hour))
    return timed.group_by(ID, "analyte", "day", "hour", "minutes", maintain_order=True).agg(pl.col("value").median())


def _several(samples: pl.DataFrame) -> pl.DataFrame:
    """Keep the samples of people and days that have more than one."""
    return samples.filter(pl.len().over(ID, "day") > 1)


def _awakening(saliva: pl.DataFrame) -> Part:
    morning = saliva.filter(pl.col("minutes").is_between(-60, AWAKENING_MINUTES))
    if _several(morning).is_empty():
        return _nothing(saliva)
    # By the clock where there is one, so that times that contradict it are seen as out of order.
    timed = morning.filter(pl.col("hour").is_null().any().over(ID, "day").not_()).sort("hour", maintain_order=True)
    untimed = morning.join(timed, on=[ID, "day"], how="anti", nulls_equal=True).sort("minutes", maintain_order=True)
    days = awakening_responses(pl.concat([timed, untimed]))
    sound = days.filter(pl.col("auc_g").is_not_null())
    means = sound.group_by(ID).agg(
        pl.col("auc_g").mean().alias("cortisol_awakening_auc_g"),
        pl.col("auc_i").mean().alias("cortisol_awakening_auc_i"),
    )
    features = [
        _feature("cortisol_awakening_auc_g", _AREA, "saliva cortisol after awakening, area above zero", 0.0),
        _feature(
            "cortisol_awakening_auc_i", _AREA, "saliva cortisol after awakening, area above the first sample", None
        ),
    ]
    return Part(means, features, [*_reasons(days, "the response to awakening"), *_comparable(sound)])


def _comparable(days: pl.DataFrame) -> list[Finding]:
    found = []
    single = int((days.group_by(ID).len()["len"] == 1).sum())
    if single:
        text = (
            f"{single} people have a response to awakening from one day only, which repeats poorly (2 or 3 are better)"
        )
        found.append(Finding("biomarkers", "minutes_since_waking", "info", single, text))
    spans = sorted(set(days["span"].to_list()))
    if len(spans) > 1:
        text = (
            f"the areas after awakening are of {len(spans)} different spans ({spans[0]:g} to {spans[-1]:g} "
            "minutes): a longer span makes a larger area"
        )
        found.append(Finding("biomarkers", "minutes_since_waking", "warning", days.height, text))
    return found


def _slope(saliva: pl.DataFrame) -> Part:
    outside = saliva.filter(
        (pl.col("minutes") <= 0) | (pl.col("minutes") > AWAKENING_MINUTES) | pl.col("minutes").is_null()
    )
    hours = pl.when(pl.col("minutes").is_null().any().over(ID, "day")).then("hour").otherwise(pl.col("minutes") / 60)
    timed = outside.with_columns(hours=hours)
    if _several(timed.filter(pl.col("hours").is_not_null())).is_empty():
        return _nothing(saliva)
    days = diurnal_slopes(timed)
    means = days.filter(pl.col("slope").is_not_null()).group_by(ID).agg(cortisol_slope=pl.col("slope").mean())
    feature = _feature("cortisol_slope", "ln(nmol/L)/h", "saliva cortisol, fall over the day on the log scale", None)
    return Part(means, [feature], _reasons(days, "the slope over the day"))


def _hour(serum: pl.DataFrame) -> Part:
    timed = serum.filter(pl.col("hour").is_not_null())
    without = serum[ID].n_unique() - timed[ID].n_unique()
    text = (
        f"{without} people have a cortisol value without a clock time, which is hard to read: it falls through the day"
    )
    findings = [Finding("biomarkers", "collected_at", "warning", without, text)] if without else []
    if timed.is_empty():
        return Part(_nothing(serum).frame, [], findings)
    hours = timed.group_by(ID).agg(cortisol_hour=pl.col("hour").median())
    feature = _feature("cortisol_hour", "h", "clock time of the cortisol sample", None, "cortisol_serum")
    return Part(hours, [feature], findings)


def _reasons(days: pl.DataFrame, what: str) -> list[Finding]:
    counts = days.filter(pl.col("status") != "ok").group_by("status", maintain_order=True).len()
    return [
        Finding(
            "biomarkers",
            "minutes_since_waking",
            "warning",
            count,
            f"saliva cortisol, {what}: {count} days of a person {status}",
        )
        for status, count in counts.iter_rows()
    ]


def _feature(name: str, unit: str, description: str, low: float | None, group: str = _SALIVA) -> Feature:
    return Feature(name, "biomarkers", group, unit, description, low=low)


def _nothing(rows: pl.DataFrame) -> Part:
    return Part(rows.select(ID).clear(), [])
