"""Learners of an outcome under each arm, beside formulas and other tools."""

import json

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from nociomics.models.arm_learners import Penalty, choose_penalty, fit_forests, fit_linear, predict_forest
from nociomics.models.settings import ResponseSettings

PEOPLE, WIDTH = 120, 6


@pytest.fixture
def trial() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns, outcome, arm: the first column helps under arm 0 and harms under arm 1."""
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(PEOPLE, WIDTH))
    arm = rng.integers(0, 2, PEOPLE)
    outcome = 2 + arm + np.where(arm == 0, 1, -1) * columns[:, 0] + rng.normal(size=PEOPLE)
    return columns, outcome, arm


def explicit_design(columns: np.ndarray, arm: np.ndarray, arms: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and columns x arm; and the arms' own 0/1 columns, which nobody penalises."""
    own = (arm[:, None] == np.arange(arms)).astype(float)
    return np.hstack([columns, *[columns * own[:, [a]] for a in range(arms)]]), own


@pytest.mark.parametrize("strength", [0.3, 10.0, 1000.0])
def test_ridge_is_the_closed_form_with_free_arm_means(trial, strength):
    columns, outcome, arm = trial
    design, own = explicit_design(columns, arm, 2)
    everything = np.hstack([design, own])
    penalised = np.diag([strength] * design.shape[1] + [0.0, 0.0])
    weights = np.linalg.solve(everything.T @ everything + penalised, everything.T @ outcome)
    main, first, second, means = np.split(weights, [WIDTH, 2 * WIDTH, 3 * WIDTH])
    fitted = fit_linear(Penalty("ridge", strength, 0.0), columns, outcome, arm, 2)
    np.testing.assert_allclose(fitted.coefficients, [main + first, main + second], atol=1e-9)
    np.testing.assert_allclose(fitted.intercepts, means, atol=1e-9)
    new = np.random.default_rng(2).normal(size=(5, WIDTH))
    expected = np.column_stack([new @ (main + first) + means[0], new @ (main + second) + means[1]])
    np.testing.assert_allclose(fitted.predict(new), expected, atol=1e-9)


def test_an_endless_penalty_leaves_the_mean_of_each_arm(trial):
    columns, outcome, arm = trial
    for kind, strength in (("ridge", 1e12), ("lasso", 1e3)):
        predicted = fit_linear(Penalty(kind, strength, 0.0), columns, outcome, arm, 2).predict(columns)
        means = [outcome[arm == a].mean() for a in (0, 1)]
        np.testing.assert_allclose(predicted, np.tile(means, (PEOPLE, 1)), atol=1e-6)


def test_lasso_is_optimal_with_free_arm_means(trial):
    """At the optimum no column goes with the residual by more than the penalty, and each arm's residuals cancel."""
    columns, outcome, arm = trial
    fitted = fit_linear(Penalty("lasso", 0.05, 0.0), columns, outcome, arm, 2)
    residual = outcome - fitted.predict(columns)[np.arange(PEOPLE), arm]
    for a in (0, 1):
        assert residual[arm == a].sum() == pytest.approx(0, abs=1e-9)
    design, _ = explicit_design(columns, arm, 2)
    assert np.abs(design.T @ residual).max() / PEOPLE <= 0.05 + 1e-3


def test_without_arms_lasso_is_scikit_learns_own(trial):
    columns, outcome, _ = trial
    fitted = fit_linear(Penalty("lasso", 0.1, 0.0), columns, outcome, np.zeros(PEOPLE, dtype=int), 1)
    reference = Lasso(alpha=0.1, tol=1e-10, max_iter=100_000).fit(columns, outcome)
    np.testing.assert_allclose(fitted.coefficients[0], reference.coef_, atol=1e-3)
    assert fitted.intercepts[0] == pytest.approx(reference.intercept_, abs=1e-3)
    assert (fitted.coefficients[0] == 0).sum() == (reference.coef_ == 0).sum() > 0


@pytest.mark.parametrize("kind", ["ridge", "lasso"])
def test_a_penalty_is_chosen_by_error_on_people_left_out(trial, kind):
    columns, outcome, arm = trial
    folds = np.arange(PEOPLE) % 3
    chosen = choose_penalty(kind, columns, outcome, arm, 2, folds)
    assert chosen.kind == kind
    # noise has variance 1; without any column the arms' residual variance is about 2
    assert 0.7 < chosen.squared_error < 1.5
    noise = choose_penalty(kind, columns, np.random.default_rng(3).normal(size=PEOPLE), arm, 2, folds)
    assert noise.strength > chosen.strength


@pytest.mark.parametrize("kind", ["ridge", "lasso"])
def test_a_study_without_columns_predicts_the_mean_of_each_arm(trial, kind):
    _, outcome, arm = trial
    nothing = np.empty((PEOPLE, 0))
    chosen = choose_penalty(kind, nothing, outcome, arm, 2, np.arange(PEOPLE) % 3)
    predicted = fit_linear(chosen, nothing, outcome, arm, 2).predict(nothing[:1])
    np.testing.assert_allclose(predicted[0], [outcome[arm == a].mean() for a in (0, 1)])


def walk(tree: dict, row: np.ndarray) -> float:
    """Follow one stored tree by hand; a missing value goes where the tree says."""
    node = 0
    while tree["left_children"][node] != -1:
        value = row[tree["split_indices"][node]]
        left = bool(tree["default_left"][node]) if np.isnan(value) else value < tree["split_conditions"][node]
        node = tree["left_children" if left else "right_children"][node]
    return tree["base_weights"][node]


def test_a_forest_is_the_mean_of_its_trees(trial):
    columns, outcome, arm = trial
    columns = columns.copy()
    columns[::7, 2] = np.nan
    settings = ResponseSettings(tree_depth=3)
    forests = fit_forests(columns, outcome, arm, 2, settings, 5, seed=1)
    for a, forest in enumerate(forests):
        stored = json.loads(forest.save_raw("json"))["learner"]
        trees = stored["gradient_booster"]["model"]["trees"]
        base = outcome[arm == a].mean()
        assert len(trees) == 5
        # XGBoost stores a random forest's leaves divided by the number of trees: their sum is the mean tree
        by_hand = [base + sum(walk(tree, np.float32(row)) for tree in trees) for row in columns]
        np.testing.assert_allclose(predict_forest(forest, columns), by_hand, atol=1e-5)


def test_a_forest_of_one_tree_without_sampling_gives_means_of_its_leaves(trial):
    columns, outcome, arm = trial
    forest = fit_forests(columns, outcome, arm, 2, ResponseSettings(tree_depth=2), 1, seed=1)[0]
    predicted = predict_forest(forest, columns[arm == 0])
    assert len(np.unique(predicted)) <= 4
    assert np.corrcoef(predicted, outcome[arm == 0])[0, 1] > 0.2


def test_forests_are_the_same_for_the_same_seed_only(trial):
    columns, outcome, arm = trial
    settings = ResponseSettings()
    one, again, other = (fit_forests(columns, outcome, arm, 2, settings, 3, seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(predict_forest(one[0], columns), predict_forest(again[0], columns))
    assert np.abs(predict_forest(one[0], columns) - predict_forest(other[0], columns)).max() > 0.01


def test_a_forest_without_columns_predicts_the_mean(trial):
    _, outcome, arm = trial
    nothing = np.empty((PEOPLE, 0))
    forest = fit_forests(nothing, outcome, arm, 2, ResponseSettings(), 3, seed=1)[0]
    np.testing.assert_allclose(predict_forest(forest, nothing[:4]), outcome[arm == 0].mean(), atol=0.35)
