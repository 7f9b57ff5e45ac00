"""Figures of single outer folds."""

from __future__ import annotations

import polars as pl
import pytest

from nociomics.evaluate.fold_figures import fold_figures
from nociomics.evaluate.permutation import headline_value
from tests.evaluate.cohorts import CHANGE, randomised_cohort


def test_the_mean_over_folds_is_the_headline_of_the_study() -> None:
    cohort = randomised_cohort(3, 1.0, people=200)
    folds = fold_figures(cohort.out_of_fold, cohort.target_rows, CHANGE)
    name, value = headline_value(cohort.out_of_fold, cohort.target_rows, CHANGE)
    heads = folds.filter(metric=name)
    assert heads["value"].mean() == pytest.approx(value, abs=1e-12)
    keys = cohort.out_of_fold.select("repeat", "outer_fold").unique()
    assert heads.height == keys.height
    assert folds["metric"].unique(maintain_order=True).to_list() == ["auroc", "brier", "mae"]
    everyone = heads.group_by("repeat").agg(pl.col("people").sum())["people"].unique()
    assert everyone.len() == 1, "every repeat divides the same people"


def test_a_fold_without_events_has_no_auroc_and_keeps_its_other_figures() -> None:
    cohort = randomised_cohort(3, 1.0, people=200)
    first = cohort.out_of_fold.filter((pl.col("repeat") == 0) & (pl.col("outer_fold") == 0))["patient_id"].unique()
    gone = pl.col("patient_id").is_in(first.implode())
    rows = cohort.target_rows.with_columns(responded=pl.when(gone).then(0.0).otherwise("responded"))
    folds = fold_figures(cohort.out_of_fold, rows, CHANGE).filter((pl.col("repeat") == 0) & (pl.col("outer_fold") == 0))
    told = dict(folds.select("metric", "value").iter_rows())
    assert told["auroc"] is None
    assert told["brier"] is not None and told["mae"] is not None
