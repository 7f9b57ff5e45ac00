"""Block ridge solved arm by arm, beside block ridge on the whole design at once."""

import numpy as np
import pytest

from nociomics.models.arm_ridge import ArmBlocks, arm_sums, learn_arm_widths, solve_arm_ridge
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
