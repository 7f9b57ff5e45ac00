"""Named streams of random numbers: each part of the cohort draws from its own, so that no change moves another part."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nociomics.simulate.mechanisms import Settings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Dosages = NDArray[np.int8]


def patient_stream(settings: Settings, name: str) -> np.random.Generator:
    """Return the stream of one part of the patients: seed, world and name fix it."""
    return np.random.default_rng([settings.seed, settings.world, crc32(name.encode())])


def world_stream(world: int, name: str) -> np.random.Generator:
    """Return the stream of one constant of nature or laboratory: the seed has no say."""
    return np.random.default_rng([world, crc32(name.encode())])


def draw_category(rng: np.random.Generator, probabilities: Floats) -> Ints:
    """Draw one category per row of probabilities that sum to one.

    Examples
    --------
    >>> draw_category(np.random.default_rng(1), np.array([[0.0, 1.0], [1.0, 0.0]])).tolist()
    [1, 0]
    """
    edges = np.cumsum(probabilities, axis=1)[:, :-1]
    return np.asarray((rng.random(len(probabilities))[:, None] >= edges).sum(axis=1), dtype=np.int64)


def softmax(scores: Floats) -> Floats:
    """Turn each row of scores into probabilities.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def logistic(score: Floats) -> Floats:
    """Turn log odds into probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-score)), dtype=np.float64)
