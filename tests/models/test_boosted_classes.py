"""Boosted trees of classes: what they find, when they count, and that they are stored as they answered."""

import json

import numpy as np
import polars as pl
import pytest

from nociomics.models.boosted_classes import ClassRows, ClassTrees, Size, fit_class_trees, tried_sizes
from nociomics.models.response import fit_response, load_response, predict_response
from nociomics.models.settings import BlockSettings, ResponseSettings
from nociomics.models.value_model import Training
from nociomics.tables.study import Target
from tests.models.small_study import catalogue_of

PARAMETERS = {"depth": 2, "rate": 0.1, "leaf": 3, "rounds": 40}
COLUMNS = [f"x{place}" for place in range(8)]
SETTINGS = ResponseSettings()


def invented(log_odds, people: int, seed: int, arms: int = 1):
    """Columns, arms and 0/1 outcomes of people whose log-odds are the given function of both."""
    rng = np.random.default_rng(seed)
    columns, arm = rng.normal(size=(people, len(COLUMNS))), rng.integers(0, arms, people)
    z = log_odds(columns, arm)
    happened = rng.random(people) < 1 / (1 + np.exp(-(z - z.mean())))
    columns[rng.random(people) < 0.1, 5] = np.nan
    return columns, arm, happened.astype(float)


def study(columns: np.ndarray, arm: np.ndarray, happened: np.ndarray, arms: int = 1) -> tuple[Training, Target]:
    ids = pl.Series("patient_id", [f"P{place:05d}" for place in range(len(columns))])
    features = pl.DataFrame({"patient_id": ids, **dict(zip(COLUMNS, columns.T, strict=True))})
    known = {name: pl.Series(name, [None] * len(ids), dtype=pl.Float64) for name in ("baseline", "adverse_event")}
    rows = pl.DataFrame(
        {
            "patient_id": ids,
            "treatment": pl.Series([f"t{a}" if arms > 1 else None for a in arm], dtype=pl.String),
            "assignment": ["randomised"] * len(ids),
            "outcome": happened,
            "label": [str(int(one)) for one in happened],
            "response_value": happened,
            "responded": happened,
            "group": pl.Series([None] * len(ids), dtype=pl.String),
            **known,
        }
    )
    entries = [(name, "clinical", name, "score", "numeric", None, None, None) for name in COLUMNS]
    folds = np.random.default_rng(0).permutation(np.arange(len(ids)) % 5)
    training = Training(features.with_columns(pl.col(COLUMNS).fill_nan(None)), catalogue_of(entries), rows, folds)
    return training, Target(kind="binary", outcome="event", treatment="arm" if arms > 1 else None)


def log_loss(log_odds, training: Training, target: Target, candidates: list[str], arms: int) -> float:
    """Log loss in 2,000 new people of the model of some candidates."""
    settings = SETTINGS.model_copy(update={"candidates": candidates})
    model = fit_response(training, target, BlockSettings(), settings, 1, seed=1)
    columns, arm, happened = invented(log_odds, 2000, 99, arms)
    new, _ = study(columns, arm, happened, arms)
    p = predict_response(model, new.features, np.full(2000, np.nan)).expected[np.arange(2000), arm]
    return float(-np.mean(np.log(np.where(happened == 1, p, 1 - p))))


def steps(columns: np.ndarray, arm: np.ndarray) -> np.ndarray:
    return 1.6 * (np.abs(columns[:, 0]) > 1) + 1.3 * ((columns[:, 1] > 0) & (columns[:, 2] > 0))


def lines(columns: np.ndarray, arm: np.ndarray) -> np.ndarray:
    return np.asarray(columns[:, :4] @ [0.7, -0.6, 0.5, 0.4])


@pytest.mark.parametrize("arms", [1, 3], ids=["no arms", "three arms"])
def test_steps_and_pairs_of_traits_are_found(arms):
    training, target = study(*invented(steps, 500, 1, arms), arms)
    alone = log_loss(steps, training, target, ["late_fusion", "plain_l2"], arms)
    assert log_loss(steps, training, target, [], arms) < alone - 0.02


@pytest.mark.parametrize("arms", [1, 3], ids=["no arms", "three arms"])
def test_where_lines_are_the_truth_the_trees_do_not_count(arms):
    training, target = study(*invented(lines, 400, 2, arms), arms)
    model = fit_response(training, target, BlockSettings(), SETTINGS, 1, seed=1)
    assert model.trees_ == [] and model.tree_share_ == 0.0


def test_noise_opens_the_door_to_trees_in_few_cohorts():
    opened = 0
    for seed in range(10):
        training, target = study(*invented(lambda columns, arm: 0 * columns[:, 0], 120, seed))
        model = fit_response(training, target, BlockSettings(), SETTINGS, 1, seed=1)
        opened += bool(model.trees_)
    assert opened <= 2


def test_below_a_hundred_people_no_trees_are_tried():
    training, target = study(*invented(steps, 90, 3))
    model = fit_response(training, target, BlockSettings(), SETTINGS, 1, seed=1)
    assert model.trees_ == []


def test_a_model_with_trees_is_stored_and_loaded_to_the_same_answers(tmp_path):
    training, target = study(*invented(steps, 500, 1, 3), 3)
    model = fit_response(training, target, BlockSettings(), SETTINGS, 2, seed=1)
    stored = json.loads(json.dumps(model.save(tmp_path), allow_nan=False, sort_keys=True))
    assert {path.suffix for path in tmp_path.iterdir()} == {".ubj"}
    again = load_response(stored, tmp_path)
    encoded = model.encode(training.features)
    np.testing.assert_allclose(again.probabilities(encoded), model.probabilities(encoded), rtol=0, atol=1e-12)
    np.testing.assert_allclose(again.refit_probabilities(encoded), model.refit_probabilities(encoded), atol=1e-12)


def test_refits_lie_around_the_model():
    training, target = study(*invented(steps, 500, 1))
    model = fit_response(training, target, BlockSettings(), SETTINGS, 3, seed=1)
    encoded = model.encode(training.features)
    refits, whole = model.refit_probabilities(encoded), model.probabilities(encoded)
    log_odds = np.log(refits[..., 1] / refits[..., 0]).mean(axis=0)
    np.testing.assert_allclose(log_odds, np.log(whole[..., 1] / whole[..., 0]), atol=1e-9)
    assert refits.std(axis=0).max() > 0.01


def test_a_column_that_nobody_lacked_is_its_mean_for_whom_it_is_lacking():
    training, target = study(*invented(steps, 500, 1))
    model = fit_response(training, target, BlockSettings(), SETTINGS, 1, seed=1)
    assert model.trees_
    one = training.features[:1]
    lacking = one.with_columns(x0=pl.lit(None, dtype=pl.Float64))
    at_mean = one.with_columns(x0=pl.lit(training.features["x0"].mean()))
    np.testing.assert_allclose(
        model.probabilities(model.encode(lacking)), model.probabilities(model.encode(at_mean)), atol=1e-9
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("own", [0, 5])
def test_trees_of_arms_speak_for_their_arm_and_survive_storing(n_classes, own, tmp_path):
    rng = np.random.default_rng(4)
    values, arm = rng.normal(size=(200, 4)), rng.integers(0, 2, 200)
    classes = np.where(arm == 0, values[:, 0] > 0, values[:, 1] > 0).astype(int) + (n_classes == 3) * (
        values[:, 2] > 1
    ).astype(int)
    rows = ClassRows(values, classes, arm, n_classes, 2)
    trees = fit_class_trees(rows, Size(20, own), PARAMETERS, 1)
    logits = trees.logits(values)
    assert logits.shape == (200, 2, n_classes)
    assert np.allclose(logits[:, 0], logits[:, 1]) == (own == 0)
    again = ClassTrees.load(json.loads(json.dumps(trees.save(tmp_path, "trees"))), tmp_path, "trees")
    np.testing.assert_array_equal(again.logits(values), logits)


def test_sizes_grow_and_nothing_is_grown_that_nobody_asks_for():
    rng = np.random.default_rng(5)
    rows = ClassRows(rng.normal(size=(100, 3)), rng.integers(0, 2, 100), np.zeros(100, dtype=int), 2, 1)
    sizes = [size.rounds for size, _ in tried_sizes(rows, np.arange(100) % 4, PARAMETERS, 1)]
    assert sizes == [5, 10, 20, 40]
