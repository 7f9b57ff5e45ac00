"""What a scorecard asks for, and how honestly its agreement is told."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score

from nociomics.evaluate.strata_scorecard import bedside_columns, cohens_kappa, factor_scorecard, strata_scorecard
from tests.evaluate.strata_cohorts import ANALYTES, PROTEINS, cohort

ONE = cohort(people=300, types=3.5)
STRATA = pl.Series([f"S{kind + 1}" for kind in ONE.truth])
MEMBERSHIP = pl.DataFrame({"S1": (ONE.truth == 0).astype(float), "S2": (ONE.truth == 1).astype(float)})


def test_nothing_from_a_laboratory_and_no_site_is_asked_for() -> None:
    _, variables = bedside_columns(ONE.features, ONE.catalogue)
    asked = {variable.feature for variable in variables}
    assert "dn4_total" in asked and "sex" in asked
    assert not asked & {*ANALYTES, *PROTEINS, "site"}


def test_what_most_people_lack_is_not_asked_for() -> None:
    rare = ONE.features.with_columns(pl.when(pl.Series(np.arange(300) < 100)).then(pl.col("dn4_total")))
    assert "dn4_total" not in {variable.feature for variable in bedside_columns(rare, ONE.catalogue)[1]}


def test_parts_of_an_instrument_are_asked_for_only_without_its_total() -> None:
    part = ONE.catalogue.filter(pl.col("feature") == "pcs_total").with_columns(feature=pl.lit("pcs_rumination"))
    catalogue = pl.concat([ONE.catalogue, part])
    features = ONE.features.with_columns(pcs_rumination=pl.col("pcs_total") / 3)
    assert "pcs_rumination" not in {one.feature for one in bedside_columns(features, catalogue)[1]}
    without = features.with_columns(pcs_total=pl.lit(None, dtype=pl.Float64))
    assert "pcs_rumination" in {one.feature for one in bedside_columns(without, catalogue)[1]}


def test_kappa_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(0, 3, 200)
    second = np.where(rng.random(200) < 0.6, first, rng.integers(0, 3, 200))
    table = np.zeros((1, 3, 3))
    np.add.at(table[0], (first, second), 1)
    assert cohens_kappa(table)[0] == pytest.approx(cohen_kappa_score(first, second))


def test_strata_by_lot_are_not_told_by_any_card() -> None:
    """Out of fold there is nothing to agree on; in the people it was learned from it would look better."""
    lot = np.random.default_rng(9).integers(0, 2, 300)
    card = strata_scorecard(ONE.features, ONE.catalogue, pl.Series([f"S{one + 1}" for one in lot]), _members(lot), 1)
    assert card["kappa"]["lower"] < 0 < card["kappa"]["upper"] + 0.05
    assert card["loses"]["placed_otherwise"] > 0.35


def test_what_it_loses_is_what_it_does_not_share() -> None:
    card = strata_scorecard(ONE.features, ONE.catalogue, STRATA, MEMBERSHIP, 1)
    assert card["loses"]["placed_otherwise"] == pytest.approx(1 - card["agreement"])
    assert card["loses"]["probability"] == pytest.approx(1 - card["agreement"])  # certain membership
    assert card["n"] == 300 and set(card["by_stratum"]) == {"S1", "S2"}


def test_people_without_a_stratum_are_left_out() -> None:
    partly = STRATA.zip_with(pl.Series(np.arange(300) < 200), pl.Series([None] * 300, dtype=pl.String))
    assert strata_scorecard(ONE.features, ONE.catalogue, partly, MEMBERSHIP, 1)["n"] == 200


def test_a_stratum_of_few_people_has_no_card() -> None:
    few = pl.Series(["S2" if place < 5 else "S1" for place in range(300)])
    assert "fewer than 10" in strata_scorecard(ONE.features, ONE.catalogue, few, MEMBERSHIP, 1)["reason"]


def test_a_study_without_bedside_variables_has_no_card() -> None:
    features = ONE.features.select("patient_id", *ANALYTES)
    assert "no clinical variable" in strata_scorecard(features, ONE.catalogue, STRATA, MEMBERSHIP, 1)["reason"]


def test_factors_are_told_by_weights_that_give_the_factor_back() -> None:
    scores = ONE.features.select(factor_1=2 * pl.col("dn4_total") - pl.col("age") / 10 + 1)
    card = factor_scorecard(ONE.features, ONE.catalogue, scores, 1)
    assert card["r2"]["factor_1"] == pytest.approx(1.0, abs=1e-4)
    weights = dict(zip([one["feature"] for one in card["variables"]], card["rule"]["factor_1"]["weights"], strict=True))
    assert weights["dn4_total"] == pytest.approx(2.0, abs=1e-2)
    assert weights["age"] == pytest.approx(-0.1, abs=1e-3)


def _members(labels: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({f"S{one + 1}": (labels == one).astype(float) for one in range(2)})
