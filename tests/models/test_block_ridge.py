"""Ridge with a width per block, beside its definition."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from nociomics.models.block_ridge import _Problem, fit_block_ridge, solve_block_ridge


def blocks(people: int, width: int, seed: int = 0):
    """Four blocks, of which only the first says anything."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(people, width))
    block = np.sort(np.arange(width) % 4)
    outcome = columns[:, block == 0].sum(axis=1) + rng.normal(size=people)
    return columns - columns.mean(axis=0), outcome - outcome.mean(), block


@pytest.mark.parametrize("shape", [(50, 20), (20, 50)], ids=["narrow", "wide"])
def test_the_gradient_is_that_of_the_likelihood(shape):
    columns, outcome, block = blocks(*shape)
    problem = _Problem(columns, outcome, block, 4, 1)
    at = np.random.default_rng(1).normal(size=5) * 0.5
    np.testing.assert_allclose(problem.loss(at)[1], approx_fprime(at, lambda x: problem.loss(x)[0], 1e-6), rtol=1e-4)


def test_narrow_and_wide_are_the_likelihood_of_a_normal_distribution():
    columns, outcome, block = blocks(30, 12)
    logs = np.array([0.1, -1.0, -0.5, 0.3, -0.2])
    problem = _Problem(columns, outcome, block, 4, 0)
    wide = _Problem(columns, outcome, block, 4, 0)
    wide.narrow = False
    covariance = columns @ np.diag(np.exp(logs[:-1])[block]) @ columns.T + np.exp(logs[-1]) * np.eye(30)
    expected = -multivariate_normal(np.zeros(30), covariance).logpdf(outcome) - 15 * np.log(2 * np.pi)
    assert problem.loss(logs)[0] == pytest.approx(expected, rel=1e-9)
    assert wide.loss(logs)[0] == pytest.approx(expected, rel=1e-9)


def test_blocks_that_say_nothing_fall_out():
    columns, outcome, block = blocks(200, 40)
    widths = fit_block_ridge(columns, outcome, block).widths
    assert widths.variances[0] > 50 * widths.variances[1:].max()
    assert widths.noise == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)], ids=["narrow", "wide"])
def test_coefficients_are_those_of_generalised_ridge_and_leaving_one_out_is_a_refit(shape):
    columns, outcome, block = blocks(*shape)
    found = fit_block_ridge(columns, outcome, block, fixed=0)
    penalty = np.diag(found.widths.noise / found.widths.variances[block])
    expected = np.linalg.solve(columns.T @ columns + penalty, columns.T @ outcome)
    np.testing.assert_allclose(found.coefficients, expected, atol=1e-7)
    np.testing.assert_allclose(solve_block_ridge(columns, outcome, block, found.widths), expected, atol=1e-7)
    rest = np.arange(shape[0]) != 3
    again = solve_block_ridge(columns[rest], outcome[rest], block, found.widths)
    assert found.leave_one_out[3] == pytest.approx(columns[3] @ again, abs=1e-6)


def test_a_constant_outcome_teaches_nothing():
    columns, _, block = blocks(30, 8)
    found = fit_block_ridge(columns, np.zeros(30), block)
    assert not found.coefficients.any()
    assert not solve_block_ridge(columns, np.zeros(30), block, found.widths).any()
