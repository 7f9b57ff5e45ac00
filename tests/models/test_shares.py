"""Shares of learners: drawn towards what is said beforehand, by as much as some hundred people would say."""

import numpy as np
import pytest

from nociomics.models.candidates import candidates_for, for_so_many
from nociomics.models.shares import learner_shares


def share_of_the_better(people: int) -> float:
    """Share of a learner that is a little better than another one that the prior prefers four to one."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=people)
    learners = np.array([truth + 0.8 * rng.normal(size=people), truth + 0.5 * rng.normal(size=people)])
    outcome = truth + rng.normal(size=people)
    return float(learner_shares(learners, outcome, np.zeros(people, dtype=int), np.array([4.0, 1.0]))[1])


def test_many_people_outweigh_what_was_said_beforehand():
    assert share_of_the_better(20_000) > share_of_the_better(600) + 0.03


def test_up_to_six_hundred_people_the_prior_is_a_tenth_of_them():
    rng = np.random.default_rng(2)
    learners, outcome = rng.normal(size=(2, 300)), rng.normal(size=300)
    arm, prior = np.zeros(300, dtype=int), np.array([4.0, 1.0])
    twice = learner_shares(np.tile(learners, 2), np.tile(outcome, 2), np.tile(arm, 2), prior)
    assert twice == pytest.approx(learner_shares(learners, outcome, arm, prior), abs=1e-6)


def test_candidates_that_ask_for_more_people_are_left_out_unless_all_do():
    fitting = candidates_for("continuous", 1)
    names = [one.name for one in for_so_many(fitting, 100)]
    assert "boosted_until" not in names and "ridge" in names
    assert "boosted_until" in [one.name for one in for_so_many(fitting, 300)]
    alone = candidates_for("continuous", 1, ["boosted_until"])
    assert for_so_many(alone, 50) == alone
