"""The model of a change or a value."""

import json

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from nociomics.models.response import fit_response, load_response, predict_response
from nociomics.models.shares import combined, learner_shares, level_and_effect_shares
from nociomics.models.spread import Spread
from nociomics.models.value_model import ValueModel, arms_of
from nociomics.tables.study import ResponseRule, Target
from tests.models.small_study import ARMS, BLOCKS, QUICK, small_study, target_of

EXPECTED = np.array([[2.0, 1.0], [0.5, -1.0]])
BASELINE = np.array([8.0, 5.0])
CHANGE = target_of("change")


def with_rule(kind: str = "change", **rule: float) -> ValueModel:
    """A model that knows its residual spread (1.5 points) and three training baselines; nothing is recalibrated."""
    target = CHANGE if kind == "change" else target_of(kind)
    model = ValueModel(target.model_copy(update={"response": ResponseRule(**rule)}), BLOCKS, QUICK, 2, 1)
    model.spread_, model.baselines_ = Spread(1.5), np.array([4.0, 6.0, 10.0])
    model.step_, model.recalibration_ = 0.0, (0.0, 1.0)
    return model


@pytest.mark.parametrize(
    ("rule", "by_hand"),
    [
        # (2 - .3 x 8) / 1.5 = -.2667; (1 - 2.4) / 1.5 = -.9333; (.5 - 1.5) / 1.5 = -.6667; (-1 - 1.5) / 1.5
        ({"fall_percent": 30}, [[0.394863, 0.175324], [0.252493, 0.047790]]),
        # (2 - 2) / 1.5 = 0; (1 - 2) / 1.5; (.5 - 2) / 1.5 = -1; (-1 - 2) / 1.5 = -2
        ({"fall_points": 2}, [[0.5, 0.252493], [0.158655, 0.022750]]),
        # needed fall 8 - 4 = 4 and 5 - 4 = 1: (2 - 4) / 1.5, (1 - 4) / 1.5 = -2, (.5 - 1) / 1.5, (-1 - 1) / 1.5
        ({"at_most": 4}, [[0.091211, 0.022750], [0.369441, 0.091211]]),
    ],
)
def test_a_change_becomes_a_probability_of_response(rule, by_hand):
    found = with_rule(**rule).response_probability(EXPECTED, BASELINE)
    np.testing.assert_allclose(found, by_hand, atol=1e-6)


def test_a_value_becomes_a_probability_of_being_low_enough():
    found = with_rule("continuous", at_most=3.5).response_probability(np.array([[2.0, 5.0]]), np.array([np.nan]))
    np.testing.assert_allclose(found, [[0.841345, 0.158655]], atol=1e-6)


def test_an_outcome_in_whole_points_is_met_half_a_point_earlier():
    model = with_rule(fall_percent=30)
    model.step_ = 1.0
    # 8 x .7 = 5.6: up to 5 counts, read as below 5.5; expected outcomes 8 - 2 = 6 and 8 - 1 = 7, so -.3333 and -1
    found = model.response_probability(EXPECTED[:1], BASELINE[:1])
    np.testing.assert_allclose(found, [[0.369441, 0.158655]], atol=1e-6)


def test_probabilities_are_recalibrated_on_the_log_odds():
    model = with_rule(fall_points=2)
    model.recalibration_ = (0.4, 0.5)
    # log-odds of .252493 are -1.085361: .4 - .542680 = -.142680
    np.testing.assert_allclose(
        model.response_probability(EXPECTED[:1], BASELINE[:1]), [[0.598688, 0.464390]], atol=1e-6
    )


def test_a_study_without_a_response_rule_has_no_probability():
    model = with_rule(fall_points=2)
    model.target = CHANGE.model_copy(update={"response": None})
    assert model.response_probability(EXPECTED, BASELINE) is None


def test_an_unknown_baseline_is_averaged_over_the_training_people():
    known, unknown = with_rule(fall_percent=30).response_probability(EXPECTED[[0, 0]], np.array([8.0, np.nan]))
    np.testing.assert_allclose(known, [0.394863, 0.175324], atol=1e-6)
    over = [norm.cdf((EXPECTED[0] - 0.3 * baseline) / 1.5) for baseline in (4.0, 6.0, 10.0)]
    np.testing.assert_allclose(unknown, np.mean(over, axis=0), atol=1e-12)


def test_a_fall_in_points_needs_no_baseline():
    found = with_rule(fall_points=2).response_probability(EXPECTED[:1], np.array([np.nan]))
    np.testing.assert_allclose(found, [[0.5, 0.252493]], atol=1e-6)


@pytest.mark.parametrize("arms", [ARMS, ()], ids=["arms", "no arms"])
@pytest.mark.parametrize("kind", ["change", "continuous"])
def test_a_stored_model_predicts_bit_for_bit_the_same(kind, arms, tmp_path):
    study = small_study(kind, arms=arms)
    model = fit_response(study.training, study.target, BLOCKS, QUICK, QUICK.refits, seed=1)
    stored = json.loads(json.dumps(model.save(tmp_path), allow_nan=False, sort_keys=True))
    again = load_response(stored, tmp_path)
    one, other = (predict_response(m, study.features, study.baseline) for m in (model, again))
    assert again.arms_ == model.arms_ == (list(arms) or [None])
    np.testing.assert_array_equal(other.refit_expected, one.refit_expected)
    np.testing.assert_array_equal(other.p_response, one.p_response)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".ubj"}
    assert len(again.functions_) == QUICK.refits


def test_refits_spread_around_the_prediction():
    study = small_study()
    model = fit_response(study.training, study.target, BLOCKS, QUICK, QUICK.refits, seed=1)
    predicted = predict_response(model, study.features, study.baseline)
    assert predicted.refit_expected.shape == (QUICK.refits, study.features.height, 2)
    np.testing.assert_allclose(predicted.expected, predicted.refit_expected.mean(axis=0), atol=1e-12)
    assert (predicted.refit_expected.std(axis=0) > 0).all()
    assert np.isfinite(predicted.expected).all() and np.isfinite(predicted.p_response).all()


def test_the_same_seed_gives_the_same_model_and_another_seed_another():
    study = small_study()
    fitted = [fit_response(study.training, study.target, BLOCKS, QUICK, 2, seed) for seed in (1, 1, 2)]
    one, same, other = (predict_response(model, study.features, study.baseline).expected for model in fitted)
    np.testing.assert_array_equal(same, one)
    assert np.abs(other - one).max() > 1e-3


def test_it_finds_who_gains_from_which_arm():
    """Catastrophising speaks for the first arm, IL-6 for the second: the data were made so."""
    study = small_study(people=150, effect=2.0)
    model = fit_response(study.training, study.target, BLOCKS, QUICK, QUICK.refits, seed=1)
    expected = predict_response(model, study.features, study.baseline).expected
    frame = study.features.select("pcs_total", il6=pl.col("il6_pg_per_ml").log(2)).with_columns(
        gain=pl.Series(expected[:, 0] - expected[:, 1])
    )
    assert frame.drop_nulls().select(pl.corr("gain", "pcs_total")).item() > 0.4
    assert frame.drop_nulls().select(pl.corr("gain", "il6")).item() < -0.4


def test_the_arm_of_a_person_without_an_outcome_does_not_matter():
    study = small_study()
    unobserved = pl.col("outcome").is_null()
    other = study.rows.with_columns(treatment=pl.when(unobserved).then(pl.lit("snri")).otherwise(pl.col("treatment")))
    assert not other.equals(study.rows)
    studies = (study, study.changed(rows=other))
    models = [fit_response(one.training, one.target, BLOCKS, QUICK, 2, 1) for one in studies]
    assert models[0].spread_.to_dict() == pytest.approx(models[1].spread_.to_dict(), rel=1e-6)


def test_arms_are_in_alphabetical_order_and_people_without_one_have_no_place():
    rows = pl.DataFrame({"treatment": ["snri", None, "cbt", "snri"]})
    arms, place = arms_of(rows, CHANGE)
    assert arms == ["cbt", "snri"]
    assert place.tolist() == [1, -1, 0, 1]
    assert arms_of(rows, Target(kind="binary", outcome="y"))[0] == [None]


def test_learners_share_by_what_they_are_worth():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=300)
    outcome, arm = truth + rng.normal(size=300), np.arange(300) % 2
    good, weak, noise = truth, 0.3 * truth + rng.normal(size=300), rng.normal(size=300)
    shares = learner_shares(np.array([good, weak, noise]), outcome, arm)
    assert shares.sum() == pytest.approx(1) and (shares >= 0).all()
    assert shares[0] > 0.6 > shares[1] and shares[2] < 0.2
    alike = learner_shares(np.array([good, good, good]), outcome, arm)
    np.testing.assert_allclose(alike, 1 / 3, atol=1e-6)
    np.testing.assert_allclose(learner_shares(np.array([good, weak]), np.ones(300), arm), 0.5)


def test_shares_are_drawn_towards_what_is_said_beforehand():
    rng = np.random.default_rng(1)
    outcome, arm = rng.normal(size=300), np.arange(300) % 2
    alike = np.tile(0.1 * outcome, (3, 1))
    shares = learner_shares(alike, outcome, arm, np.array([6.0, 3.0, 1.0]))
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=1e-6)


def test_level_and_effects_are_shared_apart():
    """One learner knows how people fare, the other whom a treatment helps: each is heard on its own question."""
    rng = np.random.default_rng(1)
    level, effect, arm = rng.normal(size=2000), rng.normal(size=2000), np.arange(2000) % 2
    outcome = level + effect * (arm - 0.5) + 0.3 * rng.normal(size=2000)
    knows_level = np.column_stack([level, level])
    knows_effect = np.column_stack([-effect / 2, effect / 2])
    learners = np.array([knows_level, knows_effect])
    levels, effects = level_and_effect_shares(learners, outcome, arm)
    assert levels[0] > 0.7 and effects[1] > 0.7
    together = combined(learners, levels, effects)
    assert np.corrcoef(together[:, 1] - together[:, 0], effect)[0, 1] > 0.99
    assert np.corrcoef(together.mean(axis=1), level)[0, 1] > 0.99
