"""How many people a prediction model needs at the least, to stand beside how many there are."""

from __future__ import annotations

import math
from dataclasses import dataclass

SHRINKAGE = 0.9
ASSUMED_SHARE_OF_R2 = 0.15


@dataclass(frozen=True)
class MinimumSize:
    """Smallest sample by each criterion; `people` is the largest of them.

    ``shrinkage``: coefficients need to be shrunk by no more than 10 %; ``optimism``: apparent R2 is at most 0.05
    too high; ``precision``: the overall risk (or the residual spread) is known well enough.
    """

    people: int
    shrinkage: int
    optimism: int
    precision: int
    parameters: int
    r2: float


def minimum_size_binary(parameters: int, event_share: float, r2: float | None = None) -> MinimumSize:
    """Return the smallest sample for a model of an event.

    Parameters
    ----------
    parameters : int
        Candidate parameters, counted before any selection.
    event_share : float
        Strictly between 0 and 1.
    r2 : float, optional
        Anticipated Cox-Snell R2; 15 % of its greatest possible value when left out.

    References
    ----------
    Riley et al., Stat Med 2019;38:1276; Riley et al., BMJ 2020;368:m441.

    Examples
    --------
    >>> minimum_size_binary(24, 0.174, 0.288).people
    662
    """
    _check(parameters, r2)
    if not 0 < event_share < 1:
        raise ValueError("the event share must lie strictly between 0 and 1")
    likelihood = event_share * math.log(event_share) + (1 - event_share) * math.log(1 - event_share)
    ceiling = -math.expm1(2 * likelihood)
    expected = ASSUMED_SHARE_OF_R2 * ceiling if r2 is None else r2
    shrinkage = _size_for_shrinkage(parameters, expected, SHRINKAGE)
    optimism = _size_for_shrinkage(parameters, expected, expected / (expected + 0.05 * ceiling))
    precision = math.ceil((1.96 / 0.05) ** 2 * event_share * (1 - event_share))
    return MinimumSize(max(shrinkage, optimism, precision), shrinkage, optimism, precision, parameters, expected)


def minimum_size_continuous(parameters: int, r2: float = ASSUMED_SHARE_OF_R2) -> MinimumSize:
    """Return the smallest sample for a model of a continuous outcome.

    References
    ----------
    Riley et al., Stat Med 2019;38:1262.

    Examples
    --------
    >>> minimum_size_continuous(25, 0.2).people
    918
    """
    _check(parameters, r2)
    precision = 234 + parameters
    optimism = math.ceil(1 + parameters * (1 - r2) / 0.05)
    size = parameters + 3
    while _continuous_shrinkage(size, parameters, r2) < SHRINKAGE:
        size += 1
    return MinimumSize(max(size, optimism, precision), size, optimism, precision, parameters, r2)


def _size_for_shrinkage(parameters: int, r2: float, shrinkage: float) -> int:
    return math.ceil(parameters / ((shrinkage - 1) * math.log1p(-r2 / shrinkage)))


def _continuous_shrinkage(n: int, parameters: int, r2: float) -> float:
    apparent = (r2 * (n - parameters - 1) + parameters) / (n - 1)
    return 1 + (parameters - 2) / (n * math.log1p(-apparent))


def _check(parameters: int, r2: float | None) -> None:
    if parameters < 1:
        raise ValueError("a model has at least one parameter")
    if r2 is not None and not 0 < r2 < SHRINKAGE:
        raise ValueError(f"the anticipated R2 must lie strictly between 0 and {SHRINKAGE}")
