"""How many strata: several have to gain more than chance, and more than one continuum of any shape."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from nociomics.models.factor_mixture import Mixture, chance_gain, fit_mixture, n_parameters
from nociomics.models.factors import Information
from nociomics.models.latent_classes import (
    LatentClasses,
    class_parameters,
    fit_classes,
    trait_likelihood,
    trait_parameters,
)
from nociomics.models.settings import StrataSettings
from nociomics.models.shaped_continuum import shape_gain

_MOST_TRAITS = 3


@dataclass(frozen=True)
class Found:
    """How many strata are claimed, and what spoke for and against each number.

    Attributes
    ----------
    k : int
        Strata that are claimed.
    bic : dict of int to float
        Bayesian information criterion per k; empty when nobody could look.
    steps : list of dict
        Per k from 2 on: ``k``, ``likelihood_ratio`` against one stratum, ``needed`` for so many, ``p_value`` of the
        last step alone, ``smallest`` (people in the smallest stratum).
    continuum_gain : float or None
        Likelihood ratio that one continuum of uneven shape has against a normal one, less what its shape costs.
    reason : str or None
        Why it is one: ``chance``, ``continuum`` or ``small``.
    """

    k: int
    bic: dict[int, float]
    steps: list[dict[str, Any]]
    continuum_gain: float | None
    reason: str | None

    def margin(self) -> float:
        """Gain of the claimed strata over the best account without any: one stratum, or one continuum of any shape."""
        claimed = next(step for step in self.steps if step["k"] == self.k)
        return float(claimed["likelihood_ratio"] - claimed["needed"] - max(self.continuum_gain or 0.0, 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "bic": {str(k): value for k, value in self.bic.items()}}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Found:
        """Rebuild from `to_dict`."""
        return cls(
            **{**stored, "bic": {int(k): value for k, value in sorted(stored["bic"].items(), key=lambda e: int(e[0]))}}
        )


def look_for_mixture(known: Information, settings: StrataSettings, rng: np.random.Generator) -> tuple[Found, Mixture]:
    """Fit mixtures of 1, 2, ... strata and choose.

    Every stratum has to pay what one too many gains by chance in 1 % of cohorts without types (`chance_gain`); one
    continuum of uneven shape pays likewise for its shape, and is the answer where it is left with as much.

    Parameters
    ----------
    known : Information
        What was measured of the people.
    settings : StrataSettings
        Largest k, starts, level, and the fewest people of a stratum.
    rng : numpy.random.Generator
        Of the starts.
    """
    people, width = known.pull.shape
    fitted = {1: fit_mixture(known, 1, 1, rng)}
    needed = chance_gain(width, settings.level)
    steps: list[dict[str, Any]] = []
    for k in range(2, _most_strata(people, settings) + 1):
        fitted[k] = fit_mixture(known, k, settings.starts, rng)
        smallest = int(np.bincount(fitted[k][0].membership(known).argmax(axis=1), minlength=k).min())
        steps.append(_step(fitted, k, needed, 2 * width, smallest))
        if _past(steps):
            break
    scores, _ = known.posterior(np.zeros(width), np.eye(width))
    continuum = shape_gain(scores) - float(chi2.ppf(1 - settings.level, 2 * width)) if steps else None
    bic = {k: -2 * one[1] + n_parameters(k, width) * float(np.log(people)) for k, one in fitted.items()}
    k, reason = _decided(steps, continuum, settings.smallest)
    return Found(k, bic if steps else {}, steps, continuum, reason), fitted[k][0].ordered()


def look_for_classes(
    answers: np.ndarray, settings: StrataSettings, rng: np.random.Generator
) -> tuple[Found, LatentClasses]:
    """Fit 1, 2, ... latent classes and 1 to 3 latent traits, and choose by the Bayesian information criterion.

    Parameters
    ----------
    answers : ndarray of shape (n_people, n_columns)
        1, 0 or NaN.
    settings, rng
        As for `look_for_mixture`.
    """
    people, columns = answers.shape
    fitted = {1: fit_classes(answers, 1, 1, rng)}
    bic, steps = {1: _criterion(fitted[1][1], class_parameters(columns, 1), people)}, []
    for k in range(2, _most_strata(people, settings) + 1):
        fitted[k] = fit_classes(answers, k, settings.starts, rng)
        bic[k] = _criterion(fitted[k][1], class_parameters(columns, k), people)
        smallest = int(np.bincount(fitted[k][0].membership(answers).argmax(axis=1), minlength=k).min())
        steps.append(_step(fitted, k, float((columns + 1) * np.log(people)), columns + 1, smallest))
        if _past(steps):
            break
    traits = range(1, min(_MOST_TRAITS, (columns - 1) // 2) + 1)
    rivals = [_criterion(trait_likelihood(answers, d), trait_parameters(columns, d), people) for d in traits]
    continuum = bic[1] - min(rivals) if steps else None
    k, reason = _decided(steps, continuum, settings.smallest)
    return Found(k, bic if steps else {}, steps, continuum, reason), fitted[k][0].ordered()


def fit_again(
    known: Information | np.ndarray, k: int, starts: int, rng: np.random.Generator
) -> Mixture | LatentClasses:
    """Fit a given number of strata to some of the people, with as many starts as where the number was looked for.

    With fewer starts a refit may stop at a worse answer than its people have, and strata would look less stable than
    they are.
    """
    if isinstance(known, Information):
        return fit_mixture(known, k, starts, rng)[0].ordered()
    return fit_classes(known, k, starts, rng)[0].ordered()


def _most_strata(people: int, settings: StrataSettings) -> int:
    return min(settings.largest_k, max(1, people // settings.smallest))


def _step(fitted: dict[int, tuple[Any, float]], k: int, needed: float, freedom: int, smallest: int) -> dict[str, Any]:
    last = max(2 * (fitted[k][1] - fitted[k - 1][1]), 0.0)
    return {
        "k": k,
        "likelihood_ratio": 2 * (fitted[k][1] - fitted[1][1]),
        "needed": (k - 1) * needed,
        "p_value": float(chi2.sf(last, freedom)),
        "smallest": smallest,
    }


def _past(steps: list[dict[str, Any]]) -> bool:
    """Two numbers in a row that are worse than the best so far: what comes behind them is not looked at."""
    left = [step["likelihood_ratio"] - step["needed"] for step in steps]
    return len(left) >= 3 and max(left[-2:]) < max(left[:-2])


def _decided(steps: list[dict[str, Any]], continuum: float | None, smallest: int) -> tuple[int, str | None]:
    """Choose the k that is left with most; one when none is, when a continuum is left with more, or strata are tiny."""
    left = {step["k"]: step["likelihood_ratio"] - step["needed"] for step in steps if step["smallest"] >= smallest}
    if not left or max(left.values()) <= 0:
        tiny = any(step["likelihood_ratio"] > step["needed"] for step in steps if step["smallest"] < smallest)
        return 1, "small" if tiny else "chance"
    best = max(left, key=left.__getitem__)
    if continuum is not None and continuum >= left[best]:
        return 1, "continuum"
    return best, None


def _criterion(log_likelihood: float, parameters: int, people: int) -> float:
    return -2 * log_likelihood + parameters * float(np.log(people))
