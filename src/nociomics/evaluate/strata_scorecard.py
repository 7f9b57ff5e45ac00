"""A scorecard beside the strata: which variables it asks for, how far it agrees out of fold, and what it loses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from nociomics.evaluate.bootstrap import bootstrap_interval
from nociomics.evaluate.estimate import FloatArray, IntArray, finite
from nociomics.evaluate.strata_groups import is_technical
from nociomics.models.scorecard import (
    MOST_VARIABLES,
    Scorecard,
    chosen_columns,
    fit_scorecard,
    medians,
    stratified_folds,
)

_BEDSIDE = ("clinical", "questionnaires")
_FEWEST_PEOPLE, _FEWEST_PER_STRATUM = 50, 10
_FOLDS = 10
_MEASURED_SHARE = 0.6
_MOST_LEVELS = 6
_RIDGE = 1e-6


@dataclass(frozen=True)
class BedsideVariable:
    """One thing that is asked at the bedside; ``level``: 1 where the feature is this word, else 0."""

    feature: str
    level: str | None
    unit: str
    description: str


def bedside_columns(features: pl.DataFrame, catalogue: pl.DataFrame) -> tuple[FloatArray, list[BedsideVariable]]:
    """Lay out what can be asked without a laboratory: clinical features and questionnaire scores.

    Sites, batches and what fewer than 60 % of people have are left out, and so are the parts of an instrument that
    has a total: asking for both would spend two of six questions on one thing.
    """
    wanted = catalogue.filter(pl.col("modality").is_in(_BEDSIDE) & pl.col("feature").is_in(features.columns))
    wanted = _without_parts(features, wanted)
    technical = set(catalogue["within"].drop_nulls())
    columns, variables = [], []
    for feature, unit, words, kind in wanted.select("feature", "unit", "description", "kind").iter_rows():
        values = features[feature]
        if feature in technical or is_technical(feature) or values.null_count() > (1 - _MEASURED_SHARE) * len(values):
            continue
        if kind != "category" and values.dtype.is_numeric():
            columns.append(_numbers(values))
            variables.append(BedsideVariable(feature, None, unit, words))
            continue
        levels = values.cast(pl.String).drop_nulls().unique().sort().to_list()
        for level in levels[1:] if len(levels) <= _MOST_LEVELS else []:
            columns.append(_numbers(values.cast(pl.String) == level))
            variables.append(BedsideVariable(feature, level, "0/1", words))
    return (np.column_stack(columns) if columns else np.empty((features.height, 0))), variables


def _without_parts(features: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    is_score, is_total = pl.col("modality") == "questionnaires", pl.col("feature").str.ends_with("_total")
    totals = wanted.filter(is_score & is_total)
    measured = [
        group
        for feature, group in totals.select("feature", "group").iter_rows()
        if features[feature].null_count() <= (1 - _MEASURED_SHARE) * features.height
    ]
    return wanted.filter(~(is_score & ~is_total & pl.col("group").is_in(measured)))


def strata_scorecard(
    features: pl.DataFrame, catalogue: pl.DataFrame, strata: pl.Series, membership: pl.DataFrame, seed: int
) -> dict[str, Any]:
    """Learn a card for the strata, and say how far it agrees with the full model for people it has not seen.

    Everything about the card (variables, cuts, tree or points) is learned anew in each of ten folds.

    Parameters
    ----------
    strata : Series of text, rows as in ``features``
        Placed by the full model; null for people who are in none.
    membership : DataFrame, rows as in ``features``
        One column per stratum.

    Returns
    -------
    dict
        ``reason`` when there is no card. Else ``kind, strata, variables`` (with ``filled_with``: used where one is not
        measured), ``rule`` (see `models.scorecard.Scorecard`), and out of fold ``kappa`` (value, lower, upper),
        ``agreement`` (share placed alike), ``by_stratum`` and ``loses``: share placed otherwise, and how much lower the
        full model's own probability of the card's stratum is than of its own.
    """
    names = membership.columns
    known = np.flatnonzero(strata.is_in(names).fill_null(False).to_numpy())
    values, variables = bedside_columns(features, catalogue)
    labels = np.array([names.index(name) for name in strata[known.tolist()]], dtype=np.int64)
    reason = _why_not(labels, len(names), len(variables))
    if reason:
        return {"reason": reason}
    values = values[known]
    folds = stratified_folds(labels, _FOLDS, seed)
    placed = np.empty_like(labels)
    for fold in range(_FOLDS):
        held = folds == fold
        placed[held] = fit_scorecard(values[~held], labels[~held], seed).place(values[held])
    card = fit_scorecard(values, labels, seed)
    chances = membership[known.tolist()].cast(pl.Float64).to_numpy()
    return {**_card(card, variables, names), **_agreement(labels, placed, chances, names, seed)}


def _why_not(labels: IntArray, strata: int, variables: int) -> str:
    if variables == 0:
        return "the study has no clinical variable and no questionnaire score that most people have"
    if len(labels) < _FEWEST_PEOPLE:
        return f"{len(labels)} people are too few ({_FEWEST_PEOPLE} are needed)"
    smallest = int(np.bincount(labels, minlength=strata).min())
    if smallest < _FEWEST_PER_STRATUM:
        return f"the smallest stratum has fewer than {_FEWEST_PER_STRATUM} people"
    return ""


def _card(card: Scorecard, variables: list[BedsideVariable], names: list[str]) -> dict[str, Any]:
    asked = [
        {**asdict(variables[place]), "filled_with": filled}
        for place, filled in zip(card.variables, card.filled, strict=True)
    ]
    rule = dict(card.rule)
    if card.kind == "tree":
        rule["nodes"] = [
            {**node, "stratum": names[node["stratum"]]} if "stratum" in node else node for node in rule["nodes"]
        ]
    else:
        rule["by_size"] = [names[place] for place in rule["by_size"]]
    return {"kind": card.kind, "strata": list(names), "variables": asked, "rule": rule}


def _agreement(labels: IntArray, placed: IntArray, chances: FloatArray, names: list[str], seed: int) -> dict[str, Any]:
    people = np.arange(len(labels))
    cells = np.eye(len(names) ** 2)[labels * len(names) + placed]
    value, lower, upper = bootstrap_interval(
        lambda weights: cohens_kappa((weights @ cells).reshape(-1, len(names), len(names))), people, seed=seed
    )
    lost = chances[people, labels] - chances[people, placed]
    alike = labels == placed
    return {
        "n": len(labels),
        "kappa": {"value": finite(value), "lower": finite(lower), "upper": finite(upper)},
        "agreement": float(alike.mean()),
        "by_stratum": {name: float(alike[labels == place].mean()) for place, name in enumerate(names)},
        "loses": {"placed_otherwise": float(1 - alike.mean()), "probability": float(lost.mean())},
        "method": f"out of {_FOLDS} folds, everything learned inside them; interval by 1000 resamples of people",
    }


def cohens_kappa(tables: FloatArray) -> FloatArray:
    """Cohen's kappa of each square table of counts; NaN where chance alone would agree fully.

    References
    ----------
    Cohen J. Educ Psychol Meas 1960;20:37-46.

    Examples
    --------
    >>> cohens_kappa(np.array([[[20.0, 5.0], [10.0, 15.0]]])).round(3).tolist()
    [0.4]
    """
    n = tables.sum(axis=(1, 2))
    seen = np.trace(tables, axis1=1, axis2=2) / n
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / n**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1 - 1e-12, (seen - chance) / (1 - chance), np.nan)


def factor_scorecard(
    features: pl.DataFrame, catalogue: pl.DataFrame, scores: pl.DataFrame, seed: int
) -> dict[str, Any]:
    """With one stratum: how well at most six bedside variables tell the factor scores, by weights.

    Returns
    -------
    dict
        ``reason`` when there is none. Else ``kind`` (weights), ``variables`` (with ``filled_with``), ``rule``: per
        factor ``start`` and ``weights`` (points of the factor per unit of the variable), and ``r2`` of each factor
        out of fold.
    """
    values, variables = bedside_columns(features, catalogue)
    goals = scores.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    known = ~np.isnan(goals).any(axis=1)
    if not scores.width:
        return {"reason": "there are no factor scores: too few people or measurements"}
    reason = _why_not(np.zeros(int(known.sum()), dtype=np.int64), 1, len(variables))
    if reason:
        return {"reason": reason}
    values, goals = values[known], goals[known]
    folds = stratified_folds(np.zeros(len(goals), dtype=np.int64), _FOLDS, seed)
    told = np.empty_like(goals)
    for fold in range(_FOLDS):
        held = folds == fold
        asked, filled, start, weights = _weights(values[~held], goals[~held])
        rows = values[held][:, asked]
        told[held] = start + np.where(np.isnan(rows), filled, rows) @ weights
    asked, filled, start, weights = _weights(values, goals)
    explained = 1 - ((goals - told) ** 2).sum(axis=0) / ((goals - goals.mean(axis=0)) ** 2).sum(axis=0)
    return {
        "kind": "weights",
        "variables": [
            {**asdict(variables[place]), "filled_with": float(middle)}
            for place, middle in zip(asked, filled, strict=True)
        ],
        "rule": {
            name: {"start": float(start[place]), "weights": weights[:, place].tolist()}
            for place, name in enumerate(scores.columns)
        },
        "n": len(goals),
        "r2": {name: finite(float(explained[place])) for place, name in enumerate(scores.columns)},
        "method": f"out of {_FOLDS} folds, everything learned inside them",
    }


def _weights(values: FloatArray, goals: FloatArray) -> tuple[list[int], FloatArray, FloatArray, FloatArray]:
    middle = medians(values)
    filled = np.where(np.isnan(values), middle, values)
    asked = list(chosen_columns(filled, goals, MOST_VARIABLES))
    design = filled[:, asked]
    centre, spread = design.mean(axis=0), np.maximum(design.std(axis=0), 1e-12)
    standard = (design - centre) / spread
    square = standard.T @ standard + _RIDGE * len(goals) * np.eye(len(asked))
    weights = np.linalg.solve(square, standard.T @ (goals - goals.mean(axis=0))) / spread[:, None]
    return asked, middle[asked], goals.mean(axis=0) - centre @ weights, weights


def _numbers(values: pl.Series) -> FloatArray:
    return np.array(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)
