"""How many rounds of boosted trees are chosen."""

import numpy as np

from nociomics.models.arm_learners import ArmData
from nociomics.models.boosted_rounds import best_rounds

PARAMETERS = {"rounds": 200, "depth": 2, "rate": 0.1}


def people(outcome: np.ndarray, values: np.ndarray) -> ArmData:
    count = len(outcome)
    block, factors = np.zeros(values.shape[1], dtype=int), np.zeros((values.shape[1], 0))
    return ArmData(values, values, outcome, np.zeros(count, dtype=int), np.arange(count) % 5, 1, block, factors)


def test_noise_takes_the_fewest_rounds():
    rng = np.random.default_rng(1)
    assert best_rounds(people(rng.normal(size=300), rng.normal(size=(300, 5))), PARAMETERS) == 20


def test_much_to_learn_in_many_people_takes_many():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(1500, 5))
    outcome = np.sin(2 * values[:, 0]) + np.abs(values[:, 1]) + 0.3 * rng.normal(size=1500)
    assert best_rounds(people(outcome, values), PARAMETERS) >= 140


def test_people_of_one_fold_leave_nothing_to_choose_by():
    rng = np.random.default_rng(1)
    data = people(rng.normal(size=30), rng.normal(size=(30, 2)))
    alone = ArmData(**{**vars(data), "folds": np.zeros(30, dtype=int)})
    assert best_rounds(alone, PARAMETERS) == 20
