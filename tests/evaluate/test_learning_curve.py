from __future__ import annotations

import polars as pl
import pytest

from nociomics.evaluate.learning_curve import learning_points
from nociomics.evaluate.metric_sets import Sampling
from tests.evaluate.cohorts import CHANGE, randomised_cohort

FEW = Sampling(resamples=20)


def test_points_by_share_the_last_from_whole_training_parts() -> None:
    cohort = randomised_cohort(3, 1.0, people=200)
    first = cohort.out_of_fold.filter(pl.col("repeat") == 0)
    worse = first.with_columns(p_response=pl.col("p_response").shuffle(1))
    points = learning_points(cohort.out_of_fold, {0.5: first, 0.25: worse}, cohort.target_rows, CHANGE, FEW)
    assert [point["share"] for point in points] == [0.25, 0.5, 1.0]
    assert points[0]["value"] < points[1]["value"] == pytest.approx(points[2]["value"])
    assert all(point["metric"] == "auroc" and point["lower"] < point["value"] < point["upper"] for point in points)


def test_nothing_without_shares_and_no_figure_without_predictions() -> None:
    cohort = randomised_cohort(3, 1.0, people=200)
    assert learning_points(cohort.out_of_fold, {}, cohort.target_rows, CHANGE, FEW) == []
    points = learning_points(cohort.out_of_fold, {0.25: cohort.out_of_fold.clear()}, cohort.target_rows, CHANGE, FEW)
    assert points[0]["value"] is None and points[0]["n"] == 0
