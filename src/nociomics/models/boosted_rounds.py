"""How many rounds of boosted trees: as many as predict the people of the other inner folds best."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nociomics.models.arm_learners import ArmData, boosting
from nociomics.models.tree_library import tree_rows

_TRIED = (0.1, 0.2, 0.4, 0.7, 1.0)


def best_rounds(data: ArmData, parameters: Mapping[str, float]) -> int:
    """Choose among five shares of the table's ``rounds`` by squared error over the inner folds.

    A few rounds underfit a cohort of thousands, many overfit one of hundreds: no number in a table suits both. All
    folds grow together, and stop when a share was worse than the one before.
    """
    most = int(parameters.get("rounds", 60))
    tried = sorted({max(1, round(share * most)) for share in _TRIED})
    parts = [_Fold(data, fold, parameters) for fold in np.unique(data.folds) if (data.folds != fold).any()]
    squares: list[float] = []
    for rounds in tried if parts else tried[:1]:
        squares.append(sum(part.squares_at(rounds) for part in parts))
        if len(squares) > 1 and squares[-1] > squares[-2]:
            break
    return tried[int(np.argmin(squares))]


class _Fold:
    """Trees of the other folds, and the people of this one that they are judged by."""

    def __init__(self, data: ArmData, fold: int, parameters: Mapping[str, float]) -> None:
        part, test = data.taken(np.flatnonzero(data.folds != fold)), data.taken(np.flatnonzero(data.folds == fold))
        trees = boosting(part.values, part.outcome, part.arm, part.arms, parameters, 1)
        self.judged = [
            (one, tree_rows(test.values[test.arm == arm]), test.outcome[test.arm == arm])
            for arm, one in enumerate(trees)
            if (test.arm == arm).any()
        ]

    def squares_at(self, rounds: int) -> float:
        """Sum of squared errors after so many rounds in all."""
        return sum(float(np.sum((truth - one.more(rounds).predict(rows)) ** 2)) for one, rows, truth in self.judged)
