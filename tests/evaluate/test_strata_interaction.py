"""Strata x treatment against dimensions x treatment: the truth decides which wins."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate.strata_interaction import _compared, strata_by_treatment

N = 400


def study(
    by: str, size: float = 2.0, seed: int = 1, people: int = N
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Target, membership and scores when the arms' difference depends on strata, a dimension or nothing."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, people)
    # a dimension that is no stratum: labels know half of it at best
    scores = np.column_stack([rng.normal(size=people), rng.normal(size=people) + 0.8 * kind])
    arm = rng.integers(0, 2, people)
    moves = {"strata": kind - 0.5, "dimension": scores[:, 0], "nothing": np.zeros(people)}[by]
    y = 1 + size * np.where(arm == 1, moves, -moves) + rng.normal(size=people)
    target = pl.DataFrame(
        {
            "treatment": np.where(arm == 1, "snri", "cbt").tolist(),
            "assignment": ["randomised"] * people,
            "baseline": pl.Series([None] * people, dtype=pl.Float64),
            "response_value": y,
        }
    )
    membership = pl.DataFrame({"S1": 1.0 - kind, "S2": kind.astype(float)})
    return target, membership, pl.DataFrame({"factor_1": scores[:, 0], "factor_2": scores[:, 1]})


@pytest.mark.parametrize(("by", "better"), [("strata", "strata"), ("dimension", "dimensions"), ("nothing", "neither")])
def test_what_moves_the_difference_wins(by: str, better: str) -> None:
    target, membership, scores = study(by)
    found = strata_by_treatment(target, "continuous", membership, scores, 1)
    assert found["better"] == better
    assert found["n"] == N and found["randomised"] is True
    assert found["strata"]["terms"] == 1 and found["factors"]["terms"] == 2


def test_nothing_is_claimed_more_often_than_its_level() -> None:
    verdicts = [strata_by_treatment(*_with_kind(study("nothing", seed=seed)), 1)["better"] for seed in range(30)]
    assert verdicts.count("neither") >= 25


def _with_kind(parts: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]):  # type: ignore[no-untyped-def]
    target, membership, scores = parts
    return target, "continuous", membership, scores


def test_the_f_test_is_that_of_a_regression_with_dummies() -> None:
    target, membership, scores = study("strata")
    y, arm = target["response_value"].to_numpy(), (target["treatment"] == "snri").to_numpy().astype(float)
    kind = membership["S1"].to_numpy()
    small = np.column_stack([np.ones(N), arm, kind])
    large = np.column_stack([small, arm * kind])
    errors = [((y - x @ np.linalg.lstsq(x, y)[0]) ** 2).sum() for x in (small, large)]
    found = strata_by_treatment(target, "continuous", membership, scores, 1)["strata"]
    assert found["f"] == pytest.approx((errors[0] - errors[1]) / (errors[1] / (N - 4)))


def test_one_stratum_leaves_the_dimensions_alone() -> None:
    target, _, scores = study("dimension")
    found = strata_by_treatment(target, "continuous", None, scores, 1)
    assert found["strata"] is None and found["better"] == "dimensions"


def test_treatments_not_by_lot_are_cautioned_about() -> None:
    target, membership, scores = study("strata")
    chosen = target.with_columns(assignment=pl.lit("clinical"))
    assert "not drawn by lot" in strata_by_treatment(chosen, "continuous", membership, scores, 1)["words"]


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        (pl.lit(None, dtype=pl.String).alias("treatment"), "continuous", "no treatments"),
        (pl.lit(None, dtype=pl.Float64).alias("response_value"), "continuous", "no outcome"),
        (pl.lit("cbt").alias("treatment"), "continuous", "fewer than two treatments"),
        (pl.lit(2.0).alias("response_value"), "continuous", "same outcome"),
        (pl.lit("cbt").alias("assignment"), "multiclass", "class"),
        (pl.lit("cbt").alias("assignment"), None, "no outcome"),
    ],
)
def test_where_it_cannot_be_asked_the_reason_stands(change: pl.Expr, kind: str | None, reason: str) -> None:
    target, membership, scores = study("strata")
    found = strata_by_treatment(target.with_columns(change), kind, membership, scores, 1)
    assert set(found) == {"reason"} and reason in found["reason"]


def test_too_few_people_for_the_terms() -> None:
    target, membership, _ = study("strata", people=60)
    scores = pl.DataFrame({f"factor_{place}": np.random.default_rng(place).normal(size=60) for place in range(6)})
    assert "too few" in strata_by_treatment(target, "continuous", membership, scores, 1)["reason"]


def test_a_difference_within_its_interval_names_no_winner() -> None:
    passed = {name: {"p": 1e-6, "gain": gain} for name, gain in (("strata", 0.065), ("factors", 0.057))}
    close = {"value": 0.008, "lower": -0.01, "upper": 0.026}
    clear = {"value": 0.008, "lower": 0.001, "upper": 0.015}
    assert _compared(passed, close, True)["better"] == "either"
    assert "equally well" in _compared(passed, close, True)["words"]
    assert _compared(passed, clear, True)["better"] == "strata"
