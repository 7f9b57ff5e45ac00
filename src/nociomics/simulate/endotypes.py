"""Pain types, the three hidden drivers of pain, and the pain they cause at baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nociomics.simulate.genotypes import Genotypes
from nociomics.simulate.mechanisms import (
    FOUR_TYPES,
    REALISED_SHARES,
    WITHIN_COVARIANCE,
    WITHIN_VARIANCE,
    Settings,
    mechanism_types,
)
from nociomics.simulate.people import People
from nociomics.simulate.randomness import Floats, Ints, draw_category, patient_stream, softmax

NO_TYPE = -1
_WITHIN = np.full((3, 3), WITHIN_COVARIANCE) + (WITHIN_VARIANCE - WITHIN_COVARIANCE) * np.eye(3)


@dataclass(frozen=True)
class Latents:
    """What drives a person's pain; one row per row of the patients table.

    ``kind`` is the number of the pain type, `NO_TYPE` on the continuum; ``drivers`` (rows, 3) inflammatory,
    neuropathic, psychosocial; ``pain`` in BPI points before clipping; ``style`` of answering, a z-score.
    """

    kind: Ints
    drivers: Floats
    pain: Floats
    style: Floats

    @property
    def baseline(self) -> Floats:
        """Pain on the scale of the outcome, 1 to 10."""
        return np.clip(self.pain, 1, 10)

    def of(self, person: Ints) -> Latents:
        """Give every row the latents of its person."""
        return Latents(self.kind[person], self.drivers[person], self.pain[person], self.style[person])


def draw_latents(settings: Settings, people: People, genotypes: Genotypes) -> Latents:
    """Draw pain type, drivers, baseline pain and answering style of every person."""
    kind, drivers = _draw_drivers(settings, people, genotypes)
    rng = patient_stream(settings, "baseline pain")
    pain = (
        5.6
        + 0.25 * (genotypes.copies("rs4680") - 1)
        + 0.2 * people.female
        + drivers @ np.array([0.35, 0.45, 0.55])
        + 1.5 * rng.standard_normal(settings.patients)
    )
    return Latents(kind, drivers, pain, patient_stream(settings, "answering style").standard_normal(settings.patients))


def _draw_drivers(settings: Settings, people: People, genotypes: Genotypes) -> tuple[Ints, Floats]:
    types = mechanism_types(settings.mechanism)
    rng = patient_stream(settings, "drivers")
    if not types:
        mean, covariance = pooled_moments()
        noise = rng.standard_normal((settings.patients, 3)) @ np.linalg.cholesky(covariance).T
        return np.full(settings.patients, NO_TYPE), mean + noise
    tilt = np.column_stack([genotypes.copies("rs6746030"), genotypes.copies("rs4680") - 1, people.female, people.bmi_z])
    log_odds = np.array([kind.log_odds for kind in types])
    scores = np.log([kind.share for kind in types]) + tilt @ log_odds.T
    kind = draw_category(patient_stream(settings, "pain types"), softmax(scores))
    noise = rng.standard_normal((settings.patients, 3)) @ np.linalg.cholesky(_WITHIN).T
    return kind, np.array([kind.centre for kind in types])[kind] + noise


def pooled_moments() -> tuple[Floats, Floats]:
    """Return mean and covariance of the drivers over the four types together."""
    shares = np.array(REALISED_SHARES) / sum(REALISED_SHARES)
    centres = np.array([kind.centre for kind in FOUR_TYPES])
    mean = shares @ centres
    return mean, _WITHIN + (centres - mean).T @ ((centres - mean) * shares[:, None])
