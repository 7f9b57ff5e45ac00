"""Harm weighed against benefit: by the person's own weight or the study's, and for nobody behind a closed gate."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from nociomics.errors import NociomicsError
from nociomics.export.bundle import Bundle
from nociomics.export.harm_weights import weigh_harm
from nociomics.export.prediction import predict_people
from nociomics.tables.harm_weights import own_harm_weights
from nociomics.tables.results import EFFECTS, PREDICTIONS
from tests.export.bundles import CLOSED, small_bundle
from tests.export.test_prediction import THREE, NobodyGot, with_harm
from tests.models.small_study import SmallStudy, small_study

ADDED = ["harm_weight", "harm_weight_source", "net_benefit", "benefit_place", "net_benefit_place"]


@pytest.fixture(scope="module")
def study() -> SmallStudy:
    return with_harm(small_study(people=120, arms=THREE, effect=2.0))


@pytest.fixture(scope="module")
def bundle(study, tmp_path_factory) -> Bundle:
    return small_bundle(study, tmp_path_factory.mktemp("harm"))


def weighed(bundle: Bundle, study: SmallStudy, own: pl.DataFrame | None, of_study: float | None) -> pl.DataFrame:
    predictions, effects = predict_people(bundle, study.features, bundle.baseline(study.features))
    return PREDICTIONS.check(weigh_harm(predictions, effects, bundle, own, of_study))


def weights(study: SmallStudy, values: list[float | None]) -> pl.DataFrame:
    """The first people's own weights; the others gave none."""
    column = pl.Series("harm_weight", [*values, *[None] * (study.features.height - len(values))], dtype=pl.Float64)
    return study.features.select("patient_id").with_columns(column)


def test_without_a_weight_nothing_is_added(bundle, study):
    plain, _ = predict_people(bundle, study.features, bundle.baseline(study.features))
    assert weighed(bundle, study, None, None).equals(plain)


def test_net_benefit_is_benefit_less_weighted_harm_and_nothing_else_moves(bundle, study):
    plain, before = predict_people(bundle, study.features, bundle.baseline(study.features))
    found = weighed(bundle, study, None, 3.0)
    assert found.columns == [*plain.columns, *ADDED]
    assert found.select(plain.columns).equals(plain)
    np.testing.assert_allclose(found["net_benefit"], found["expected"] - 3 * found["p_adverse"])
    assert found["harm_weight_source"].unique().to_list() == ["study"]
    for one in found.partition_by("patient_id"):
        assert one.sort("expected", descending=True)["benefit_place"].to_list() == [1, 2, 3]
        assert one.sort("net_benefit", descending=True)["net_benefit_place"].to_list() == [1, 2, 3]
    EFFECTS.check(before)  # what is recommended comes from here, and no weight gets there


def test_a_weight_of_nothing_leaves_the_order_and_a_great_one_puts_the_safest_first(bundle, study):
    none, great = weighed(bundle, study, None, 0.0), weighed(bundle, study, None, 1000.0)
    assert (none["benefit_place"] == none["net_benefit_place"]).all()
    safest = great.sort("p_adverse").group_by("patient_id", maintain_order=True).first()
    assert (safest["net_benefit_place"] == 1).all()
    assert not (safest["benefit_place"] == 1).all()


def test_a_persons_own_weight_goes_before_the_studys(bundle, study):
    found = weighed(bundle, study, weights(study, [0.0, 2.5]), 4.0)
    told = dict(found.select("patient_id", "harm_weight").rows())
    source = dict(found.select("patient_id", "harm_weight_source").rows())
    first, second, third = study.features["patient_id"][:3]
    assert [told[one] for one in (first, second, third)] == [0.0, 2.5, 4.0]
    assert [source[one] for one in (first, second, third)] == ["patient", "patient", "study"]


def test_who_gave_none_in_a_study_without_one_is_not_ordered_twice(bundle, study):
    found = weighed(bundle, study, weights(study, [1.0]), None)
    first = study.features["patient_id"][0]
    others = found.filter(pl.col("patient_id") != first)
    assert found.filter(pl.col("patient_id") == first)["net_benefit_place"].sort().to_list() == [1, 2, 3]
    assert all(others[name].null_count() == others.height for name in ADDED)


def test_behind_a_closed_gate_nothing_is_reordered_for_anybody(bundle, study):
    found = weighed(replace(bundle, gate=CLOSED), study, weights(study, [1.0, 2.0]), 3.0)
    assert found["harm_weight"].null_count() == 0  # what was asked for is said
    assert all(found[name].null_count() == found.height for name in ADDED[2:])


def test_outside_overlap_a_treatment_has_no_place(bundle, study):
    found = weighed(replace(bundle, propensity=NobodyGot()), study, None, 1.0)
    high = set(study.features.filter(pl.col("il6_pg_per_ml") > 3)["patient_id"])
    for patient, arm, place in found.select("patient_id", "treatment", "net_benefit_place").iter_rows():
        assert (place is None) == (patient in high and arm == "cbt")
    assert found.filter(pl.col("patient_id").is_in(sorted(high)))["benefit_place"].max() == 2


def test_harm_that_could_not_be_modelled_cannot_be_weighed(tmp_path):
    rare = with_harm(small_study(people=72, arms=THREE), share={"snri": 0.03})
    found = weighed(small_bundle(rare, tmp_path), rare, None, 1.0)
    assert found["net_benefit"].null_count() == found.height
    assert found["benefit_place"].null_count() == found.height


def test_where_a_smaller_outcome_is_better_benefit_is_its_fall(tmp_path):
    low = with_harm(small_study("continuous", people=120, arms=THREE, effect=2.0))
    found = weighed(small_bundle(low, tmp_path), low, None, 2.0)
    np.testing.assert_allclose(found["net_benefit"], -found["expected"] - 2 * found["p_adverse"])
    best = found.sort("expected").group_by("patient_id", maintain_order=True).first()
    assert (best["benefit_place"] == 1).all()


def test_a_study_that_knows_no_harm_says_so(tmp_path):
    plain = small_study(people=72, arms=THREE)
    without = small_bundle(plain, tmp_path)
    with pytest.raises(NociomicsError, match="no adverse event"):
        weighed(without, plain, None, 1.0)
    assert "net_benefit" not in weighed(without, plain, weights(plain, [1.0]), None).columns


def test_own_weights_are_there_only_if_somebody_gave_one():
    people = pl.DataFrame({"patient_id": ["a", "b"], "age": [50.0, 60.0]})
    assert own_harm_weights(people) is None
    assert own_harm_weights(people.with_columns(harm_weight=pl.lit(None, pl.Float64))) is None
    given = own_harm_weights(people.with_columns(harm_weight=pl.Series([2, None])))
    assert given is not None and given.rows() == [("a", 2.0), ("b", None)]
