"""One face for the response models, and predictions out of fold."""

import numpy as np
import polars as pl
import pytest

from nociomics.errors import StudyError
from nociomics.harmonise.target import build_target
from nociomics.models.response import VARIANTS, fit_response, out_of_fold, predict_response, predicted_frame
from nociomics.tables.results import OUT_OF_FOLD
from tests.models.small_study import ARMS, BLOCKS, CLASSES, QUICK, SmallStudy, small_study


def cross_validated(study: SmallStudy, variant: str = "full") -> pl.DataFrame:
    return out_of_fold(study.training, study.splits, study.target, BLOCKS, QUICK, 1, variant)


@pytest.mark.parametrize("arms", [ARMS, ()], ids=["arms", "no arms"])
@pytest.mark.parametrize("kind", ["change", "continuous", "binary", "multiclass"])
def test_everybody_is_predicted_under_every_treatment(kind, arms):
    study = small_study(kind, people=72, arms=arms, outer_folds=2)
    found = OUT_OF_FOLD.check(cross_validated(study))
    assert found.height == 72 * max(len(arms), 1)
    assert found["treatment"].unique().sort().to_list() == (list(arms) or [None])
    joined = found.join(study.splits, on=["patient_id", "repeat", "outer_fold"], how="anti")
    assert joined.is_empty()
    classes = [f"p_{name}" for name in CLASSES] if kind == "multiclass" else []
    assert found.columns[6:] == classes
    answer = classes or ["expected", "p_response"]
    assert found.select(answer).null_count().row(0) == (0,) * len(answer)


def test_predictions_of_a_fold_come_from_a_model_of_the_others():
    study = small_study(people=72, outer_folds=2)
    found = cross_validated(study)
    folds = study.splits.filter(pl.col("outer_fold") == 0)["patient_id"].to_list()
    others = pl.col("patient_id").is_in(folds)
    inner = study.training.inner_fold[~study.rows["patient_id"].is_in(folds).to_numpy()]
    part = study.training
    training = type(part)(part.features.filter(~others), part.catalogue, part.rows.filter(~others), inner)
    model = fit_response(training, study.target, BLOCKS, QUICK, QUICK.refits_in_folds, seed=1)
    held = study.features.filter(others)
    baseline = study.rows.filter(others)["baseline"].fill_null(np.nan).to_numpy()
    by_hand = predicted_frame(held["patient_id"], predict_response(model, held, baseline))
    both = by_hand.join(found, on=["patient_id", "treatment"])
    assert both.height == by_hand.height
    np.testing.assert_array_equal(both["expected"].to_numpy(), both["expected_right"].to_numpy())


def test_the_treatment_alone_predicts_the_share_of_responders_of_the_training_part():
    study = small_study(people=72, outer_folds=2)
    found = cross_validated(study, "treatment_only")
    training = study.rows.join(study.splits.filter(pl.col("outer_fold") == 1), on="patient_id", how="semi")
    shares = dict(training.group_by("treatment").agg(pl.col("responded").mean()).iter_rows())
    held = found.filter(pl.col("outer_fold") == 0)
    for arm in ARMS:
        own = held.filter(pl.col("treatment") == arm)
        assert own["p_response"].unique().to_list() == [shares[arm]]
        assert own["expected"].n_unique() == 1


def test_without_the_treatment_every_arm_is_predicted_alike():
    found = cross_validated(small_study(people=72, outer_folds=2), "without_treatment")
    assert found.height == 72 * 2
    assert (found.group_by("patient_id").agg(pl.col("expected").n_unique())["expected"] == 1).all()


def test_the_bedside_model_does_not_look_at_the_laboratory():
    study = small_study(people=72, outer_folds=2)
    laboratory = study.catalogue.filter(~pl.col("modality").is_in(["clinical", "questionnaires"]))["feature"].to_list()
    held = pl.col("patient_id").is_in(study.splits.filter(pl.col("outer_fold") == 1)["patient_id"].to_list())
    blank = [pl.when(~held).then(pl.col(name)) for name in laboratory]
    rest = study.changed(features=study.features.with_columns(blank))

    def predicted(one: SmallStudy, variant: str) -> pl.DataFrame:
        return cross_validated(one, variant).filter(pl.col("outer_fold") == 1)

    assert predicted(study, "clinical_only").equals(predicted(rest, "clinical_only"))
    assert not predicted(study, "full").equals(predicted(rest, "full"))


def test_every_variant_answers_for_the_same_people():
    study = small_study(people=72, outer_folds=2)
    keys = [
        cross_validated(study, variant).select("patient_id", "repeat", "outer_fold", "treatment")
        for variant in VARIANTS
    ]
    assert all(keys[0].equals(other) for other in keys)


def with_rows(study: SmallStudy, **columns: pl.Expr) -> SmallStudy:
    return study.changed(rows=study.rows.with_columns(**columns))


def first(count: int, column: str) -> pl.Expr:
    """Keep a column for the first people only."""
    return pl.when(pl.int_range(pl.len()) < count).then(pl.col(column))


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (with_rows(small_study(arms=()), response_value=first(11, "response_value")), "at least 12 are needed"),
        (with_rows(small_study("binary", arms=()), label=first(11, "label")), "at least 12 are needed"),
        (with_rows(small_study("binary", arms=()), label=pl.lit("1")), "one class only"),
        (with_rows(small_study(), treatment=first(4, "treatment").fill_null("cbt")), "1 treatments have fewer than 3"),
        (with_rows(small_study(), response_value=pl.lit(None, dtype=pl.Float64)), "all treatments have fewer than 3"),
    ],
)
def test_too_few_people_to_learn_from_are_refused(study, message):
    with pytest.raises(StudyError, match=message) as refused:
        fit_response(study.training, study.target, BLOCKS, QUICK, 2, 1)
    assert 'target.outcome "pain_week12"' in str(refused.value)
    assert not any(person in str(refused.value) for person in study.rows["patient_id"])


def test_a_class_that_a_training_part_lacks_is_refused_with_what_to_do():
    study = small_study("multiclass", people=72, arms=(), outer_folds=3)
    rare = pl.when(pl.col("patient_id") == "P001").then(pl.lit("rare")).otherwise(pl.col("label"))
    with pytest.raises(StudyError, match=r"1 class has nobody .* training part.*Merge rare classes"):
        cross_validated(with_rows(study, label=rare))


def test_a_binary_outcome_can_be_learned_as_harmonising_lays_it_out():
    study = small_study("binary", people=72, arms=())
    patients = study.rows.select("patient_id")
    outcomes = study.rows.select("patient_id", pain_week12=pl.col("outcome"))
    rows, _ = build_target(study.features, patients, None, outcomes, study.target)
    harmonised = study.changed(rows=rows)
    one, other = (fit_response(s.training, s.target, BLOCKS, QUICK, 2, 1) for s in (study, harmonised))
    assert other.classes_ == one.classes_ == ["0", "1"]


def test_columns_that_the_model_does_not_know_are_ignored():
    study = small_study()
    model = fit_response(study.training, study.target, BLOCKS, QUICK, 2, 1)
    more = study.features.with_columns(shoe_size=pl.lit(42.0))
    predicted = [predict_response(model, frame, study.baseline).expected for frame in (study.features, more)]
    np.testing.assert_array_equal(*predicted)


def test_a_study_of_treatments_alone_can_be_predicted():
    study = small_study()
    bare = study.changed(catalogue=study.catalogue.clear())
    model = fit_response(bare.training, bare.target, BLOCKS, QUICK, 2, 1)
    assert np.ptp(predict_response(model, bare.features, bare.baseline).expected, axis=0).max() < 1e-9
