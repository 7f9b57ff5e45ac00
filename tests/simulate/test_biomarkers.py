from __future__ import annotations

import polars as pl
import pytest

from nociomics.simulate.cohort import Cohort

_ODD = {
    ("TNF", "site_2"): "ng/L",
    ("CRP", "site_2"): "mg/dL",
    ("IL-6", "site_3"): "fg/mL",
    ("cortisol", "site_3"): "ug/dL",
    ("BDNF", "site_4"): "pg/mL",
}
_BASE = {"CRP": "mg/L", "BDNF": "ng/mL", "cortisol": "nmol/L"}


def test_each_site_reports_in_its_own_unit(cohort: Cohort) -> None:
    rows = cohort.biomarkers.join(cohort.patients.select("patient_id", "site"), on="patient_id")
    units = rows.group_by("analyte", "site").agg(pl.col("unit").unique())
    assert units.height == 28
    for analyte, site, found in units.iter_rows():
        assert found == [_ODD.get((analyte, site), _BASE.get(analyte, "pg/mL"))]


def test_a_non_detect_holds_the_limit_in_the_reported_unit(large_cohorts: list[Cohort]) -> None:
    rows = large_cohorts[0].biomarkers
    below = rows.filter("below_lod")
    assert below["value"].equals(below["lod"].alias("value"))
    assert (rows["value"] >= rows["lod"]).all()
    limits = rows.filter(pl.col("analyte") == "IL-6").group_by("unit").agg(pl.col("lod").unique())
    assert dict(limits.iter_rows()) == {"pg/mL": [0.4], "fg/mL": [400.0]}


def test_plates_hold_at_most_eighty_people_in_random_order(cohort: Cohort) -> None:
    plates = cohort.biomarkers.group_by("plate").agg(pl.col("patient_id").n_unique())
    full = plates.sort("plate")["patient_id"].to_list()
    assert full[:-1] == [80] * (len(full) - 1)
    assert 0 < full[-1] <= 80
    sites = cohort.biomarkers.join(cohort.patients, on="patient_id").group_by("plate").agg(pl.col("site").n_unique())
    assert (sites["site"] == 4).all()
    assert set(cohort.truth["plates"]["plate"]) == set(plates["plate"])


def test_a_plate_shifts_all_its_people(large_cohorts: list[Cohort]) -> None:
    cohort = large_cohorts[1]
    medians = (
        cohort.biomarkers.filter(analyte="IL-10")
        .group_by("plate")
        .agg(pl.col("value").log().mean())
        .join(cohort.truth["plates"].filter(analyte="IL-10"), on="plate")
    )
    assert medians.select(pl.corr("value", "shift")).item() > 0.9


def test_a_measured_person_has_every_analyte_once(cohort: Cohort) -> None:
    counts = cohort.biomarkers.group_by("patient_id").agg(pl.len(), pl.col("analyte").n_unique().alias("kinds"))
    assert counts.select("len", "kinds").unique().rows() == [(7, 7)]
    assert cohort.biomarkers["specimen"].unique().to_list() == ["serum"]
    assert 1 - counts.height / 600 == pytest.approx(0.10, abs=0.04)
