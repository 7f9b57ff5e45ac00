"""Agreement of models of halves and of other seeds."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate.strata_agreement import _summed, factors_alike, strata_agreement
from nociomics.models.settings import BlockSettings
from tests.evaluate.strata_cohorts import SETTINGS, cohort

SCORES = np.random.default_rng(1).normal(size=(80, 3))


def test_factors_in_another_order_and_turned_round_are_the_same() -> None:
    assert factors_alike(SCORES, -SCORES[:, [2, 0, 1]]) == pytest.approx(1.0)


def test_factors_of_other_people_are_not() -> None:
    other = np.random.default_rng(2).normal(size=(80, 3))
    assert factors_alike(SCORES, other) < 0.35  # type: ignore[operator]


@pytest.mark.parametrize("other", [np.empty((80, 0)), np.full((80, 3), np.nan), np.zeros((80, 3))])
def test_no_factors_agree_with_nothing(other: np.ndarray) -> None:
    assert factors_alike(SCORES, other) is None


def test_one_stratum_agrees_with_everything_and_is_not_counted_as_agreement() -> None:
    one, two = pl.Series(["S1"] * 80), pl.Series(["S1", "S2"] * 40)
    assert _summed([((one, SCORES, 1), (two, SCORES, 2))])["ari"] is None
    assert _summed([((two, SCORES, 2), (two, SCORES, 2))])["ari"] == pytest.approx(1.0)


def test_people_too_few_to_be_halved() -> None:
    one = cohort(people=49)
    found = strata_agreement(one.features, one.catalogue, SETTINGS, BlockSettings(), 1)
    assert "49 people" in found["halves"]["reason"]
