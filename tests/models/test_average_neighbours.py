"""Averaged neighbours: equal to the equations worked out by hand, also where a block is missing."""

import numpy as np
from sklearn.metrics import adjusted_rand_score

from nociomics.models.average_neighbours import AverageNeighbours, average_similarity, relative_similarity
from nociomics.models.measured_blocks import MeasuredBlocks, measured_blocks, squared_distances
from nociomics.models.settings import StrataSettings

LINE = np.array([[0.0], [1.0], [3.0]])


def test_similarity_relative_to_neighbours_by_hand():
    found = relative_similarity(squared_distances(LINE), neighbours=1)
    # nearest: 0 -> 1, 1 -> 0, 3 -> 1. Each has one neighbour, whose share is 1; 0 and 1 are neighbours of each other
    np.testing.assert_allclose(found, [[0, 2, 0], [2, 0, 1], [0, 1, 0]])


def test_shares_among_two_neighbours_by_hand():
    found = relative_similarity(squared_distances(LINE), neighbours=2)
    # mean squares to both others: 5, 2.5, 6.5; variances (5+2.5+1)/3, (5+6.5+9)/3, (2.5+6.5+4)/3
    variance = np.array([8.5, 20.5, 13.0]) / 3
    near, far, middle = np.exp(-np.array([1.0, 9.0, 4.0]) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    assert found[0, 1] == np.float64(near / (near + far) + near / (near + middle))
    np.testing.assert_allclose(found[0, 2], far / (near + far) + far / (far + middle))


def test_people_are_averaged_over_the_blocks_that_both_have():
    other = np.array([[5.0], [np.nan], [5.5]])
    blocks = MeasuredBlocks(("a", "b"), (LINE, other), 3)
    alone = relative_similarity(squared_distances(LINE), 1)
    found = average_similarity(blocks, people_per_neighbour=3)
    # the second person lacks block b: only block a counts for both of that person's pairs
    np.testing.assert_allclose(found[1], alone[1])
    # first and third are no neighbours in a, and each other's only neighbour in b
    np.testing.assert_allclose(found[0, 2], (0 + 2) / 2)


def test_people_who_share_no_block_have_no_similarity():
    one = np.array([[0.0], [0.1], [np.nan], [np.nan]])
    two = np.array([[np.nan], [np.nan], [0.0], [0.1]])
    found = average_similarity(MeasuredBlocks(("a", "b"), (one, two), 4), people_per_neighbour=2)
    np.testing.assert_allclose(found, [[0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 2], [0, 0, 2, 0]])


def test_nobody_needs_every_block():
    rng = np.random.default_rng(1)
    kind = np.repeat(np.arange(3), 40)
    values = np.eye(3)[kind] @ rng.normal(size=(3, 8)) * 4 + rng.normal(size=(120, 8))
    lost = rng.permutation(120)
    values[lost[:30], :4] = np.nan
    values[lost[30:60], 4:] = np.nan
    found = AverageNeighbours(measured_blocks(values, ["a"] * 4 + ["b"] * 4), StrataSettings(), seed=1)
    assert adjusted_rand_score(kind, found.labels(3)) > 0.9
    assert max(range(2, 7), key=found.criterion) == 3


def test_distances_over_what_both_have():
    block = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, np.nan], [np.nan, 2.0]])
    # 3 and 4 in full; one of two columns shared: its square counts twice; the last two share none
    expected = [[0, 25, 2, 8], [25, 0, 8, 8], [2, 8, 0, np.nan], [8, 8, np.nan, 0]]
    np.testing.assert_allclose(squared_distances(block), expected, atol=1e-12)
