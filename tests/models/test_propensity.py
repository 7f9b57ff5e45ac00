"""Propensities: near the truth, out of fold, never a crash where an arm is rare, and the same after JSON."""

import json

import numpy as np
import polars as pl
import pytest
from scipy.special import softmax

from nociomics.models.propensity import (
    PropensityModel,
    cross_fitted_observation,
    cross_fitted_propensities,
    fit_propensity,
    is_observational,
    load_propensity,
)
from nociomics.models.settings import BlockSettings, SplitSettings
from nociomics.models.splits import make_splits
from nociomics.models.value_model import Training
from nociomics.tables.results import OBSERVATION, PROPENSITIES
from tests.models.small_study import catalogue_of, numeric_study

ARMS = ("cbt", "nsaid", "snri")
BLOCKS = BlockSettings()


def clinic(people: int = 400, seed: int = 1, strength: float = 1.0) -> tuple[Training, pl.DataFrame, np.ndarray]:
    """Two of eight scores decide who gets which of three treatments; sites are by lot. With the true propensities."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(people, 8))
    features, catalogue = numeric_study({f"score_{place}": scores[:, place] for place in range(8)})
    site = rng.choice(["east", "north", "west"], people)
    features = features.with_columns(site=pl.Series(site))
    sites = catalogue_of([("site", "clinical", "site", "category", "category", None, None, None)])
    catalogue = pl.concat([catalogue, sites])
    truth = softmax(strength * np.column_stack([scores[:, 0], scores[:, 1], np.zeros(people)]), axis=1)
    arm = np.array([rng.choice(3, p=row) for row in truth])
    rows = features.select("patient_id").with_columns(
        treatment=pl.Series([ARMS[a] for a in arm]),
        assignment=pl.lit("observational"),
        response_value=pl.Series(rng.normal(size=people)),
    )
    ids = features["patient_id"].to_list()
    folds = SplitSettings(outer_folds=3, inner_folds=3, repeats=2)
    splits = make_splits(ids, {one: one for one in ids}, {}, folds, seed)
    return Training(features, catalogue, rows, np.arange(people) % 3), splits, truth


def wide(table: pl.DataFrame, repeat: int = 0) -> np.ndarray:
    part = table.filter(pl.col("repeat") == repeat).pivot(on="treatment", index="patient_id", values="propensity")
    return part.sort("patient_id").select(ARMS).to_numpy()


def test_they_come_near_the_true_propensities_and_add_up_to_one():
    study, splits, truth = clinic(people=600)
    found = cross_fitted_propensities(study, splits, BLOCKS)
    PROPENSITIES.check(found)
    assert found.height == 600 * 2 * 3
    chances = wide(found)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-9)
    order = np.argsort(study.features["patient_id"].to_numpy())
    assert np.sqrt(np.mean((chances - truth[order]) ** 2)) < 0.09
    constant = np.sqrt(np.mean((truth.mean(axis=0) - truth) ** 2))
    assert constant > 0.18  # what saying the same of everybody would miss by


def test_where_lots_decided_they_are_the_shares_of_the_treatments():
    study, splits, _ = clinic(people=300, strength=0.0)
    chances = wide(cross_fitted_propensities(study, splits, BLOCKS))
    assert np.sqrt(np.mean((chances - 1 / 3) ** 2)) < 0.06


def test_a_persons_own_treatment_does_not_move_their_propensity():
    study, splits, _ = clinic(people=120)
    first = cross_fitted_propensities(study, splits, BLOCKS)
    held = splits.filter((pl.col("repeat") == 0) & (pl.col("outer_fold") == 0))["patient_id"]
    other = study.rows.with_columns(
        treatment=pl.when(pl.col("patient_id").is_in(held.to_list())).then(pl.lit("snri")).otherwise("treatment")
    )
    again = cross_fitted_propensities(
        Training(study.features, study.catalogue, other, study.inner_fold), splits, BLOCKS
    )
    own = (pl.col("repeat") == 0) & pl.col("patient_id").is_in(held.to_list())
    gap = first.filter(own)["propensity"] - again.filter(own)["propensity"]
    assert gap.abs().max() <= 1e-12
    assert (first["propensity"] - again["propensity"]).abs().max() > 0.01


def test_a_randomised_study_has_none():
    study, splits, _ = clinic(people=60)
    rows = study.rows.with_columns(assignment=pl.lit("randomised"))
    drawn = Training(study.features, study.catalogue, rows, study.inner_fold)
    assert not is_observational(rows)
    assert cross_fitted_propensities(drawn, splits, BLOCKS).is_empty()
    assert load_propensity({"kind": "none"}) is None


def test_in_a_study_of_both_kinds_the_randomised_take_the_shares_of_the_trial():
    study, splits, _ = clinic(people=300)
    trial = pl.Series(np.arange(300) % 2 == 0)
    lots = pl.Series([("cbt", "snri")[place // 2 % 2] for place in range(300)])
    rows = study.rows.with_columns(
        assignment=pl.when(trial).then(pl.lit("randomised")).otherwise(pl.lit("observational")),
        treatment=pl.when(trial).then(lots).otherwise("treatment"),
    )
    both = cross_fitted_propensities(Training(study.features, study.catalogue, rows, study.inner_fold), splits, BLOCKS)
    inside = both.join(rows.filter(trial).select("patient_id"), on="patient_id", how="semi")
    means = dict(inside.group_by("treatment").agg(pl.col("propensity").mean()).iter_rows())
    assert means["nsaid"] == 0  # the trial did not have it: outside overlap
    assert means["cbt"] == pytest.approx(0.5, abs=0.05)
    outside = both.join(rows.filter(~trial).select("patient_id"), on="patient_id", how="semi")
    assert outside.filter(pl.col("treatment") == "nsaid")["propensity"].min() > 0


def test_an_arm_of_one_site_only_is_outside_overlap_elsewhere():
    study, splits, _ = clinic(people=400, strength=0.3)
    rows = study.rows.with_columns(
        treatment=pl.when((pl.col("treatment") == "snri") & (study.features["site"] != "east"))
        .then(pl.lit("cbt"))
        .otherwise("treatment")
    )
    changed = Training(study.features, study.catalogue, rows, study.inner_fold)
    found = cross_fitted_propensities(changed, splits, BLOCKS).join(
        study.features.select("patient_id", "site"), on="patient_id"
    )
    snri = found.filter(pl.col("treatment") == "snri")
    assert snri.filter(pl.col("site") != "east")["propensity"].max() == 0
    assert snri.filter(pl.col("site") == "east")["propensity"].min() > 0.05
    model = fit_propensity(changed, BLOCKS)
    away = model.outside_overlap(study.features, ["snri", "cbt", "never given"])
    elsewhere = (study.features["site"] != "east").to_numpy()
    assert away[elsewhere, 0].all()
    assert not away[:, 1].any()
    assert away[:, 2].all()


@pytest.mark.parametrize("few", [1, 3])
def test_a_rare_arm_does_not_stop_it(few):
    study, splits, _ = clinic(people=90)
    rare = pl.Series([place < few for place in range(90)])
    rows = study.rows.with_columns(
        treatment=pl.when(rare)
        .then(pl.lit("tens"))
        .when(pl.col("treatment") == "snri")
        .then(pl.lit("cbt"))
        .otherwise("treatment")
    )
    found = cross_fitted_propensities(Training(study.features, study.catalogue, rows, study.inner_fold), splits, BLOCKS)
    assert found.filter(pl.col("treatment") == "tens")["propensity"].max() < 0.2
    assert found["propensity"].is_finite().all()


def test_people_without_a_treatment_still_get_propensities():
    study, splits, _ = clinic(people=90)
    rows = study.rows.with_columns(treatment=pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise("treatment"))
    found = cross_fitted_propensities(Training(study.features, study.catalogue, rows, study.inner_fold), splits, BLOCKS)
    assert found["patient_id"].n_unique() == 90


def test_everything_learned_survives_json_exactly():
    study, _, _ = clinic(people=120)
    model = fit_propensity(study, BLOCKS)
    again = load_propensity(json.loads(json.dumps(model.to_dict(), allow_nan=False, sort_keys=True)))
    assert isinstance(again, PropensityModel)
    np.testing.assert_array_equal(again.predict(study.features), model.predict(study.features))
    assert again.covariates(study.features).equals(model.covariates(study.features))


def test_the_chance_of_being_observed_follows_what_drives_dropout():
    study, splits, _ = clinic(people=500)
    rng = np.random.default_rng(3)
    score = study.features["score_3"].to_numpy()
    seen = rng.random(500) < 1 / (1 + np.exp(-1.2 - 1.5 * score))
    rows = study.rows.with_columns(response_value=pl.when(pl.Series(seen)).then("response_value"))
    found = cross_fitted_observation(
        Training(study.features, study.catalogue, rows, study.inner_fold), splits, BLOCKS, "response_value"
    )
    OBSERVATION.check(found)
    both = found.filter(pl.col("repeat") == 0).join(study.features.select("patient_id", "score_3"), on="patient_id")
    assert np.corrcoef(both["observed"], 1 / (1 + np.exp(-1.2 - 1.5 * both["score_3"])))[0, 1] > 0.9


def test_too_few_dropouts_are_not_modelled():
    study, splits, _ = clinic(people=60)
    rows = study.rows.with_columns(response_value=pl.when(pl.int_range(pl.len()) > 8).then("response_value"))
    changed = Training(study.features, study.catalogue, rows, study.inner_fold)
    assert cross_fitted_observation(changed, splits, BLOCKS, "response_value").is_empty()


def test_penalised_chances_are_stretched_to_where_new_people_put_them():
    model = fit_propensity(clinic(people=500)[0], BLOCKS)
    assert model.slope_ > 1.05  # the penalty had made them too much alike
    new, _, truth = clinic(people=4000, seed=9)
    logits = np.log(model.predict(new.features))
    centre = logits.mean(axis=0)
    as_penalised = softmax((logits - centre) / model.slope_ + centre, axis=1)
    assert np.abs(softmax(logits, axis=1) - truth).mean() < np.abs(as_penalised - truth).mean()


@pytest.mark.parametrize("seed", range(3))
def test_lots_are_not_stretched_into_reasons(seed):
    model = fit_propensity(clinic(people=200, seed=seed, strength=0.0)[0], BLOCKS)
    chances = model.predict(clinic(people=1000, seed=50 + seed)[0].features)
    assert np.abs(chances - 1 / 3).max() < 0.25
