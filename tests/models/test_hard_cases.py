"""Studies that leave a learner with next to nothing: arms of nobody, no columns, thirty people."""

import numpy as np
import polars as pl
import pytest

from nociomics.models.arm_learners import ArmData, expected_of
from nociomics.models.candidates import candidates_for, fit, tune
from nociomics.models.response import fit_response, out_of_fold, predict_response
from nociomics.models.settings import ResponseSettings
from tests.models.small_study import BLOCKS, GENES, QUICK, SmallStudy, small_study


def arm_data(arm: np.ndarray, columns: int = 4, seed: int = 1) -> ArmData:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(arm), columns))
    outcome = 3.0 + 2.0 * arm + rng.normal(size=len(arm))
    block = np.zeros(columns, dtype=int)
    return ArmData(values, values, outcome, arm, np.arange(len(arm)) % 3, 2, block, np.zeros((columns, 0)))


CANDIDATES = candidates_for("change", 2)


@pytest.mark.parametrize("columns", [0, 4])
@pytest.mark.parametrize("few", [0, 1, 2])
@pytest.mark.parametrize("candidate", CANDIDATES, ids=[one.name for one in CANDIDATES])
def test_an_arm_of_hardly_anybody_gets_a_number(candidate, few, columns):
    data = arm_data(np.array([0] * 30 + [1] * few), columns)
    function = fit(tune(candidate, data), data, ResponseSettings(), 5, 1)
    expected = expected_of(function, data.columns, data.values)
    assert expected.shape == (30 + few, 2) and np.isfinite(expected).all()
    assert np.abs(expected - data.outcome.mean()).max() < 6


@pytest.mark.parametrize("candidate", CANDIDATES, ids=[one.name for one in CANDIDATES])
def test_an_arm_of_nobody_has_everybodys_mean_when_there_is_no_column(candidate):
    data = arm_data(np.zeros(30, dtype=int), columns=0)
    expected = expected_of(fit(tune(candidate, data), data, ResponseSettings(), 5, 1), data.columns, data.values)
    np.testing.assert_allclose(expected[:, 1], data.outcome.mean(), rtol=1e-6)


@pytest.mark.parametrize("variant", ["full", "treatment_only", "clinical_only", "without_treatment"])
@pytest.mark.parametrize("kind", ["change", "binary"])
def test_thirty_people_in_two_arms_are_predicted(kind, variant):
    study = small_study(kind, people=36, outer_folds=5)
    found = out_of_fold(study.training, study.splits, study.target, BLOCKS, QUICK, 1, variant, skip_unlearnable=True)
    assert found.height and found["expected"].is_finite().all()


@pytest.mark.parametrize("kind", ["change", "multiclass"])
@pytest.mark.parametrize("variant", ["clinical_only", "treatment_only"])
def test_a_study_without_such_columns_predicts_means(kind, variant):
    study = small_study(kind, people=60)
    genes = study.catalogue.filter(pl.col("feature").is_in([*GENES, "expression_batch"]))
    target = study.target.model_copy(update={"baseline": None}) if kind != "change" else study.target
    found = out_of_fold(
        study.changed(catalogue=genes, target=target).training, study.splits, target, BLOCKS, QUICK, 1, variant
    )
    figures = [name for name in found.columns if name == "expected" or name.startswith("p_")]
    held = found.group_by("outer_fold", "treatment").agg(pl.col(name).n_unique() for name in figures)
    assert held.select(pl.max_horizontal(name for name in figures if name != "p_response").max()).item() == 1


def test_constant_columns_and_a_block_that_nobody_has_say_nothing():
    study = small_study("change", people=60)
    plain = study.features
    features = plain.with_columns(
        *[pl.lit(None, dtype=pl.Float64).alias(gene) for gene in GENES], pl.lit(40.0).alias("age")
    )
    without = study.catalogue.filter(~pl.col("feature").is_in([*GENES, "age", "expression_batch"]))
    dead = _expected(study.changed(features=features))
    gone = _expected(study.changed(features=features, catalogue=without))
    np.testing.assert_allclose(dead, gone, atol=1e-9)


def test_a_fold_with_one_person_of_an_arm_is_learned_from_or_told():
    study = small_study("change", people=60)
    arm = study.rows["treatment"].to_list()
    few = {place for place, one in enumerate(arm) if one == "snri"}
    kept = [place for place in range(60) if place not in few or place in sorted(few)[:6]]
    rows = study.rows[kept]
    folds = study.splits.filter(pl.col("patient_id").is_in(rows["patient_id"].implode()))
    small = study.changed(features=study.features[kept], rows=rows, splits=folds)
    few_ids = rows.filter(pl.col("treatment") == "snri")["patient_id"].to_list()
    # all but one of the arm's people share an inner fold: the other inner folds know one person of it
    inner = pl.when(pl.col("patient_id") == few_ids[0]).then(1).otherwise(0)
    lone = folds.with_columns(
        inner_fold=pl.when(pl.col("patient_id").is_in(few_ids)).then(inner).otherwise("inner_fold").cast(pl.Int64)
    )
    model = fit_response(small.changed(splits=lone).training, small.target, BLOCKS, QUICK, 1, 1)
    assert np.isfinite(predict_response(model, small.features, small.baseline).expected).all()


def _expected(study: SmallStudy) -> np.ndarray:
    model = fit_response(study.training, study.target, BLOCKS, QUICK, 1, 1)
    return predict_response(model, study.features, study.baseline).expected
