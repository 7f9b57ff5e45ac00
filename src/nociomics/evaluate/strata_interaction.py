"""Do strata respond differently to treatments, and better told by labels or by dimensions? Asked once, beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from scipy.stats import f as f_distribution

from nociomics.evaluate.estimate import FloatArray, IntArray

_FEWEST_PER_ARM = 20
_PEOPLE_PER_TERM = 5
_FOLDS, _REPEATS = 10, 5
_RIDGE = 1e-8
_LEVEL = 0.05


def strata_by_treatment(
    target: pl.DataFrame, kind: str | None, membership: pl.DataFrame | None, scores: pl.DataFrame, seed: int
) -> dict[str, Any]:
    """Test strata x treatment once, with the continuous factor scores as competitor (method M21).

    Linear models of the outcome as modelled (for a change: baseline - outcome, given the baseline). Both start from
    treatment and from strata, or factors, as main effects; the interaction is tested by an F test, and what it adds
    to prediction is measured in ten folds, five times over. Strata enter by their probabilities, which lose less than
    labels do.

    Parameters
    ----------
    target : DataFrame, one row per person
        As in `TARGET_ROWS`.
    kind : str or None
        Of the study's target; None without one. Classes are no amount, and are not asked about.
    membership : DataFrame or None, rows as in ``target``
        One column per stratum; None with one stratum.
    scores : DataFrame, rows as in ``target``
        Columns ``factor_<n>``; null where nothing was measured.

    Returns
    -------
    dict
        ``reason`` alone when it cannot be asked; else ``outcome, n, arms, randomised, strata, factors`` (each ``terms,
        f, p, gain``: share of the outcome's variance that the interaction adds out of fold; None when there is
        nothing to test), ``better`` (dimensions, strata, neither) and ``words``.
    """
    if kind is None or kind == "multiclass":
        return {"reason": "the study has no outcome" if kind is None else "the outcome is a class, and no amount"}
    rows, reason = _usable(target, membership, scores)
    if rows is None:
        return {"reason": reason}
    y = _numbers(rows, ["response_value"])[:, 0]
    arms = sorted(rows["treatment"].unique())
    arm = np.column_stack([_numbers(rows.select((pl.col("treatment") == name).alias(name)), [name]) for name in arms])
    base = [np.ones((len(y), 1)), arm[:, 1:]]
    if rows["baseline"].null_count() == 0:
        base.append(_numbers(rows, ["baseline"]))
    sides: dict[str, FloatArray] = {"factors": _numbers(rows, scores.columns)}
    if membership is not None:
        # the probabilities add up to one: the last stratum is told by the others
        sides["strata"] = _numbers(rows, membership.columns)[:, :-1]
    asked = {
        name: _asked(y, np.column_stack([*base, side]), _products(side, arm[:, 1:]), seed)
        for name, side in sides.items()
    }
    found = {name: one[0] for name, one in asked.items()}
    ahead = _ahead(asked["strata"][1], asked["factors"][1], y) if "strata" in asked else None
    result = {
        "outcome": "baseline minus outcome" if rows["baseline"].null_count() == 0 else "outcome",
        "n": len(y),
        "arms": {name: int(part.sum()) for name, part in zip(arms, arm.T, strict=True)},
        "randomised": bool((rows["assignment"] == "randomised").fill_null(False).all()),
        "strata": found.get("strata"),
        "factors": found["factors"],
        "strata_ahead": ahead,
    }
    return {**result, **_compared(found, ahead, bool(result["randomised"]))}


def _usable(
    target: pl.DataFrame, membership: pl.DataFrame | None, scores: pl.DataFrame
) -> tuple[pl.DataFrame | None, str]:
    if target["treatment"].null_count() == target.height:
        return None, "the study has no treatments"
    if target["response_value"].null_count() == target.height:
        return None, "the study has no outcome that is a number"
    if not scores.width:
        return None, "there are no factor scores: too few people or measurements"
    columns = ["treatment", "assignment", "baseline", "response_value"]
    rows = pl.concat([target.select(columns), *([] if membership is None else [membership]), scores], how="horizontal")
    has_baseline = rows["baseline"].null_count() < rows.height
    needed = ["treatment", "response_value", *scores.columns, *([] if membership is None else membership.columns)]
    rows = rows.drop_nulls([*needed, *(["baseline"] if has_baseline else [])])
    sizes = rows["treatment"].value_counts()
    kept = sizes.filter(pl.col("count") >= _FEWEST_PER_ARM)["treatment"].to_list()
    rows = rows.filter(pl.col("treatment").is_in(kept))
    if len(kept) < 2:
        return None, f"fewer than two treatments with {_FEWEST_PER_ARM} people whose outcome is known"
    terms = len(kept) * (1 + max(scores.width, 0 if membership is None else membership.width - 1)) + int(has_baseline)
    if rows.height < _PEOPLE_PER_TERM * terms:
        return None, f"{rows.height} people with an outcome are too few for {terms} terms ({_PEOPLE_PER_TERM} each)"
    if float(np.ptp(rows["response_value"].to_numpy())) < 1e-12:
        return None, "everybody has the same outcome"
    return rows, ""


def _numbers(rows: pl.DataFrame, columns: list[str]) -> FloatArray:
    return np.asarray(rows.select(pl.col(columns).cast(pl.Float64)).to_numpy(), dtype=np.float64)


def _products(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray((first[:, :, None] * second[:, None, :]).reshape(len(first), -1))


def _asked(
    y: FloatArray, main: FloatArray, products: FloatArray, seed: int
) -> tuple[dict[str, Any], FloatArray | None]:
    """Test one side's interaction, and return each person's squared error out of fold beside the figures."""
    whole = np.column_stack([main, products])
    small, large = np.linalg.matrix_rank(main), np.linalg.matrix_rank(whole)
    terms, left = int(large - small), int(len(y) - large)
    if terms < 1 or left < 1:
        return {"terms": terms, "f": None, "p": None, "gain": None}, None
    errors = [float(np.sum((y - design @ np.linalg.lstsq(design, y)[0]) ** 2)) for design in (main, whole)]
    if errors[1] <= 1e-12 * len(y):
        return {"terms": terms, "f": None, "p": None, "gain": None}, None
    ratio = (errors[0] - errors[1]) / terms / (errors[1] / left)
    folds = _folds(len(y), seed)
    before, after = (
        np.mean([(y - _out_of_fold(y, design, one)) ** 2 for one in folds], axis=0) for design in (main, whole)
    )
    p = float(f_distribution.sf(max(ratio, 0.0), terms, left))
    gain = float((before.mean() - after.mean()) / y.var())  # share of variance explained beyond the smaller model
    return {"terms": terms, "f": float(ratio), "p": p, "gain": gain}, after


def _folds(n: int, seed: int) -> list[IntArray]:
    rng = np.random.default_rng([seed, 11])
    return [rng.permutation(np.arange(n) % _FOLDS) for _ in range(_REPEATS)]


def _ahead(strata: FloatArray | None, factors: FloatArray | None, y: FloatArray) -> dict[str, float] | None:
    """Share of the variance that strata explain out of fold beyond factors, with its 95 % interval over people."""
    if strata is None or factors is None:
        return None
    apart = (factors - strata) / y.var()
    value, error = float(apart.mean()), float(apart.std(ddof=1) / np.sqrt(len(apart)))
    return {"value": value, "lower": value - 1.96 * error, "upper": value + 1.96 * error}


def _out_of_fold(y: FloatArray, design: FloatArray, folds: IntArray) -> FloatArray:
    predicted = np.empty_like(y)
    for fold in range(_FOLDS):
        held = folds == fold
        inside = design[~held]
        square = inside.T @ inside + _RIDGE * len(inside) * np.eye(design.shape[1])
        predicted[held] = design[held] @ np.linalg.solve(square, inside.T @ y[~held])
    return predicted


def _compared(found: dict[str, Any], ahead: dict[str, float] | None, randomised: bool) -> dict[str, str]:
    """Choose the side that adds more, of those whose interaction passes its test and adds anything out of fold.

    Where both do and the interval of their difference holds 0, neither is called the better.
    """
    passed = {name: side["gain"] for name, side in found.items() if side["p"] is not None and side["p"] < _LEVEL}
    gains = {name: gain for name, gain in passed.items() if gain > 0}
    best = max(gains, key=gains.__getitem__, default=None)
    better = {"factors": "dimensions", "strata": "strata", None: "neither"}[best]
    if len(gains) == 2 and ahead is not None and ahead["lower"] <= 0 <= ahead["upper"]:
        better = "either"
    words = {
        "either": "Strata and continuous factor scores tell the treatments' difference about equally well.",
        "neither": "Neither strata nor dimensions are shown to tell who does better with which treatment.",
        "dimensions": "Dimensions: continuous factor scores tell the treatments' difference better than strata do.",
        "strata": "Strata tell the treatments' difference better than continuous factor scores do.",
    }[better]
    if better == "dimensions" and "strata" not in found:
        words = "Dimensions: continuous factor scores tell for whom the treatments differ."
    caution = "" if randomised else " Treatments were not drawn by lot: this may be who was given what, not response."
    return {"better": better, "words": words + caution}
