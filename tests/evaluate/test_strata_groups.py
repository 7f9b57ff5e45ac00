"""Which variables stand beside the strata, and what each is judged as."""

from __future__ import annotations

import polars as pl

from nociomics.evaluate.association import Association
from nociomics.evaluate.strata_associations import concentrations, verdict
from nociomics.evaluate.strata_groups import Beside, beside_strata, missing_beside
from nociomics.tables.results import STRATA_CONCENTRATIONS
from tests.evaluate.strata_cohorts import ANALYTES, Cohort, cohort

ONE = cohort(people=120)


def roles(one: Cohort) -> dict[str, str]:
    beside = beside_strata(one.tables, one.features, one.catalogue, one.target, one.study)
    assert len({entry.name for entry in beside}) == len(beside)
    assert all(len(entry.values) == one.features.height for entry in beside)
    return {entry.name: entry.role for entry in beside}


def test_site_plate_gaps_outcome_treatment_and_traits() -> None:
    found = roles(ONE)
    assert found["site"] == "site" and found["plate"] == "batch"
    assert found["measured blocks"] == found["share missing"] == "missingness"
    assert found["outcome as modelled"] == "outcome" and found["arm"] == "treatment"
    assert found["age"] == found["sex"] == "trait"
    assert not set(found) & set(ANALYTES)


def test_a_clinical_column_that_names_a_batch_is_judged_as_one() -> None:
    features = ONE.features.with_columns(sequencing_run=pl.lit("r1"), clinic=pl.lit("c1"))
    extra = ONE.catalogue.filter(pl.col("feature") == "site")
    rows = [extra.with_columns(feature=pl.lit(name)) for name in ("sequencing_run", "clinic")]
    found = roles(ONE.changed(features=features, catalogue=pl.concat([ONE.catalogue, *rows])))
    assert found["sequencing_run"] == "batch" and found["clinic"] == "site"


def test_what_values_compare_within_is_a_batch_or_a_site() -> None:
    features = ONE.features.with_columns(expression_batch=pl.lit("e1"))
    within = ONE.catalogue.with_columns(
        pl.when(pl.col("feature") == "p1").then(pl.lit("expression_batch")).alias("within")
    )
    assert roles(ONE.changed(features=features, catalogue=within))["expression_batch"] == "batch"


def test_rare_patterns_of_gaps_are_one_group() -> None:
    place = pl.int_range(pl.len())
    features = ONE.features.with_columns(
        pl.when(place >= 30).then(pl.col(ANALYTES)), pl.when(place != 50).then(pl.col("^p\\d$"))
    )
    pattern, share = missing_beside(features, ONE.catalogue)
    counts = dict(pattern.values.value_counts().iter_rows())
    assert counts == {
        "biomarkers+clinical+proteins+questionnaires": 89,
        "clinical+proteins+questionnaires": 30,
        "rare patterns": 1,
    }
    assert share.is_number and share.values[0] == 3 / 11


def test_nothing_is_said_of_gaps_without_features() -> None:
    assert missing_beside(ONE.features.select("patient_id"), ONE.catalogue) == []


# value | p | groups | role -> verdict
def test_verdicts() -> None:
    def judged(value: float | None, p: float | None, role: str = "batch", groups: int = 2) -> str:
        return verdict(role, Association("cramers_v", value, None, None, p, 100), groups)

    assert judged(0.2, 0.05) == "batch cluster"
    assert judged(0.199, 0.001) == "clear"
    assert judged(0.6, 0.06) == "cannot tell"
    assert judged(None, None) == "cannot tell"
    assert judged(None, None, groups=1) == "one group"
    assert judged(-0.4, 0.001, "missingness") == "missingness cluster"
    assert judged(0.9, 0.001, "outcome") == judged(0.9, 0.001, "trait") == "not judged"


def test_counts_and_residuals_of_a_table_that_can_be_done_by_hand() -> None:
    """30 people: S1 is 10 of 15 in the north, S2 5 of 15."""
    strata = pl.Series(["S1"] * 15 + ["S2"] * 15)
    north = pl.Series((["north"] * 10 + ["south"] * 5) + (["north"] * 5 + ["south"] * 10))
    rows = STRATA_CONCENTRATIONS.check(concentrations(strata, [Beside("site", "site", north)]))
    first = rows.row(by_predicate=(pl.col("stratum") == "S1") & (pl.col("level") == "north"), named=True)
    assert (first["people"], first["share"], first["expected_share"]) == (10, 10 / 15, 0.5)
    # (10 - 7.5) / sqrt(7.5 * 0.5 * 0.5)
    assert abs(first["residual"] - 1.825741858) < 1e-6
    assert not first["concentrated"]


def test_numbers_and_single_strata_are_not_crossed() -> None:
    strata = pl.Series(["S1"] * 10)
    assert concentrations(strata, [Beside("site", "site", pl.Series(["a", "b"] * 5))]).is_empty()
    two = pl.Series(["S1", "S2"] * 5)
    assert concentrations(two, [Beside("age", "trait", pl.Series(range(10)).cast(pl.Float64))]).is_empty()
