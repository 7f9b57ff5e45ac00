"""Block ridge solved arm by arm, beside block ridge on the whole design at once."""

import numpy as np
import pytest

from nociomics.models.arm_ridge import ArmBlocks, _posterior, arm_sums, learn_arm_widths, solve_arm_ridge, sums_of
from nociomics.models.block_ridge import Widths, fit_block_ridge, solve_block_ridge

ARMS = 3
BLOCKS = ArmBlocks(np.array([0, 0, 0, 0, 1, 1, 2]), np.array([3, 3, 3, 3, 3, 3, 4]))


def trial(people: int = 150):
    """Seven columns; the first two help everybody, the fifth in the last arm only."""
    rng = np.random.default_rng(1)
    columns, arm = rng.normal(size=(people, 7)), rng.integers(0, ARMS, people)
    outcome = columns[:, :2].sum(axis=1) + (arm == 2) * columns[:, 4] + arm + rng.normal(size=people)
    return columns, outcome, arm


def whole(columns, outcome, arm):
    """Columns and columns x arm, with the outcome, less the means of the arms, and every column's block."""
    design = np.hstack([columns, *[columns * (arm == a)[:, None] for a in range(ARMS)]])
    outcome = outcome.copy()
    for a in np.unique(arm):
        design[arm == a] -= design[arm == a].mean(axis=0)
        outcome[arm == a] -= outcome[arm == a].mean()
    return design, outcome, np.r_[BLOCKS.common, np.tile(BLOCKS.own, ARMS)]


@pytest.mark.parametrize("people", [150, 12], ids=["many", "fewer than columns"])
def test_widths_are_those_of_the_whole_design(people):
    design, outcome, block = whole(*trial(people))
    known = fit_block_ridge(design, outcome, block, ARMS).widths
    found = learn_arm_widths(arm_sums(*trial(people), ARMS), BLOCKS)
    np.testing.assert_allclose(found.variances, known.variances, rtol=1e-5)
    assert found.noise == pytest.approx(known.noise, rel=1e-6)


@pytest.mark.parametrize("variances", [[0.5, 0.1, 0.2, 0.3, 0.4], [0.5, 0.0, 0.2, 0.0, 0.4]], ids=["all", "some"])
def test_coefficients_are_those_of_the_whole_design(variances):
    widths = Widths(np.array(variances), 0.8)
    design, outcome, block = whole(*trial())
    known = solve_block_ridge(design, outcome, block, widths)
    expected = known[:7] + known[7:].reshape(ARMS, 7)
    np.testing.assert_allclose(solve_arm_ridge(arm_sums(*trial(), ARMS), BLOCKS, widths), expected, atol=1e-10)


def test_an_arm_without_people_has_the_common_effects():
    columns, outcome, arm = trial()
    arm, widths = np.minimum(arm, 1), Widths(np.full(5, 0.3), 1.0)
    found = solve_arm_ridge(arm_sums(columns, outcome, arm, ARMS), BLOCKS, widths)
    common = solve_block_ridge(*whole(columns, outcome, arm), widths)[:7]
    np.testing.assert_allclose(found[2], common, atol=1e-12)
    assert np.abs(found[0] - common).max() > 0.01


def test_an_outcome_that_does_not_vary_has_no_width():
    columns, _, arm = trial()
    widths = learn_arm_widths(arm_sums(columns, np.ones(150), arm, ARMS), BLOCKS)
    assert not widths.variances.any()
    assert not solve_arm_ridge(arm_sums(columns, np.ones(150), arm, ARMS), BLOCKS, widths).any()


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6, 1e9])
def test_a_posterior_of_any_width_is_that_of_the_whole_design(size: float) -> None:
    rng = np.random.default_rng(5)
    columns, arm = rng.normal(size=(60, 4)), rng.integers(0, 2, 60)
    sums = sums_of(columns, rng.normal(size=60), arm, 2)
    blocks = ArmBlocks(np.zeros(4, dtype=int), np.ones(4, dtype=int))
    found = _posterior(sums, blocks, np.array([size, size]), 0.5)
    design = np.hstack([columns, columns * (arm == 0)[:, None], columns * (arm == 1)[:, None]]) * np.sqrt(size)
    _, logarithm = np.linalg.slogdet(np.eye(12) + design.T @ design / 0.5)
    assert found.logarithm == pytest.approx(logarithm, rel=1e-6)
    assert np.isfinite(found.weights).all() and (found.used > -1e-6).all() and (found.used < 1 + 1e-6).all()


def test_strong_effects_are_learned_without_a_crash() -> None:
    # widths that the search tries here are so large that a difference of two grams would leave nothing but rounding
    rng = np.random.default_rng(3)
    columns, arm = rng.normal(size=(1000, 7)), rng.integers(0, ARMS, 1000)
    outcome = 50 * columns.sum(axis=1) + 50 * (arm == 2) * columns[:, 4] + 1e-3 * rng.normal(size=1000)
    widths = learn_arm_widths(arm_sums(columns, outcome, arm, ARMS), BLOCKS)
    found = solve_arm_ridge(arm_sums(columns, outcome, arm, ARMS), BLOCKS, widths)
    np.testing.assert_allclose(found[2], [50, 50, 50, 50, 100, 50, 50], rtol=1e-2)
