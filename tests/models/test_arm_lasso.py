"""Lasso and elastic net arm by arm, beside scikit-learn's on the whole design."""

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet

from nociomics.models.arm_lasso import errors_along_path, solve_arm_lasso, strongest_penalty
from nociomics.models.arm_ridge import arm_sums, sums_of

PEOPLE, WIDTH, ARMS = 200, 8, 3


@pytest.fixture
def trial():
    """Columns, outcome, arm, all as differences from the means of the arms."""
    rng = np.random.default_rng(1)
    columns, arm = rng.normal(size=(PEOPLE, WIDTH)), rng.integers(0, ARMS, PEOPLE)
    outcome = columns[:, 0] + (arm == 2) * columns[:, 1] + rng.normal(size=PEOPLE)
    for a in range(ARMS):
        columns[arm == a] -= columns[arm == a].mean(axis=0)
        outcome[arm == a] -= outcome[arm == a].mean()
    return columns, outcome, arm


def reference(columns, outcome, arm, penalty, ratio):
    design = np.hstack([columns, *[columns * (arm == a)[:, None] for a in range(ARMS)]])
    model = ElasticNet(alpha=penalty, l1_ratio=ratio, fit_intercept=False, tol=1e-12, max_iter=100_000)
    weights = model.fit(design, outcome).coef_
    return weights[:WIDTH] + weights[WIDTH:].reshape(ARMS, WIDTH)


@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("penalty", [0.01, 0.1, 0.4])
def test_coefficients_are_scikit_learns(trial, penalty, ratio):
    found = solve_arm_lasso(sums_of(*trial, ARMS), penalty, ratio)
    np.testing.assert_allclose(found, reference(*trial, penalty, ratio), atol=2e-4)


def test_the_strongest_penalty_is_the_first_that_leaves_nothing(trial):
    sums = sums_of(*trial, ARMS)
    largest = strongest_penalty(sums, 1.0)
    assert not solve_arm_lasso(sums, largest * 1.001, 1.0).any()
    assert solve_arm_lasso(sums, largest * 0.95, 1.0).any()


def test_errors_are_those_of_people_left_out(trial):
    columns, outcome, arm = trial
    folds = np.arange(PEOPLE) % 4
    parts = [sums_of(columns[folds == f], outcome[folds == f], arm[folds == f], ARMS) for f in range(4)]
    penalties = strongest_penalty(sums_of(*trial, ARMS), 1.0) * np.logspace(0, -2, 15)
    errors = errors_along_path(parts, penalties, 1.0)
    tried = np.flatnonzero(np.isfinite(errors))
    for place in tried:
        own = []
        for f in range(4):
            rest, here = folds != f, folds == f
            effects = reference(columns[rest], outcome[rest], arm[rest], penalties[place], 1.0)
            own.append(np.mean((outcome[here] - (columns[here] * effects[arm[here]]).sum(axis=1)) ** 2))
        assert errors[place] == pytest.approx(np.mean(own), rel=2e-3)


def test_weak_penalties_are_left_out_once_errors_rise():
    rng = np.random.default_rng(2)
    columns, outcome, arm = rng.normal(size=(60, 30)), rng.normal(size=60), np.arange(60) % 2
    parts = [arm_sums(columns[f::3], outcome[f::3], arm[f::3], 2) for f in range(3)]
    errors = errors_along_path(
        parts, strongest_penalty(sums_of(columns, outcome, arm, 2), 1.0) * np.logspace(0, -3, 20), 1.0
    )
    assert np.isinf(errors[-1])
    assert np.argmin(errors) < 5
