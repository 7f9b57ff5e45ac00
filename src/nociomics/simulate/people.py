"""People, their enrolments, and who enrolled twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nociomics.simulate.mechanisms import Settings
from nociomics.simulate.nature import SITES
from nociomics.simulate.randomness import Bools, Floats, Ints, logistic, patient_stream

_BLOCK_MISSING = (("genotype", 0.08), ("expression", 0.15), ("biomarkers", 0.10))
_DUPLICATES_FROM, _DUPLICATE_SHARE = 100, 0.01


@dataclass(frozen=True)
class People:
    """What belongs to a person; one element per row of the patients table.

    ``age`` in years (18-85), ``bmi`` in kg/m2 (17-55), ``duration`` a z-score, ``group`` 0 or 1 (ancestry).
    """

    age: Floats
    female: Bools
    bmi: Floats
    duration: Floats
    smoker: Bools
    group: Ints

    @property
    def bmi_z(self) -> Floats:
        """BMI in standard deviations from the mean of the world."""
        return (self.bmi - 28) / 5.3

    @property
    def pain_months(self) -> Ints:
        """Months of pain, 3 to 216, rising with ``duration``.

        The upper limit is the age of the youngest adult, so that nobody hurts longer than they live.
        """
        return np.asarray(np.rint(3 + 213 * logistic(self.duration - 1.7)), dtype=np.int64)


@dataclass(frozen=True)
class Visits:
    """What belongs to an enrolment: site (0-3), day and hour of the draw, start of treatment, measured blocks.

    ``drawn`` and ``started`` count days from the opening of the study; ``measured`` is (rows, 3): genotype,
    expression, biomarkers.
    """

    site: Ints
    hour: Floats
    drawn: Ints
    started: Ints
    measured: Bools


def draw_people(settings: Settings) -> People:
    """Draw every row as a person of their own; second enrolments are merged later."""
    rows, rng = settings.patients, patient_stream(settings, "people")
    return People(
        age=np.clip(rng.normal(52, 13, rows), 18, 85),
        female=rng.random(rows) < 0.62,
        bmi=np.clip(rng.gamma(28, 1, rows), 17, 55),
        duration=rng.normal(size=rows),
        smoker=rng.random(rows) < 0.22,
        group=(rng.random(rows) < 0.20).astype(np.int64),
    )


def draw_visits(settings: Settings) -> tuple[Visits, Ints]:
    """Draw the enrolments, and whose they are.

    Returns
    -------
    Visits
        One element per row.
    array of int
        For every row the row of the person's first enrolment: its own number for nearly all.
    """
    rows, rng = settings.patients, patient_stream(settings, "visits")
    site = rng.integers(0, len(SITES), rows)
    hour = rng.uniform(7.5, 11, rows)
    drawn = rng.integers(0, 540, rows)
    wait = rng.integers(1, 15, rows)
    measured = draw_measured(settings, site)
    person = draw_second_enrolments(settings, measured)
    again = person != np.arange(rows)
    drawn[again] = drawn[person[again]] + rng.integers(120, 301, int(again.sum()))
    measured[again, :2] = True
    return Visits(site, hour, drawn, drawn + wait, measured), person


def draw_measured(settings: Settings, site: Ints) -> Bools:
    """Draw which blocks were measured: more are missing at sites 2 and 4, fewer at sites 1 and 3."""
    factor = np.where((site + 1) % 2 == 0, 1.5, 0.5)
    shares = np.array([share for _, share in _BLOCK_MISSING])
    draws = patient_stream(settings, "missing blocks").random((len(site), len(shares)))
    return np.asarray(draws >= factor[:, None] * shares, dtype=np.bool_)


def draw_second_enrolments(settings: Settings, measured: Bools) -> Ints:
    """Choose about 1 % of the rows as second enrolments of other people.

    Only people with genotype and expression are enrolled twice, so that every pair can be found; nobody three times.
    """
    rows = settings.patients
    person = np.arange(rows)
    if rows < _DUPLICATES_FROM:
        return person
    order = patient_stream(settings, "second enrolments").permutation(rows)
    second, others = np.split(order, [max(1, round(_DUPLICATE_SHARE * rows))])
    first = others[measured[others, :2].all(axis=1)][: len(second)]
    person[second[: len(first)]] = first
    return person
