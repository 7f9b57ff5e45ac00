"""XGBoost, brought in when trees are grown and without the parts that nothing here uses."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xgboost


@cache
def tree_library() -> ModuleType:
    """Import XGBoost alone.

    Its `__init__` also builds a face in the manner of scikit-learn, and for that imports all of scikit-learn: longer
    than growing the trees of most jobs. While it looks, scikit-learn counts as not installed (None in `sys.modules`
    is the import system's own way to say so), unless it is there already.
    """
    hidden = "sklearn" not in sys.modules and "xgboost" not in sys.modules
    if hidden:
        sys.modules["sklearn"] = None  # type: ignore[assignment]
    try:
        import xgboost
    finally:
        if hidden:
            del sys.modules["sklearn"]
    return xgboost


class Growing:
    """Trees of which more can be grown; as many in two goes are the same as in one.

    Parameters
    ----------
    parameters : mapping
        As XGBoost takes them.
    rows : DMatrix
        Of the people to learn from.
    most : int, optional
        Rounds behind which no more are grown, however many are asked for.
    """

    def __init__(self, parameters: Mapping[str, Any], rows: xgboost.DMatrix, most: int | None = None) -> None:
        self.rows, self.most, self.grown = rows, most, 0
        self.trees: xgboost.Booster = tree_library().Booster(dict(parameters), [rows])

    def more(self, rounds: int) -> xgboost.Booster:
        """Grow to so many rounds in all; as `xgboost.train` does, which asks callbacks that nobody gave."""
        goal = rounds if self.most is None else min(rounds, self.most)
        for number in range(self.grown, goal):
            self.trees.update(self.rows, number)
        self.grown = max(self.grown, goal)
        return self.trees


def grow(parameters: Mapping[str, Any], rows: xgboost.DMatrix, rounds: int) -> xgboost.Booster:
    """Grow trees once."""
    return Growing(parameters, rows).more(rounds)


def tree_rows(values: np.ndarray, outcome: np.ndarray | None = None) -> xgboost.DMatrix:
    """People as XGBoost reads them, (n_people, n_columns), NaN where not measured; with outcomes to learn from."""
    if values.shape[1] == 0:  # XGBoost refuses a matrix without columns: a constant one splits nowhere
        values = np.zeros((len(values), 1))
    rows: xgboost.DMatrix = tree_library().DMatrix(values.astype(np.float32), label=outcome, nthread=1)
    return rows
