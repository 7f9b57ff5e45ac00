from __future__ import annotations

import polars as pl
import pytest

from nociomics.simulate.cohort import Cohort


@pytest.mark.parametrize(
    ("prefix", "items", "highest"),
    [("bpi_sev", 4, 10), ("bpi_int", 7, 10), ("pcs", 13, 4), ("bdi", 21, 3), ("dn4", 10, 1)],
)
def test_items_use_their_whole_range(large_cohorts: list[Cohort], prefix: str, items: int, highest: int) -> None:
    answers = large_cohorts[0].questionnaires.select(pl.col(f"^{prefix}_.*$"))
    assert answers.columns == [f"{prefix}_{number}" for number in range(1, items + 1)]
    assert set(answers.unpivot()["value"].drop_nulls()) == set(range(highest + 1))


def test_older_people_leave_out_the_last_item_of_the_bdi(large_cohorts: list[Cohort]) -> None:
    rows = pl.concat([cohort.questionnaires.join(cohort.patients, on="patient_id") for cohort in large_cohorts])
    share = rows.group_by((pl.col("age") > 60).alias("old")).agg(pl.col("bdi_21").is_null().mean())
    found = dict(share.iter_rows())
    assert found[False] == pytest.approx(1 - 0.98 * 0.97, abs=0.012)
    assert found[True] == pytest.approx(1 - 0.98 * 0.85, abs=0.02)
    others = rows.select(pl.col("^(bpi|pcs|dn4)_.*$")).null_count().sum_horizontal().item()
    assert others / (rows.height * 34) == pytest.approx(0.02, abs=0.002)


def test_worst_pain_exceeds_least_pain(cohort: Cohort) -> None:
    means = cohort.questionnaires.select(pl.col("^bpi_sev_.*$").mean()).row(0)
    assert means[0] > means[2] + 1 > means[1] + 2
