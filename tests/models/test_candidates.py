"""Every line of the table of candidates, tried alone in the same ways; and the table itself."""

import json
import warnings

import numpy as np
import polars as pl
import pytest
from sklearn.utils.estimator_checks import check_estimator

from nociomics.errors import StudyError
from nociomics.explain.shap_values import explain_people
from nociomics.export.background import background_people
from nociomics.models.candidates import Candidate, candidates_for, read_candidates, table_path
from nociomics.models.estimators import CandidateClassifier, CandidateRegressor
from nociomics.models.response import fit_response, load_response, predict_response
from tests.models.small_study import ARMS, BLOCKS, QUICK, SmallStudy, small_study

with warnings.catch_warnings():  # shap's plots call what matplotlib means to retire
    warnings.simplefilter("ignore", PendingDeprecationWarning)
    import shap  # noqa: F401

PEOPLE = 72
TABLE = read_candidates()


def study_for(candidate: Candidate) -> SmallStudy:
    """A small study of the kind that the candidate is for."""
    kind = "continuous" if candidate.target == "value" else "multiclass"
    return small_study(kind, people=PEOPLE, arms=() if candidate.arms == "none" or kind == "multiclass" else ARMS)


def alone(candidate: Candidate, study: SmallStudy):
    settings = QUICK.model_copy(update={"candidates": [candidate.name]})
    return fit_response(study.training, study.target, BLOCKS, settings, 2, seed=1)


def shown(model, study: SmallStudy, features: pl.DataFrame) -> np.ndarray:
    baseline = np.full(features.height, np.nan)
    predicted = predict_response(model, features, baseline)
    return predicted.p_class if study.target.kind == "multiclass" else predicted.expected[:, :, None]


@pytest.fixture(scope="module", params=TABLE, ids=lambda one: one.name)
def fitted(request):
    study = study_for(request.param)
    return request.param, study, alone(request.param, study)


def test_it_learns_and_says_a_number_for_everybody(fitted):
    _, study, model = fitted
    found = shown(model, study, study.features)
    assert np.isfinite(found).all()
    assert found.std(axis=0).max() > 0


def test_it_answers_the_same_whatever_the_order_and_the_ids(fitted):
    candidate, study, model = fitted
    turned = np.random.default_rng(3).permutation(PEOPLE)
    names = pl.Series("patient_id", [f"X{place:03d}" for place in range(PEOPLE)])
    columns = ["patient_id", *reversed(study.features.columns[1:])]
    other = study.changed(
        features=study.features[turned].with_columns(names).select(columns),
        rows=study.rows[turned].with_columns(names),
        catalogue=study.catalogue.reverse(),
        splits=study.rows[turned]
        .select(old="patient_id")
        .with_columns(names)
        .join(study.splits.rename({"patient_id": "old"}), on="old")
        .drop("old"),
    )
    again = alone(candidate, other)
    np.testing.assert_allclose(
        shown(again, other, other.features), shown(model, study, study.features)[turned], atol=1e-9
    )


def test_it_is_stored_as_plain_numbers(fitted, tmp_path):
    _, study, model = fitted
    stored = json.loads(json.dumps(model.save(tmp_path), allow_nan=False, sort_keys=True))
    again = load_response(stored, tmp_path)
    np.testing.assert_allclose(
        shown(again, study, study.features), shown(model, study, study.features), rtol=0, atol=1e-12
    )


def test_a_person_alone_is_predicted_as_among_others(fitted):
    _, study, model = fitted
    together = shown(model, study, study.features)
    for row in (0, 7, 30):
        np.testing.assert_allclose(shown(model, study, study.features[row : row + 1])[0], together[row], atol=1e-9)


def test_its_explanations_add_up(fitted):
    _, study, model = fitted
    background = background_people(model, study.features, study.rows, 20, 1)
    found = explain_people(model, study.features[:6], background, seed=1)
    np.testing.assert_allclose(
        found.base[None] + found.values.sum(axis=3), shown(model, study, study.features[:6]), atol=1e-4
    )


VALUES = [one.name for one in TABLE if one.target == "value" and one.arms in ("any", "none")]


@pytest.mark.parametrize("name", VALUES)
def test_scikit_learn_accepts_it_as_a_regressor(name):
    check_estimator(CandidateRegressor(name), on_skip=None)


@pytest.mark.parametrize("name", [one.name for one in TABLE if one.target == "class"])
def test_scikit_learn_accepts_it_as_a_classifier(name):
    check_estimator(CandidateClassifier(name), on_skip=None)


def test_a_study_takes_what_fits_it():
    several = [one.name for one in candidates_for("change", 4)]
    two = [one.name for one in candidates_for("change", 2)]
    none = [one.name for one in candidates_for("continuous", 1)]
    assert {"block_ridge", "ridge", "lasso", "forest", "boosted"} <= set(several)
    assert set(two) - set(several) == {"r_lasso", "dr_lasso"}
    assert "elastic_net" in none and "elastic_net" not in several
    assert [one.name for one in candidates_for("binary", 2)] == ["late_fusion", "plain_l2", "boosted_classes"]


def test_an_unknown_name_and_an_unfitting_one_are_refused():
    with pytest.raises(StudyError, match='Did you mean "ridge"'):
        candidates_for("change", 4, ["rigde"])
    with pytest.raises(StudyError, match="none of r_lasso is for a target of kind change with 4 treatments"):
        candidates_for("change", 4, ["r_lasso"])


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("value,any,mine,magic,1,,x", 'line 2, learner: "magic"'),
        ("value,some,mine,ridge,1,,x", 'line 2, arms: "some"'),
        ("class,any,mine,ridge,1,,x", 'learner "ridge" is not for target "class"'),
        ("value,any,mine,ridge,1,rounds,x", "name=number"),
        ("value,any,mine,ridge,0,,x", "prior: 0 is not above 0"),
        ("value,any,mine,ridge,1,,x\nvalue,any,mine,lasso,1,,x", 'the name "mine" stands on more than one line'),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_by_its_number(tmp_path, line, wrong):
    path = tmp_path / "candidates.csv"
    path.write_text(f"{table_path().read_text().splitlines()[0]}\n{line}\n")
    with pytest.raises(StudyError, match=wrong):
        read_candidates(path)
