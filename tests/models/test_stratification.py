"""Strata: found where there are types, not found where there are dimensions, and the same for everybody who asks."""

import json

import numpy as np
import polars as pl
import pytest

from nociomics.models.factor_mixture import Mixture
from nociomics.models.factors import Information
from nociomics.models.settings import BlockSettings, StrataSettings
from nociomics.models.stratification import StratumModel
from nociomics.tables.results import ASSIGNMENTS
from tests.models.small_study import BLOCKS, STRATA, catalogue_of, numeric_study, small_study

QUICK = StrataSettings(starts=2, bootstraps=4, largest_k=3)


def people(seed: int, count: int = 600, apart: float = 0.0) -> tuple[pl.DataFrame, pl.DataFrame, np.ndarray]:
    """Nine scales of three drivers; two kinds of people whose drivers lie ``apart`` deviations apart."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, count)
    drivers = rng.normal(size=(count, 3)) + np.outer(kind - 0.5, [apart, -apart, 0])
    scales = np.repeat(drivers, 3, axis=1) * 0.8 + 0.6 * rng.normal(size=(count, 9))
    scales[rng.random(scales.shape) < 0.03] = np.nan
    features, catalogue = numeric_study({f"scale_{place}": scales[:, place] for place in range(9)})
    return features, catalogue, kind


def fitted(
    features: pl.DataFrame, catalogue: pl.DataFrame, seed: int = 1, settings: StrataSettings = QUICK
) -> StratumModel:
    return StratumModel(settings, BLOCKS, seed).fit(features, catalogue)


@pytest.fixture(scope="module")
def two_types() -> tuple[StratumModel, pl.DataFrame, np.ndarray]:
    features, catalogue, kind = people(seed=1, apart=4.0)
    return fitted(features, catalogue), features, kind


@pytest.mark.parametrize("seed", range(5))
def test_a_continuum_is_one_stratum(seed):
    features, catalogue, _ = people(seed)
    model = fitted(features, catalogue, seed)
    assert model.k_ == 1
    summary = model.summary(features)
    assert summary["evidence"].startswith("none: dimensions, not types")
    assert summary["bic_gain"] < 0
    assert summary["stability"] == {"jaccard": None, "agreement": None}


def test_two_well_separated_types_are_found(two_types):
    model, features, kind = two_types
    assert model.k_ == 2
    stratum = model.assign(features)["stratum"].to_numpy()
    agreement = np.mean((stratum == "S1") == (kind == 0))
    assert max(agreement, 1 - agreement) > 0.95
    summary = model.summary(features)
    assert summary["evidence"] == "strong: at least this many" and summary["bic_gain"] > 10
    assert min(summary["stability"]["jaccard"].values()) > 0.9
    assert summary["stability"]["agreement"] > 0.9
    assert sum(summary["sizes"].values()) == features.height


def test_two_types_are_recognised_in_new_people(two_types):
    model, features, kind = two_types
    new, _, new_kind = people(seed=99, count=200, apart=4.0)
    name = model.assign(features).with_columns(kind=pl.Series(kind)).group_by("stratum").agg(pl.col("kind").median())
    expected = dict(name.iter_rows())
    found = [expected[stratum] for stratum in model.assign(new)["stratum"]]
    assert np.mean(np.array(found) == new_kind) > 0.95


def test_assignments_keep_their_contract_and_add_up_to_one(two_types):
    model, features, _ = two_types
    placed = ASSIGNMENTS.check(model.assign(features))
    assert placed.columns == ["patient_id", "stratum", "p_S1", "p_S2", "entropy", "atypical", "between"]
    shares = placed.select("p_S1", "p_S2").to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)
    entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1)
    np.testing.assert_allclose(placed["entropy"].to_numpy(), entropy, atol=1e-12)
    assert (placed["between"].to_numpy() == (shares.max(axis=1) < 0.6)).all()
    assert placed["atypical"].mean() == pytest.approx(0.01, abs=0.005)


def test_a_person_is_placed_alone_as_among_others(two_types):
    model, features, _ = two_types
    together = model.assign(features)
    for row in (0, 17, 599):
        alone = model.assign(features[row : row + 1])
        assert (
            alone.select("stratum", "atypical", "between").rows()
            == together[row : row + 1].select("stratum", "atypical", "between").rows()
        )
        np.testing.assert_allclose(
            alone.select("p_S1", "p_S2", "entropy").to_numpy(),
            together[row : row + 1].select("p_S1", "p_S2", "entropy").to_numpy(),
            atol=1e-9,
        )


def test_placing_people_twice_gives_the_same(two_types):
    model, _, _ = two_types
    new, _, _ = people(seed=5, count=50, apart=4.0)
    assert model.assign(new).equals(model.assign(new))


def test_a_person_of_whom_nothing_was_measured_is_not_placed(two_types):
    model, features, _ = two_types
    nobody = features[:1].with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in features.columns[1:])
    assert model.assign(nobody).drop("patient_id").row(0) == (None,) * 6
    assert model.assign(pl.concat([nobody, features[:1]]))["stratum"].null_count() == 1


def test_someone_far_from_everybody_is_atypical(two_types):
    model, features, _ = two_types
    far = features[:1].with_columns(pl.lit(40.0).alias(name) for name in features.columns[1:])
    assert model.assign(far)["atypical"].to_list() == [True]


def test_strata_have_the_same_names_whatever_the_seed():
    features, catalogue, _ = people(seed=2, apart=4.0)
    named = [fitted(features, catalogue, seed).assign(features) for seed in (1, 2, 3)]
    assert all(named[0]["stratum"].equals(other["stratum"]) for other in named[1:])


def test_everything_learned_survives_json_exactly(two_types):
    model, features, _ = two_types
    again = StratumModel.from_dict(json.loads(json.dumps(model.to_dict(), allow_nan=False, sort_keys=True)))
    assert again.assign(features).equals(model.assign(features))
    assert again.summary(features) == model.summary(features)
    assert again.to_dict() == model.to_dict()


def test_a_constant_measurement_takes_no_part_and_that_is_said():
    features, catalogue, _ = people(seed=1, count=100)
    features = features.with_columns(scale_3=pl.when(pl.col("scale_3").is_not_null()).then(1.0))
    model = fitted(features, catalogue)
    assert [entry["column"] for entry in model.left_out_] == ["scale_3"]
    assert model.left_out_[0]["reason"].startswith("the same in everybody")


def test_too_few_people_are_not_looked_at():
    features, catalogue, _ = people(seed=1, count=30)
    model = fitted(features, catalogue)
    assert model.k_ == 1
    assert model.summary(features)["evidence"] == "not enough people or measurements to look for strata"
    again = StratumModel.from_dict(json.loads(json.dumps(model.to_dict())))
    ASSIGNMENTS.check(again.assign(features))
    assert again.assign(features)["stratum"].null_count() == 30


def test_a_study_without_scales_analytes_and_genes_has_no_strata():
    features = pl.DataFrame({"patient_id": [f"P{i}" for i in range(60)], "age": [float(i) for i in range(60)]})
    catalogue = catalogue_of([("age", "clinical", "age", "years", "numeric", None, None, None)])
    model = fitted(features, catalogue)
    assert model.assign(features)["stratum"].null_count() == 60
    assert model.summary(features)["people"] == 0


def test_clinical_and_genetic_data_and_categories_do_not_make_strata():
    study = small_study(people=120)
    model = StratumModel(STRATA, BlockSettings(), 1).fit(study.features, study.catalogue)
    read = set(model.blocks_.input_features())
    assert not read & {"age", "sex", "pain_type", "cyp2d6_activity_score", "il6_below_lod"}
    assert {"bpi_severity", "pcs_total", "il6_pg_per_ml", "gene_00", "expression_batch"} <= read


def test_membership_is_bayes_rule():
    mixture = Mixture(np.array([0.25, 0.75]), np.array([[0.0], [2.0]]), np.array([[[1.0]], [[1.0]]]))
    # measured at 1 with an error of variance 1: both strata lie 1 away with variance 2, so their shares decide
    known = Information(np.array([[[1.0]]]), np.array([0, 0]), np.array([[1.0], [2.0]]))
    np.testing.assert_allclose(mixture.membership(known)[0], [0.25, 0.75], atol=1e-12)
    # at 2: .25 x phi(sqrt 2) and .75 x phi(0), that is .25 x exp(-1) against .75
    np.testing.assert_allclose(mixture.membership(known)[1], [0.109232, 0.890768], atol=1e-6)
    # at 1 the nearest is one away: chance of a chi-squared above 1 / 2
    np.testing.assert_allclose(mixture.tail(known), [0.479500, 1.0], atol=1e-6)
