"""One stratum until disproved: types are claimed, and neither a skewed scale, nor a skewed driver, nor chance is."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm
from sklearn.metrics import adjusted_rand_score

from nociomics.models.settings import StrataSettings
from nociomics.models.strata_number import Found
from nociomics.models.stratification import StratumModel
from tests.models.small_study import BLOCKS, catalogue_of, numeric_study

QUICK = StrataSettings(starts=3, bootstraps=0, largest_k=4)
DRIVERS = 3
PER_DRIVER = 4


def measured(drivers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Twelve measurements of three drivers."""
    columns = np.repeat(drivers, PER_DRIVER, axis=1) * 0.8
    return columns + 0.6 * rng.normal(size=columns.shape)


def drivers_of(kind: str, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Drivers of one cloud of people or of types, and the type of each."""
    normal = rng.normal(size=(count, DRIVERS))
    if kind == "skewed drivers":
        skewed = np.exp(0.7 * normal)
        return (skewed - skewed.mean(axis=0)) / skewed.std(axis=0), np.zeros(count)
    if kind == "flat drivers":
        return rng.uniform(-1.7, 1.7, size=(count, DRIVERS)), np.zeros(count)
    if kind == "two types":
        of = rng.integers(0, 2, count)
        return 0.6 * normal + np.outer(of - 0.5, [1.7, -1.7, 0.0]), of
    if kind == "three types":
        of = rng.integers(0, 3, count)
        return 0.5 * normal + np.array([[1.5, -0.5, -0.5], [-0.5, 1.5, -0.5], [-0.5, -0.5, 1.5]])[of], of
    return normal, np.zeros(count)


def study_of(columns: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    return numeric_study({f"scale_{place:02d}": column for place, column in enumerate(columns.T)})


def fitted(columns: np.ndarray, settings: StrataSettings = QUICK) -> tuple[StratumModel, pl.DataFrame]:
    features, catalogue = study_of(columns)
    return StratumModel(settings, BLOCKS, 1).fit(features, catalogue), features


@pytest.mark.parametrize("kind", ["one cloud", "skewed drivers", "flat drivers"])
@pytest.mark.parametrize("seed", range(3))
def test_a_continuum_of_any_shape_is_one_stratum(kind, seed):
    rng = np.random.default_rng([seed, 1])
    model, features = fitted(measured(drivers_of(kind, 500, rng)[0], rng))
    assert model.k_ == 1
    assert model.summary(features)["evidence"].startswith("none: dimensions, not types")


@pytest.mark.parametrize("seed", range(3))
def test_the_shape_of_a_scale_is_no_evidence(seed):
    rng = np.random.default_rng([seed, 2])
    columns = measured(drivers_of("one cloud", 500, rng)[0], rng)
    columns[:, :4] = np.exp(columns[:, :4])
    columns[:, 4:8] = np.maximum(np.round(3 * columns[:, 4:8]), 0)
    assert fitted(columns)[0].k_ == 1


@pytest.mark.parametrize(("kind", "k"), [("two types", 2), ("three types", 3)])
def test_types_are_counted_and_found(kind, k):
    counted = []
    for seed in range(5):
        rng = np.random.default_rng([seed, 3])
        drivers, of = drivers_of(kind, 500, rng)
        model, features = fitted(measured(drivers, rng))
        counted.append(model.k_)
        assert adjusted_rand_score(of, model.assign(features)["stratum"]) > 0.7
    assert min(counted) == k and counted.count(k) >= 4  # one too many happens: 1 of 25 cohorts of three types


def test_each_further_stratum_has_to_pay():
    rng = np.random.default_rng(4)
    model, features = fitted(measured(drivers_of("two types", 500, rng)[0], rng))
    steps = model.summary(features)["test"]["steps"]
    assert [step["k"] for step in steps] == [2, 3, 4]
    left = [step["likelihood_ratio"] - step["needed"] for step in steps]
    assert left[0] == max(left) > 0
    assert steps[0]["p_value"] < 1e-6 and steps[1]["p_value"] > 0.01
    assert steps[1]["needed"] == pytest.approx(2 * steps[0]["needed"])


def test_a_stratum_of_a_few_people_is_not_claimed():
    rng = np.random.default_rng(5)
    drivers = rng.normal(size=(400, DRIVERS)) * 0.5
    drivers[:20] += 5.0
    model, features = fitted(measured(drivers, rng))
    assert model.k_ == 1
    assert "fewer than 30 people" in model.summary(features)["evidence"]


def test_what_was_not_measured_is_not_guessed():
    rng = np.random.default_rng(6)
    drivers, of = drivers_of("two types", 600, rng)
    columns = measured(drivers, rng)
    columns[:150, :4] = np.nan
    columns[100:250, 4:8] = np.nan
    model, features = fitted(columns)
    assert model.k_ == 2
    placed = model.assign(features)
    unsure = placed["entropy"].to_numpy()
    assert unsure[100:150].mean() > 3 * unsure[250:].mean()  # neither of the drivers that tell was measured
    assert adjusted_rand_score(of[250:], placed["stratum"][250:]) > 0.8


def test_a_column_that_few_have_is_left_out_and_named():
    rng = np.random.default_rng(7)
    columns = measured(drivers_of("two types", 300, rng)[0], rng)
    columns[:200, 11] = np.nan
    model, features = fitted(columns)
    assert model.summary(features)["left_out"] == [
        {"column": "scale_11", "reason": "measured in 33% of the people, less than half"}
    ]
    assert "scale_11" not in {column.name for column in model.columns(features).columns}


def test_people_entered_twice_do_not_make_a_stratum_surer():
    rng = np.random.default_rng(8)
    columns = measured(drivers_of("one cloud", 200, rng)[0], rng)
    once, twice = fitted(columns)[0], fitted(np.vstack([columns, columns]))[0]
    assert once.found_.steps == twice.found_.steps


def test_when_blood_was_drawn_makes_no_stratum():
    rng = np.random.default_rng(9)
    columns = {f"a{place}": column for place, column in enumerate(measured(rng.normal(size=(120, 3)), rng).T)}
    features, _ = numeric_study({**columns, "cortisol_hour": rng.uniform(7, 11, 120)}, "biomarkers")
    entries = [(name, "biomarkers", name, "pg/mL", "numeric", None, None, None) for name in columns]
    entries.append(("cortisol_hour", "biomarkers", "cortisol_serum", "h", "numeric", None, None, None))
    model = StratumModel(QUICK, BLOCKS, 1).fit(features, catalogue_of(entries))
    assert len(model.kept_) == 12
    assert "cortisol_hour" not in model.blocks_.input_features()


def answers(chance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (rng.random(chance.shape) < chance).astype(float)


@pytest.mark.parametrize("seed", range(3))
def test_classes_of_answers_are_found(seed):
    rng = np.random.default_rng([seed, 10])
    of = rng.integers(0, 3, 450)
    chance = np.full((3, 9), 0.15) + np.kron(np.eye(3), np.full((1, 3), 0.7))
    model, features = fitted(answers(chance[of], rng))
    assert model.yes_no_ and model.k_ == 3
    assert adjusted_rand_score(of, model.assign(features)["stratum"]) > 0.6
    assert model.summary(features)["kind"] == "latent classes of yes-or-no answers"


@pytest.mark.parametrize("traits", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_answers_of_a_latent_trait_are_one_stratum(traits, seed):
    rng = np.random.default_rng([seed, 11])
    trait = rng.normal(size=(500, traits))
    slopes = np.kron(np.eye(traits), np.ones((1, 12 // traits))) * 1.6
    model, features = fitted(answers(norm.cdf(trait @ slopes + np.linspace(-1, 1, 12)), rng))
    assert model.yes_no_ and model.k_ == 1
    assert "continuum" in model.summary(features)["evidence"]


def test_equal_answers_are_different_people():
    rng = np.random.default_rng(12)
    model, features = fitted(answers(np.full((300, 4), 0.5), rng))
    assert model.summary(features)["people"] == 300
    assert model.found_.bic[1] == pytest.approx(-2 * 4 * 300 * np.log(0.5), rel=0.03)


@pytest.mark.parametrize("modality", ["proteins", "expression"])
def test_one_wide_block_alone_is_enough(modality):
    rng = np.random.default_rng(13)
    of = rng.integers(0, 2, 300)
    values = rng.normal(size=(300, 80)) + np.outer(of - 0.5, np.r_[np.full(40, 1.5), np.zeros(40)])
    features, catalogue = numeric_study({f"p{place:02d}": column for place, column in enumerate(values.T)}, modality)
    model = StratumModel(QUICK, BLOCKS, 1).fit(features, catalogue)
    assert model.k_ == 2
    assert adjusted_rand_score(of, model.assign(features)["stratum"]) > 0.9


def test_constant_columns_and_too_few_people_give_no_strata():
    rng = np.random.default_rng(14)
    columns = measured(rng.normal(size=(300, 3)), rng)
    columns[:, :8] = 1.0
    assert fitted(columns)[0].k_ == 1
    model, features = fitted(measured(rng.normal(size=(49, 3)), rng))
    assert model.assign(features)["stratum"].null_count() == 49
    assert model.summary(features)["evidence"] == "not enough people or measurements to look for strata"


@pytest.mark.parametrize(("continuum", "margin"), [(None, 40.0), (-5.0, 40.0), (35.0, 5.0)])
def test_the_margin_of_strata_is_taken_over_the_best_account_without_any(continuum, margin):
    steps = [
        {"k": 2, "likelihood_ratio": 50.0, "needed": 20.0, "p_value": 0.0, "smallest": 90},
        {"k": 3, "likelihood_ratio": 80.0, "needed": 40.0, "p_value": 0.0, "smallest": 60},
    ]
    assert Found(3, {1: 100.0, 2: 70.0, 3: 60.0}, steps, continuum, None).margin() == margin


def test_strata_that_hardly_beat_a_continuum_are_weak_evidence():
    rng = np.random.default_rng([1, 4])
    model, features = fitted(measured(drivers_of("two types", 500, rng)[0], rng))
    assert model.summary(features)["evidence"] == "strong: at least this many"
    gain = model.found_.margin() + max(model.found_.continuum_gain, 0.0)
    model.found_ = dataclasses.replace(model.found_, continuum_gain=gain - 5)
    assert model.summary(features)["evidence"] == "weak: at least this many"
