"""A cohort explained by chunks: the same tables whatever the chunk, checked, with the spread between refits."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nociomics.explain import cohort
from nociomics.explain.cohort import explain_cohort
from nociomics.explain.shap_values import explain_people
from nociomics.export.background import background_people
from nociomics.models.response import fit_response, predict_response, predicted_frame
from nociomics.tables.results import IMPORTANCE, SHAP_VALUES
from tests.models.small_study import BLOCKS, QUICK, small_study

FOREST = ["ridge", "forest", "boosted"]


def explained(kind: str = "change", people: int = 80, candidates: list[str] | None = None, refits: int = 3):
    study = small_study(kind, people=people, effect=3.0)
    settings = QUICK.model_copy(update={"candidates": candidates} if candidates else {})
    model = fit_response(study.training, study.target, BLOCKS, settings, refits, seed=1)
    background = background_people(model, study.features, study.rows, 20, 1)
    predicted = predict_response(model, study.features, study.baseline)
    shown = predicted_frame(study.features["patient_id"], predicted).with_columns(status=pl.lit("ok"))
    frames: list[pl.DataFrame] = []
    found = explain_cohort(model, study.features, background, 1, shown, frames.append)
    return study, model, background, shown, found, pl.concat(frames)


@pytest.mark.parametrize("kind", ["change", "binary", "multiclass"])
def test_chunks_change_nothing_and_everything_adds_up(kind, monkeypatch):
    *_, whole, table = explained(kind)
    monkeypatch.setattr(cohort, "_VALUES_AT_ONCE", 1000)
    *_, parts, again = explained(kind)
    assert_frame_equal(SHAP_VALUES.check(table), again, abs_tol=1e-9)
    assert_frame_equal(IMPORTANCE.check(whole.importance), parts.importance)
    assert_frame_equal(whole.stability, parts.stability)
    assert whole.people == 80 and max(whole.gap, parts.gap) <= 1e-4


def test_the_spread_is_that_of_the_refits_explained_one_by_one():
    study, model, background, *_, table = explained(candidates=FOREST, refits=4)
    assert len(model.functions_) == 4
    own = []
    for functions in model.functions_:
        kept, model.whole_, model.functions_ = (model.whole_, model.functions_), functions, []
        own.append(explain_people(model, study.features, background, 1).values)
        model.whole_, model.functions_ = kept
    spread = np.std(own, axis=0, ddof=1)
    np.testing.assert_allclose(table["shap_sd"].to_numpy(), spread.reshape(-1), atol=1e-9)
    assert spread.max() > 0.01


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_the_spread_of_probabilities_is_near_that_of_the_refits(kind):
    study, model, background, *_, table = explained(kind, refits=4)
    weights, own = model.weights_, []
    for one in weights:
        model.weights_ = one[None]
        own.append(explain_people(model, study.features, background, 1).values)
    model.weights_ = weights
    spread = np.std(own, axis=0, ddof=1).reshape(-1)
    assert np.corrcoef(table["shap_sd"].to_numpy(), spread)[0, 1] > 0.9


def test_a_model_of_one_fit_has_no_spread():
    *_, found, table = explained(refits=1)
    assert table["shap_sd"].null_count() == table.height > 0
    assert found.importance["lower"].null_count() == found.importance.height > 0


def test_the_contrast_of_two_arms_adds_up_to_their_effect():
    *_, shown, found, table = explained(candidates=FOREST)
    wide = table.group_by("patient_id", "treatment").agg(pl.col("shap_value").sum()).sort("patient_id", "treatment")
    sums = wide["shap_value"].to_numpy().reshape(-1, 2)
    bases = found.bases.sort("treatment")["base_value"].to_numpy()
    expected = shown.sort("patient_id", "treatment")["expected"].to_numpy().reshape(-1, 2)
    contrast = sums[:, 0] - sums[:, 1] + bases[0] - bases[1]
    np.testing.assert_allclose(contrast, expected[:, 0] - expected[:, 1], atol=2e-5)
    assert np.abs(contrast).max() > 0.1


def test_a_wrong_prediction_stops_the_run_and_an_empty_cohort_is_an_empty_table():
    study, model, background, shown, *_ = explained(people=60)
    off = shown.with_columns(pl.col("expected") + 0.001)
    with pytest.raises(ArithmeticError, match="miss the predictions"):
        explain_cohort(model, study.features, background, 1, off, lambda chunk: None)
    frames: list[pl.DataFrame] = []
    found = explain_cohort(model, study.features.clear(), background, 1, shown, frames.append)
    assert [frame.height for frame in frames] == [0] and found.importance.height == 0
    SHAP_VALUES.check(frames[0])
