"""Do figures hold for everyone? Discrimination, calibration and coverage by sex, ancestry, site, treatment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from nociomics.evaluate.bootstrap import Statistic, bootstrap_interval, mean_interval, mean_within
from nociomics.evaluate.calibration import in_the_large_statistic
from nociomics.evaluate.classes import hits
from nociomics.evaluate.discrimination import auroc_statistic
from nociomics.evaluate.estimate import finite
from nociomics.evaluate.intervals import cross_fitted_coverage
from nociomics.evaluate.received import Rows, class_columns, class_rows, event_rows

FEWEST_PEOPLE = 20
FEWEST_EVENTS = 5
TOO_FEW = "too few to show"
ACCEPTED_COVERAGE = 0.85
ACCEPTED_FROM = 200
_LARGEST_TRAIT = 25
_TRAITS = ("sex", "pain_type", "population", "race", "ethnicity", "measured")
_ANCESTRY = "ancestry"
_AGE, _AGE_BAND = "age", "age_band"


def subgroup_traits(features: pl.DataFrame) -> pl.DataFrame:
    """Choose the columns by which a study's figures are split, beside treatment and site.

    Parameters
    ----------
    features : DataFrame, one row per person
        As in `tables.harmonised.FEATURES`; further text columns, such as a pattern of missing blocks named
        ``measured``, may stand beside them.

    Returns
    -------
    DataFrame, one row per person
        ``patient_id`` and, as text, sex, band of age (years), type of pain, ancestry (any column that begins so),
        population, race, ethnicity and ``measured``, where the study has them; ancestry as a number is not a group.
    """
    named = [name for name in features.columns if name in _TRAITS or name.startswith(_ANCESTRY)]
    kinds = features.schema
    kept = [
        name
        for name in named
        if (name in _TRAITS or not kinds[name].is_numeric()) and features[name].n_unique() <= _LARGEST_TRAIT
    ]
    return features.select("patient_id", pl.col(kept).cast(pl.String), *_age_band(features))


def _age_band(features: pl.DataFrame) -> list[pl.Expr]:
    if not features.schema.get(_AGE, pl.Null()).is_numeric():
        return []
    age = pl.col(_AGE)
    words = pl.when(age < 40).then(pl.lit("under 40")).when(age < 65).then(pl.lit("40 to 64"))
    return [words.when(age >= 65).then(pl.lit("65 and over")).alias(_AGE_BAND)]


def subgroup_table(received: pl.DataFrame, traits: list[str], resamples: int, seed: int) -> list[dict[str, Any]]:
    """Return figures for every level of every trait; of small groups only that they are too small.

    Parameters
    ----------
    received : DataFrame
        From `received.received_rows`, with ``covered`` (0/1 or null) and one text column per trait; ``p_<class>``
        columns for classes.
    traits : list of str
        Columns to split by.

    Returns
    -------
    list of dict
        ``trait, level, metric`` (auroc, calibration_in_the_large, coverage_90; accuracy for classes), ``n`` (people),
        ``value, lower, upper, note, accepted`` (whether an interval covers at least 85 % of a group of 200 or more;
        null for all else). AUROC is the mean within repeats, not folds: a subgroup's part of a fold is
        too small. A group of fewer than 20 people, or for figures about events with fewer than 5 people with the
        event or 5 without, has no figure and no count: its note says that it is too few to show.
    """
    classes = [name for name in class_columns(received) if name not in traits]
    asked = _asked(received, classes)
    found = []
    for trait in traits:
        for level in sorted(received[trait].drop_nulls().unique().to_list()):
            part = received.filter(pl.col(trait) == level)
            for metric in asked:
                found.append(
                    {
                        "trait": trait,
                        "level": level,
                        "metric": metric,
                        **_figure(metric, part, classes, resamples, seed),
                    }
                )
    return found


def with_coverage(received: pl.DataFrame) -> pl.DataFrame:
    """Add ``covered``, ``half_width`` and ``marginal_half_width`` of 90 % intervals, cross-fitted within repeats."""
    usable = pl.col("observed").is_not_null() & pl.col("expected").is_not_null()
    parts = []
    for part in received.filter(usable).partition_by("repeat", maintain_order=True):
        result = cross_fitted_coverage(
            part["observed"].to_numpy(),
            part["expected"].to_numpy(),
            part["outer_fold"].to_numpy(),
            group=part["received"].to_list(),
        )
        parts.append(
            part.select("patient_id", "repeat").with_columns(
                pl.Series("covered", result.covered).fill_nan(None),
                pl.Series("half_width", result.half_width).fill_nan(None),
                pl.Series("marginal_half_width", result.marginal_half_width).fill_nan(None),
            )
        )
    if not parts:
        names = ("covered", "half_width", "marginal_half_width")
        return received.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in names)
    return received.join(pl.concat(parts), on=["patient_id", "repeat"], how="left", maintain_order="left")


def _asked(received: pl.DataFrame, classes: list[str]) -> list[str]:
    """Figures that this kind of study has at all."""
    if classes:
        return ["accuracy"]
    events = received.select(pl.col("p_response", "event").count()).row(0)
    about_events = ["auroc", "calibration_in_the_large"] if min(events) else []
    return [*about_events, *(["coverage_90"] if received["covered"].count() else [])]


def _figure(metric: str, part: pl.DataFrame, classes: list[str], resamples: int, seed: int) -> dict[str, Any]:
    if metric == "accuracy":
        return _accuracy(class_rows(part, classes), resamples, seed)
    if metric == "coverage_90":
        return _covered(part.drop_nulls("covered"), resamples, seed)
    return _about_events(event_rows(part), _auroc if metric == "auroc" else _in_the_large, resamples, seed)


def _about_events(rows: Rows, make: Callable[[Rows], Statistic], resamples: int, seed: int) -> dict[str, Any]:
    events = np.unique(rows.people[rows.y == 1]).size
    if rows.n < FEWEST_PEOPLE or min(events, rows.n - events) < FEWEST_EVENTS:
        return _hidden()
    return _shown(rows.n, bootstrap_interval(make(rows), rows.people, resamples=resamples, seed=seed))


def _auroc(rows: Rows) -> Statistic:
    return mean_within(rows.repeat, lambda at: auroc_statistic(rows.y[at], rows.predicted[at]))


def _in_the_large(rows: Rows) -> Statistic:
    return in_the_large_statistic(rows.y, rows.predicted)


def _accuracy(rows: Rows, resamples: int, seed: int) -> dict[str, Any]:
    if rows.n < FEWEST_PEOPLE:
        return _hidden()
    right = hits(np.asarray(rows.y, dtype=np.int64), rows.predicted)
    return _shown(rows.n, mean_interval(right, rows.people, resamples=resamples, seed=seed))


def _covered(kept: pl.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    people = np.unique(kept["patient_id"].to_numpy(), return_inverse=True)[1]
    n = kept["patient_id"].n_unique()
    if n < FEWEST_PEOPLE:
        return _hidden()
    shown = _shown(n, mean_interval(kept["covered"].to_numpy(), people, resamples=resamples, seed=seed))
    return shown | {"accepted": bool(shown["value"] >= ACCEPTED_COVERAGE) if n >= ACCEPTED_FROM else None}


def _shown(n: int, found: tuple[float, float, float]) -> dict[str, Any]:
    value, lower, upper = (finite(figure) for figure in found)
    return {"n": n, "value": value, "lower": lower, "upper": upper, "note": None, "accepted": None}


def _hidden() -> dict[str, Any]:
    return {"n": None, "value": None, "lower": None, "upper": None, "note": TOO_FEW, "accepted": None}
