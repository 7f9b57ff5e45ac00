"""The gate: every way in which a table can be wrong, and what is said of it."""

import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nociomics.errors import NociomicsError
from nociomics.export.bundle import Bundle, load_bundle
from nociomics.export.gate import Gate, Limits
from nociomics.export.loaded_model import LoadedModel
from nociomics.preparation import prepare_new_tables
from tests.export.bundles import small_bundle, write_small_bundle
from tests.models.small_study import SmallStudy, small_study


@pytest.fixture(scope="module")
def study() -> SmallStudy:
    return small_study(people=120)


@pytest.fixture(scope="module")
def bundle(study, tmp_path_factory) -> Bundle:
    return small_bundle(study, tmp_path_factory.mktemp("gate"))


@pytest.fixture(scope="module")
def model(bundle) -> LoadedModel:
    return LoadedModel(bundle, prepare_new_tables)


def one_person(study: SmallStudy, **changed: object) -> list[dict[str, Any]]:
    """The study's third person, with some values changed."""
    return [study.features[2].to_dicts()[0] | changed]


def status_of(bundle: Bundle, rows: Any) -> str:
    return bundle.input_gate.admit(rows).status[0]


# what comes in -> what is said; every line of the table of methods that a signature lets through is here
SPEC = [
    ("as it was", {}, "ok"),
    ("whole number for a number", {"age": 50}, "ok"),
    ("12.0 for a whole number", {"pcs_total": 12.0}, "ok"),
    ("null where it may be missing", {"pcs_total": None}, "ok"),
    ("NaN where it may be missing", {"pcs_total": float("nan")}, "ok"),
    ("true for yes or no", {"il6_below_lod": True}, "ok"),
    ("text for a number", {"age": "50"}, "rejected: age is not a number"),
    ("true for a number", {"age": True}, "rejected: age is not a number"),
    ("a list for a number", {"age": [50]}, "rejected: age is not a number"),
    ("a number too large for a float", {"age": 10**400}, "rejected: age is not within 0 to 120 years"),
    ("+inf", {"crp_mg_per_l": math.inf}, "rejected: crp_mg_per_l is not within 0 to 500 mg/L"),
    ("-inf", {"crp_mg_per_l": -math.inf}, "rejected: crp_mg_per_l is not within 0 to 500 mg/L"),
    ("CRP = -4", {"crp_mg_per_l": -4.0}, "rejected: crp_mg_per_l is not within 0 to 500 mg/L"),
    ("CRP = 1e308", {"crp_mg_per_l": 1e308}, "rejected: crp_mg_per_l is not within 0 to 500 mg/L"),
    ("PCS = 999", {"pcs_total": 999}, "rejected: pcs_total is not within 0 to 52 score"),
    ("unknown category", {"sex": "X"}, "rejected: sex is none of the model's 2 categories (schema)"),
    ("no category", {"sex": None}, "ok"),
    ("a number for a category", {"sex": 1.5}, "rejected: sex is none of the model's 2 categories (schema)"),
    ("another scale in a block", {"gene_07": 25000.0}, "rejected: gene_07 is not within "),
]


@pytest.mark.parametrize(("changed", "said"), [row[1:] for row in SPEC], ids=[row[0] for row in SPEC])
def test_what_comes_in_and_what_is_said(bundle, study, changed, said):
    assert status_of(bundle, one_person(study, **changed)).startswith(said)


def test_a_value_that_another_unit_explains_is_named(bundle, study):
    entry = next(one for one in bundle.schema if one["feature"] == "crp_mg_per_l")
    value = entry["median"] / 1000  # the median person, in g/L
    assert value < entry["usual_low"], "else the value would be an ordinary one"
    said = status_of(bundle, one_person(study, crp_mg_per_l=value))
    assert said == "rejected: check the unit of crp_mg_per_l: it would be an ordinary value in g/L"


def test_a_whole_column_in_another_unit_is_named_also_where_single_values_are_ordinary(bundle, study):
    wrong = study.features.with_columns(pl.col("crp_mg_per_l") / 10)
    statuses = bundle.input_gate.admit(wrong).status
    measured = study.features["crp_mg_per_l"].is_not_null().to_list()
    named = [one.startswith("rejected: check the unit of crp_mg_per_l") for one in statuses]
    assert named == measured
    entry = next(one for one in bundle.schema if one["feature"] == "crp_mg_per_l")
    assert any("in the whole table the values look as if in mg/dL" in one for one in statuses)
    assert (wrong["crp_mg_per_l"] > entry["usual_low"]).any()


def test_one_site_in_another_unit_is_refused_and_the_others_answered(bundle, study):
    site = pl.Series("site", ["a", "b"] * 60)
    divided = pl.when(site == "b").then(pl.col("crp_mg_per_l") / 1000).otherwise("crp_mg_per_l").alias("crp_mg_per_l")
    statuses = pl.Series(bundle.input_gate.admit(study.features.with_columns(site, divided)).status)
    measured = study.features["crp_mg_per_l"].is_not_null()
    assert statuses.filter((site == "b") & measured).str.contains("check the unit of crp_mg_per_l").all()
    assert (statuses.filter(site == "a") == "ok").all()


def test_no_training_person_is_doubted(bundle, study):
    assert set(bundle.input_gate.admit(study.features).status) == {"ok"}


def test_order_of_columns_and_further_ones_change_nothing_and_are_told(bundle, study):
    names = study.features.columns[::-1]
    turned = study.features.select(names).with_columns(pl.lit("x").alias("shoe_size"))
    one, other = bundle.input_gate.admit(study.features), bundle.input_gate.admit(turned)
    assert one.features.equals(other.features)
    assert other.notes == ("1 columns are not used by this model and were left out: shoe_size",)


def test_absent_inputs_count_as_not_measured_and_are_told(bundle, study):
    admitted = bundle.input_gate.admit(study.features.drop("age"))
    assert set(admitted.status) == {"ok"}
    assert admitted.notes == ("1 inputs are absent and count as not measured: age",)


@pytest.mark.parametrize("absent", [False, True])
def test_what_must_not_be_missing_is_named(study, absent, bundle):
    needed = [entry | {"missing_ok": entry["feature"] not in ("age", "sex")} for entry in bundle.schema]
    rows = study.features.drop("age", "sex") if absent else study.features.with_columns(age=None, sex=None)
    statuses = Gate(needed).admit(rows).status
    assert all("age is missing" in one and "sex is missing" in one for one in statuses)


def test_a_site_that_nobody_came_from_is_told_and_answered(bundle, study):
    entry = dict.fromkeys(("low", "high", "within")) | {"feature": "site", "kind": "category", "unit": "category"}
    entry |= {"modality": "clinical", "categories": ["a"], "open": True}
    admitted = Gate([*bundle.schema, entry]).admit(study.features.with_columns(site=pl.lit("new")))
    assert set(admitted.status) == {"ok"}
    assert admitted.notes == ("120 people have a site that the model does not know",)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (pd.DataFrame([["a", 1.0, 2.0]], columns=["patient_id", "age", "age"]), "1 column names occur more than once"),
        (np.zeros((2, 3)), "has no named columns"),
        ([1, 2], "has no named columns"),
        ("age", "has no named columns"),
        (pl.DataFrame({"age": [50.0]}), "no column patient_id"),
        (pl.DataFrame({"patient_id": ["a", None]}), "1 rows have no patient_id"),
        (pl.DataFrame({"patient_id": ["SECRET", "SECRET"]}), "1 patient_id occur in more than one row"),
        ({"patient_id": ["a"], "age": [1, 2]}, "differ in length"),
        (pl.DataFrame({"patient_id": range(11)}), "11 rows; at most 10"),
    ],
)
def test_a_table_that_cannot_be_taken_is_refused_whole(bundle, rows, said):
    with pytest.raises(NociomicsError, match=said) as refused:
        bundle.input_gate.admit(rows, Limits(people=10))
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("nobody", [pl.DataFrame(), [], pd.DataFrame(), {}])
def test_nobody_is_answered_with_nothing(model, nobody):
    found = model.answer(nobody)
    assert found.predictions.is_empty() and found.effects.is_empty() and found.strata.is_empty()


def test_too_slow_an_answer_is_given_up(bundle, study):
    with pytest.raises(NociomicsError, match="longer than the limit of 0 seconds"):
        LoadedModel(bundle, prepare_new_tables, Limits(seconds=0)).predict(study.features)


def test_every_make_of_table_is_read_alike(bundle, study):
    expected = bundle.input_gate.admit(study.features)
    frame = study.features.to_pandas()
    makes = [study.features.lazy(), frame, frame.astype({"age": object}), study.features.to_dicts()]
    for rows in [*makes, study.features.to_dict(as_series=False)]:
        found = bundle.input_gate.admit(rows)
        assert found.status == expected.status
        np.testing.assert_allclose(found.values, expected.values)
        assert found.labels == expected.labels


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=5),
    st.floats(0, 50),
    st.sampled_from(["F", "M", "a", 1e308, -1e308, 10**400]),
    st.lists(st.integers(), max_size=2),
)
NAMES = st.sampled_from(
    ["age", "sex", "pcs_total", "crp_mg_per_l", "il6_pg_per_ml", "gene_01", "gene_07", "bpi_severity", "site", "?"]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(rows=st.lists(st.dictionaries(NAMES, ANYTHING, max_size=6), min_size=20, max_size=20))
def test_two_thousand_rows_of_anything_are_answered_or_refused_by_name(model, rows):
    """100 tables of 20 rows."""
    found = model.answer([{"patient_id": f"p{place}", **row} for place, row in enumerate(rows)])
    fine = found.predictions.filter(pl.col("status") == "ok")
    for name in ("expected", "lower", "upper"):
        assert fine[name].is_finite().all() and fine[name].null_count() == 0
    assert fine["p_response"].is_between(0, 1).all()
    silent = found.predictions.filter(pl.col("status") != "ok")
    assert silent["expected"].null_count() == silent.height
    assert silent["status"].str.contains("^(rejected|abstained): .+").all()
    assert found.predictions["patient_id"].n_unique() == len(rows)


def test_required_features_are_written_into_the_schema(tmp_path, study):
    folder = write_small_bundle(study, tmp_path, required=["age"])
    needed = [entry["feature"] for entry in load_bundle(folder).schema if not entry["missing_ok"]]
    assert needed == ["age"]
    assert "nobody is answered: age" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    with pytest.raises(NociomicsError, match=r"1 required features are no input of this model .first: shoe_size"):
        write_small_bundle(study, tmp_path, required=["shoe_size"])
