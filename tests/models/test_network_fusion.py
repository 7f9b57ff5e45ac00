"""Similarity network fusion: equal to the equations worked out by hand, and one network agrees with itself."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from nociomics.models.measured_blocks import measured_blocks
from nociomics.models.network_fusion import FusedNetwork, fused, local_kernel, scaled_affinity, status
from nociomics.models.settings import StrataSettings

DISTANCES = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]])


def test_affinity_by_hand():
    # nearest other at 1 for everybody: e = (1 + 1 + 1) / 3 = 1 and (1 + 1 + 2) / 3 = 4/3; width .5
    found = scaled_affinity(DISTANCES, neighbours=1)
    near, far = np.exp(-1 / 0.5), np.exp(-4 / (0.5 * 4 / 3))
    np.testing.assert_allclose(found, [[1, near, far], [near, 1, near], [far, near, 1]])


def test_status_and_kernel_by_hand():
    affinity = np.array([[1.0, 0.6, 0.2], [0.6, 1.0, 0.4], [0.2, 0.4, 1.0]])
    # the first person's others add up to .8: .6 / 1.6 and .2 / 1.6
    np.testing.assert_allclose(status(affinity), [[0.5, 0.375, 0.125], [0.3, 0.5, 0.2], [1 / 6, 1 / 3, 0.5]])
    # with one neighbour: 1 / 1.6 and .6 / 1.6; the last person's neighbour is the second
    expected = [[0.625, 0.375, 0], [0.375, 0.625, 0], [0, 0.4 / 1.4, 1 / 1.4]]
    np.testing.assert_allclose(local_kernel(affinity, 1).toarray(), expected)


def test_fusion_of_two_networks_by_hand():
    one = np.array([[1.0, 0.6, 0.2], [0.6, 1.0, 0.4], [0.2, 0.4, 1.0]])
    two = np.array([[1.0, 0.1, 0.5], [0.1, 1.0, 0.3], [0.5, 0.3, 1.0]])
    kernel_1 = np.array([[0.625, 0.375, 0], [0.375, 0.625, 0], [0, 2 / 7, 5 / 7]])
    kernel_2 = np.array([[2 / 3, 0, 1 / 3], [0, 10 / 13, 3 / 13], [1 / 3, 0, 2 / 3]])
    status_1 = np.array([[0.5, 0.375, 0.125], [0.3, 0.5, 0.2], [1 / 6, 1 / 3, 0.5]])
    status_2 = np.array([[0.5, 1 / 12, 5 / 12], [0.125, 0.5, 0.375], [0.3125, 0.1875, 0.5]])
    after_1 = status(kernel_1 @ status_2 @ kernel_1.T)
    after_2 = status(kernel_2 @ status_1 @ kernel_2.T)
    mean = (after_1 + after_2) / 2
    np.testing.assert_allclose(fused([one, two], neighbours=1, rounds=1), (mean + mean.T) / 2, atol=1e-6)


def test_a_network_alone_is_its_own_status():
    affinity = scaled_affinity(DISTANCES, 1)
    own = status(affinity)
    np.testing.assert_allclose(fused([affinity], 1, 20), (own + own.T) / 2, atol=1e-6)


def test_fusion_needs_both_blocks_to_see_four_groups():
    rng = np.random.default_rng(1)
    kind = np.repeat(np.arange(4), 30)
    first = np.outer(kind // 2 * 8.0, [1, -1, 1]) + rng.normal(size=(120, 3))
    second = np.outer(kind % 2 * 8.0, [1, 1]) + rng.normal(size=(120, 2))
    blocks = measured_blocks(np.hstack([first, second]) / 3, ["a"] * 3 + ["b"] * 2)
    both = FusedNetwork(blocks, StrataSettings(), seed=1)
    assert adjusted_rand_score(kind, both.labels(4)) > 0.95
    alone = FusedNetwork(measured_blocks(first / 3, ["a"] * 3), StrataSettings(), seed=1)
    assert adjusted_rand_score(kind // 2, alone.labels(2)) == pytest.approx(1.0)
    assert max(range(2, 7), key=alone.criterion) == 2
