"""What each learner counts: shares of the level of an outcome, and shares of the differences between treatments."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

# of the outcome's variation within arms: how clearly a learner must be better to outweigh the others; what is said
# beforehand counts as this share of the people, and never as more than of so many
_PULL, _PULL_OF = 0.1, 600
_LEAST_SHARE = 0.02


def learner_shares(
    learners: np.ndarray, outcome: np.ndarray, arm: np.ndarray, prior: np.ndarray | None = None
) -> np.ndarray:
    """Share of each learner in the mean: non-negative, adding up to 1, drawn towards what is said beforehand.

    Parameters
    ----------
    learners : ndarray of shape (n_learners, n_people)
        Expected outcomes out of fold.
    outcome, arm : ndarray of shape (n_people,)
        What was observed, and under which arm.
    prior : ndarray of shape (n_learners,), optional
        What each counts before anything is seen, on any scale; equal when left out.

    Returns
    -------
    ndarray of shape (n_learners,)
        A share below 0.02 is 0: that learner is not fitted again.

    References
    ----------
    Breiman 1996, Machine Learning 24:49 (stacking with non-negative weights).
    """
    count = len(learners)
    within = outcome.astype(float).copy()
    for a in np.unique(arm):
        within[arm == a] -= within[arm == a].mean()
    size = float(within @ within)
    expected = np.full(count, 1.0 / count) if prior is None else np.asarray(prior, dtype=float) / np.sum(prior)
    if size < 1e-12:
        return expected
    # a learner of small prior is held to it more firmly: it has more to prove
    drawn = np.sqrt(_PULL * min(1.0, _PULL_OF / len(outcome)) * size / (count * expected))
    sum_up = np.sqrt(1e4 * size)
    design = np.vstack([learners.T, np.diag(drawn), np.full((1, count), sum_up)])
    shares, _ = nnls(design, np.concatenate([outcome, drawn * expected, [sum_up]]))
    shares = np.where(shares / shares.sum() < _LEAST_SHARE, 0.0, shares)
    return np.asarray(shares / shares.sum())


def level_and_effect_shares(
    learners: np.ndarray, outcome: np.ndarray, arm: np.ndarray, prior: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Share of each learner in the level and in the differences between arms.

    A learner that knows well how people fare need not know whom a treatment helps: the differences are weighed
    by how well they tell what the level leaves, which for two arms is the R-learner's loss.

    Parameters
    ----------
    learners : ndarray of shape (n_learners, n_people, n_arms)
        Expected outcomes out of fold under every arm.
    outcome, arm, prior : ndarray
        As in `learner_shares`.

    Returns
    -------
    level, effect : ndarray of shape (n_learners,)
        Equal to each other when there is one arm.
    """
    people = np.arange(len(outcome))
    received = learners[:, people, arm]
    shares = learner_shares(received, outcome, arm, prior)
    if learners.shape[2] < 2:
        return shares, shares
    means = learners.mean(axis=2)
    left = outcome - shares @ means
    return shares, learner_shares(received - means, left, arm, prior)


def combined(learners: np.ndarray, level: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Bring learners (n_learners, n_people, n_arms) together: shared level plus shared differences between arms."""
    means = learners.mean(axis=2, keepdims=True)
    return np.asarray(np.tensordot(level, means, axes=1) + np.tensordot(effect, learners - means, axes=1))
