"""Shapley values by their definition: every set of columns, every background person."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np


def exact_values(predict: Callable[[np.ndarray], np.ndarray], person: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Interventional Shapley values of one person, shape (n_columns, ...) with the outputs of ``predict`` behind."""
    width = len(person)
    worth = {}
    for size in range(width + 1):
        for inside in combinations(range(width), size):
            mixed = background.copy()
            mixed[:, inside] = person[list(inside)]
            worth[inside] = predict(mixed).mean(axis=0)
    values = []
    for column in range(width):
        total = np.zeros_like(worth[()])
        for inside, value in worth.items():
            if column not in inside:
                weight = factorial(len(inside)) * factorial(width - len(inside) - 1) / factorial(width)
                total = total + weight * (worth[tuple(sorted((*inside, column)))] - value)
        values.append(total)
    return np.asarray(values)
