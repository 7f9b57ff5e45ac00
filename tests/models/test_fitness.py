"""What keeps a study from being learned from: found before any fit, whatever the order of people."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.errors import StudyError
from nociomics.models.fitness import fitness_findings, require_fit, small_arms, without_small_arms
from nociomics.models.outcome_copies import outcome_copies
from nociomics.tables.finding import Finding
from tests.conftest import examples
from tests.models.small_study import SmallStudy, numeric_study, small_study, target_of


def findings(study: SmallStudy) -> list[Finding]:
    return fitness_findings(study.rows, study.features, study.catalogue, study.target)


def severities(study: SmallStudy) -> list[str]:
    return [finding.severity for finding in findings(study)]


@pytest.mark.parametrize("kind", ["change", "binary", "multiclass"])
def test_nothing_is_said_of_a_sound_study(kind: str) -> None:
    assert findings(small_study(kind)) == []


def test_which_end_of_a_continuous_outcome_is_better_is_said_where_treatments_are_compared() -> None:
    (found,) = findings(small_study("continuous"))
    assert found.severity == "warning" and "a larger value is taken as better" in found.message
    assert findings(small_study("continuous", arms=())) == []


def test_findings_do_not_depend_on_the_order_of_people() -> None:
    study = small_study(people=90)
    spoiled = study.changed(features=study.features.with_columns(leak=study.rows["outcome"] * 2))
    leak = study.catalogue[:1].with_columns(feature=pl.lit("leak"), kind=pl.lit("numeric"))
    spoiled = spoiled.changed(catalogue=pl.concat([study.catalogue, leak]))
    assert len(findings(spoiled)) == 1
    order = np.random.default_rng(1).permutation(90)
    assert findings(spoiled.changed(rows=spoiled.rows[order])) == findings(spoiled)


def test_every_fatal_finding_is_told_at_once() -> None:
    found = [Finding("outcomes", None, "fatal", 1, f"{word}.") for word in ("first", "second")]
    with pytest.raises(StudyError, match=r"first\.\nsecond\.\n2 problems stop the run\."):
        require_fit([*found, Finding("outcomes", None, "warning", 1, "third.")])


@pytest.mark.parametrize(("people", "fatal"), [(29, True), (30, False)])
def test_thirty_people_with_everything_are_the_fewest(people: int, fatal: bool) -> None:
    study = small_study("continuous", people=people, arms=())
    known = study.rows.with_columns(response_value=pl.lit(1.0) * pl.int_range(people))
    assert ("fatal" in severities(study.changed(rows=known))) is fatal


@pytest.mark.parametrize(("people", "small"), [(9, ["third"]), (10, [])])
def test_a_treatment_needs_ten_people_with_an_outcome(people: int, small: list[str]) -> None:
    study = small_study("continuous", people=90)
    third = pl.when(pl.int_range(90) < people).then(pl.lit("third")).otherwise("treatment").alias("treatment")
    rows = study.rows.with_columns(third, response_value=pl.int_range(90).cast(pl.Float64))
    assert small_arms(rows, study.target) == small


def test_leaving_small_arms_out_changes_nobody_else() -> None:
    study = small_study("continuous", people=90)
    third = pl.when(pl.int_range(90) < 4).then(pl.lit("third")).otherwise("treatment").alias("treatment")
    rows = study.rows.with_columns(third)
    flow = pl.DataFrame(
        {"step": ["people", "analysable"], "people": [90, 86], "left_out": [0, 4], "reason": ["everyone", "sum"]}
    )
    fewer, told = without_small_arms(rows, flow, study.target)
    assert fewer["treatment"][:4].null_count() == 4
    assert fewer[4:].equals(rows[4:]) and fewer.drop("treatment").equals(rows.drop("treatment"))
    lost = rows[:4]["response_value"].count()
    assert told["left_out"].to_list() == [0, lost, 4 + lost]
    assert without_small_arms(study.rows, flow, study.target)[0] is study.rows


def test_a_treatment_of_one_site_is_found_by_the_feature_where_no_groups_are_named() -> None:
    study = small_study(people=90)
    site = pl.when(pl.int_range(90) % 2 == 0).then(pl.lit("north")).otherwise(pl.lit("south"))
    features = study.features.with_columns(site=pl.select(site).to_series())
    local = (features["site"] == "north") & pl.Series(np.arange(90) % 6 == 0)
    arm = pl.when(local).then(pl.lit("local")).otherwise("treatment").alias("treatment")
    found = findings(study.changed(features=features, rows=study.rows.with_columns(arm)))
    assert [finding.column for finding in found] == ["arm"]
    assert '"local" was given in one site alone of 2' in found[0].message


# -- copies of the outcome


def continuous(outcome: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"outcome": outcome, "response_value": outcome, "label": None, "responded": None})


def classes(labels: np.ndarray) -> pl.DataFrame:
    words = pl.Series(labels).cast(pl.String)
    return pl.DataFrame({"outcome": labels.astype(float), "response_value": None, "label": words, "responded": None})


def copies(columns: dict[str, np.ndarray], rows: pl.DataFrame, kind: str) -> list[str]:
    features, catalogue = numeric_study(columns)
    return [copy.feature for copy in outcome_copies(rows, features, catalogue, target_of(kind, arms=()))]


@settings(max_examples=examples(20), deadline=None)
@given(
    slope=st.floats(0.01, 100).flatmap(lambda size: st.sampled_from([size, -size])),
    bend=st.sampled_from([lambda x: x, np.exp, np.cbrt, lambda x: np.round(x, 3)]),
    lost=st.floats(0, 0.5),
    seed=st.integers(0, 20),
)
def test_every_rising_or_falling_function_of_the_outcome_is_a_copy(slope, bend, lost, seed) -> None:
    rng = np.random.default_rng(seed)
    outcome = rng.normal(size=80)
    feature = np.where(rng.random(80) < lost, np.nan, slope * bend(outcome))
    assert copies({"copy": feature, "noise": rng.normal(size=80)}, continuous(outcome), "continuous") == ["copy"]


def test_a_very_good_predictor_is_no_copy() -> None:
    rng = np.random.default_rng(1)
    outcome = rng.normal(size=200)
    near = outcome + 0.1 * rng.normal(size=200)
    assert np.corrcoef(outcome, near)[0, 1] > 0.99
    assert copies({"near": near}, continuous(outcome), "continuous") == []


def test_a_number_that_separates_the_classes_is_found_and_one_error_saves_it() -> None:
    rng = np.random.default_rng(1)
    label = np.arange(60) % 2
    marker = label * 4.0 + rng.uniform(size=60)
    wrong = marker.copy()
    wrong[0] = 5.0
    found = copies({"marker": marker, "wrong": wrong, "falling": -marker}, classes(label), "binary")
    assert found == ["marker", "falling"]


def test_noise_never_separates_few_people() -> None:
    rng = np.random.default_rng(1)
    columns = {f"gene_{g}": rng.normal(size=30) for g in range(3000)}
    label = np.array([1] * 3 + [0] * 27)
    assert copies(columns, classes(label), "binary") == [], "three people are separated by chance, and do not count"


def test_three_classes_coded_as_numbers_are_found() -> None:
    label = np.arange(90) % 3
    codes = np.array([10.0, 30.0, 20.0])[label]
    assert copies({"codes": codes}, classes(label), "multiclass") == ["codes"]


def test_an_id_determines_nothing() -> None:
    label = np.arange(60) % 2
    features, catalogue = numeric_study({"code": np.arange(60.0)})
    features = features.with_columns(pl.col("code").cast(pl.Int64).cast(pl.String))
    catalogue = catalogue.with_columns(kind=pl.lit("category"))
    assert outcome_copies(classes(label), features, catalogue, target_of("binary", arms=())) == []
