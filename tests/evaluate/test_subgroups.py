from __future__ import annotations

import polars as pl

from nociomics.evaluate.received import received_rows
from nociomics.evaluate.subgroups import subgroup_table, with_coverage
from tests.evaluate.cohorts import CHANGE, randomised_cohort


def test_groups_of_sixty_only():
    cohort = randomised_cohort(0, 1.0, people=300, repeats=2)
    received = with_coverage(received_rows(cohort.out_of_fold, cohort.target_rows, CHANGE))
    small = cohort.target_rows["patient_id"].head(40).to_list()
    received = received.with_columns(
        sex=pl.when(pl.col("patient_id").is_in(small)).then(pl.lit("X")).otherwise(pl.lit("F"))
    )
    rows = subgroup_table(received, ["sex", "group"], 100, 1)
    assert {(row["trait"], row["level"]) for row in rows} == {("sex", "F"), ("group", "site0"), ("group", "site1")}
    assert {row["metric"] for row in rows} == {"auroc", "coverage_90"}
    assert all(row["lower"] <= row["value"] <= row["upper"] and row["n"] >= 60 for row in rows)


def test_coverage_needs_an_observation():
    cohort = randomised_cohort(0, 1.0, people=100, repeats=1)
    received = with_coverage(received_rows(cohort.out_of_fold, cohort.target_rows, CHANGE))
    assert received["covered"].count() == received["observed"].count() < received.height
