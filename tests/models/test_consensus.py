"""Consensus clustering: clear groups have a clear consensus."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from nociomics.models.consensus import Consensus, consensus_matrix
from nociomics.models.measured_blocks import measured_blocks
from nociomics.models.settings import StrataSettings

KIND = np.repeat(np.arange(3), 40)


@pytest.fixture(scope="module")
def consensus() -> Consensus:
    rng = np.random.default_rng(1)
    values = np.array([[0.0, 0], [10, 0], [0, 10]])[KIND] + rng.normal(size=(120, 2))
    return Consensus(measured_blocks(values, ["a", "a"]), StrataSettings(), seed=1)


def test_the_true_number_is_least_ambiguous(consensus):
    ambiguous = {k: consensus.criterion(k) for k in range(2, 7)}
    assert min(ambiguous, key=ambiguous.__getitem__) == 3
    assert ambiguous[3] == 0.0 and ambiguous[5] > 0.05
    assert adjusted_rand_score(KIND, consensus.labels(3)) == pytest.approx(1.0)


def test_people_fall_together_in_none_or_all_of_their_draws():
    points = np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]])
    together = consensus_matrix(points, 2, seed=1, draws=20)
    np.testing.assert_array_equal(together, np.kron(np.eye(2), np.ones((3, 3))))


def test_a_cut_gives_as_many_groups_as_asked_for(consensus):
    assert [len(np.unique(consensus.labels(k))) for k in (2, 3, 4)] == [2, 3, 4]
