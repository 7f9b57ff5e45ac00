"""Values that another unit explains better than the one they are said to be in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

# a value in its true unit lies this near to the median of the training people, as a factor
_NEAR_LOW, _NEAR_HIGH = 0.5, 2.0
_FEWEST = 5  # a smaller group says nothing about its unit
_FAR_APART = 0.9  # log10: about 8-fold, less than the smallest factor that is looked for
_CLOSE = 0.2  # log10: how near a group's distance must lie to the factor
_CERTAIN = 4.0  # standard errors between the group and the training people


class Usual:
    """Training people's values of each number, as the schema tells them.

    Attributes
    ----------
    places : list of int
        Numbers that have another unit, and positive training values to compare with.
    """

    def __init__(self, numbers: Sequence[Mapping[str, Any]]) -> None:
        self.numbers = numbers
        self.places = [
            place
            for place, entry in enumerate(numbers)
            if entry.get("unit_factors") and (entry.get("median") or 0) > 0 and entry.get("usual_high") is not None
        ]


def doubted_values(usual: Usual, values: np.ndarray) -> Iterator[tuple[int, str]]:
    """Name each value that no training person had, and that another unit would make an ordinary one.

    Parameters
    ----------
    usual : Usual
        Of the model.
    values : ndarray of shape (n_people, n_numbers)
        NaN where not measured.

    Yields
    ------
    row, reason
    """
    for place in usual.places:
        entry, column = usual.numbers[place], values[:, place]
        with np.errstate(invalid="ignore"):
            strange = (column > 0) & ((column < entry["usual_low"]) | (column > entry["usual_high"]))
        for row in np.flatnonzero(strange):
            unit = _unit_for(float(column[row]), entry)
            if unit is not None:
                yield int(row), f"check the unit of {entry['feature']}: it would be an ordinary value in {unit}"


def _unit_for(value: float, entry: Mapping[str, Any]) -> str | None:
    ratios = {unit: value * factor / entry["median"] for unit, factor in entry["unit_factors"].items()}
    fitting = [unit for unit, ratio in ratios.items() if _NEAR_LOW <= ratio <= _NEAR_HIGH]
    return min(fitting, key=lambda unit: abs(math.log(ratios[unit])), default=None)


def doubted_columns(
    usual: Usual, values: np.ndarray, groups: Mapping[str, Sequence[str | None]]
) -> Iterator[tuple[int, str]]:
    """Name every person of a table, a site or a plate whose values together lie a unit's factor from the training's.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        Site, plate or batch of each person.

    Yields
    ------
    row, reason
    """
    people = len(values)
    if people < _FEWEST:
        return
    parts: list[tuple[str, np.ndarray]] = []
    for name, labels in groups.items():
        stated = np.array([label or "" for label in labels], dtype=object)
        parts += [(f"at this {name}", stated == label) for label in sorted(set(stated) - {""})]
    # last, without those named already: one place's unit must not draw the others along
    parts.append(("in the whole table", np.ones(people, dtype=bool)))
    for place in usual.places:
        entry, told = usual.numbers[place], np.zeros(people, dtype=bool)
        for where, inside in parts:
            left = inside & ~told
            unit = _unit_of_all(values[left, place], entry)
            if unit is None:
                continue
            for row in np.flatnonzero(left & ~np.isnan(values[:, place])):
                yield int(row), f"check the unit of {entry['feature']}: {where} the values look as if in {unit}"
            told |= inside


def _unit_of_all(values: np.ndarray, entry: Mapping[str, Any]) -> str | None:
    known = values[~np.isnan(values) & (values > 0)]
    if len(known) < _FEWEST or entry.get("log10_mean") is None or entry.get("log10_sd") is None:
        return None
    distance = entry["log10_mean"] - float(np.log10(known).mean())
    if abs(distance) < max(_FAR_APART, _CERTAIN * entry["log10_sd"] / math.sqrt(len(known))):
        return None
    misfit = {unit: abs(math.log10(factor) - distance) for unit, factor in entry["unit_factors"].items()}
    best = min(misfit, key=lambda unit: misfit[unit])
    return best if misfit[best] <= _CLOSE else None
