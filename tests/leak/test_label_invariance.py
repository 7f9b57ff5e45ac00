"""I1: what a person is predicted does not depend on the outcomes of the fold that the person is tested in."""

import polars as pl
import pytest

from nociomics.models.response import VARIANTS
from tests.leak.out_of_fold_runs import (
    OUTCOMES,
    gap,
    honest,
    largest_change_in_own_fold,
    with_genes_chosen_on_everybody,
    with_other_outcomes,
)
from tests.models.small_study import small_study


@pytest.mark.parametrize(("kind", "folds"), [("change", 3), ("continuous", 3), ("binary", 3), ("multiclass", 2)])
def test_other_outcomes_in_a_fold_leave_its_predictions_as_they_are(kind, folds):
    study = small_study(kind, people=72, outer_folds=folds)
    assert largest_change_in_own_fold(honest, study) <= 1e-12


@pytest.mark.parametrize("variant", sorted(set(VARIANTS) - {"full"}))
def test_the_simpler_models_that_are_compared_with_do_not_see_them_either(variant):
    study = small_study("change", people=72, outer_folds=2)
    assert largest_change_in_own_fold(lambda one: honest(one, variant), study) <= 1e-12


def test_a_fold_without_any_outcome_is_predicted_all_the_same():
    study = small_study("change", people=72, outer_folds=3)
    inside = study.splits.filter(pl.col("outer_fold") == 1)["patient_id"].to_list()
    emptied = [pl.when(~pl.col("patient_id").is_in(inside)).then(pl.col(name)).alias(name) for name in OUTCOMES]
    unseen = study.changed(rows=study.rows.with_columns(emptied))
    kept = [honest(one).filter(pl.col("outer_fold") == 1) for one in (study, unseen)]
    assert gap(*kept) <= 1e-12


def test_the_outcomes_of_a_fold_do_move_the_predictions_of_the_others():
    study = small_study("change", people=72, outer_folds=2)
    others = [honest(one).filter(pl.col("outer_fold") == 0) for one in (study, with_other_outcomes(study, fold=1))]
    assert gap(*others) > 0.01


@pytest.mark.parametrize("kind", ["change", "binary"])
def test_this_test_finds_genes_that_were_chosen_on_everybody(kind):
    study = small_study(kind, people=72, outer_folds=2, effect=0.0)
    assert largest_change_in_own_fold(with_genes_chosen_on_everybody, study) > 0.01
