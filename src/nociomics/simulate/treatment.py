"""What each arm would do for each person, who gets which arm, and what is seen of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import ndtr

from nociomics.simulate.endotypes import Latents
from nociomics.simulate.genotypes import Genotypes, polygenic_score
from nociomics.simulate.mechanisms import ARMS, Settings
from nociomics.simulate.nature import World
from nociomics.simulate.people import People
from nociomics.simulate.questionnaires import Items
from nociomics.simulate.randomness import Bools, Floats, Ints, draw_category, logistic, patient_stream, softmax

_NOISE_SD, _NOISE_CORRELATION = 1.5, 0.8
_RESPONSE = 0.30
_LEAST_PROPENSITY = 0.03
_REPORT_SD = 0.25
_DROPOUT, _DROPOUT_AFTER_EVENT = 0.05, 0.5
# CYP2D6 activity score -> share of the analgesic effect of tramadol that its metabolite brings.
_ACTIVITY = np.array([0, 0.25, 0.5, 1, 1.25, 2.25, 3, 4])
_TRAMADOL_EFFECT = np.array([0.10, 0.35, 0.55, 0.80, 0.95, 1.0, 1.25, 1.3])
# Mean gains of the four arms over the types, for the world in which nobody differs.
_COMMON_GAIN = np.array([1.08, 1.51, 1.04, 1.12])
# The product world: mean gain, and how far the product of two drivers moves it.
_PRODUCT_GAIN, _PRODUCT_SLOPE = np.array([1.15, 1.30, 1.05, 1.15]), np.array([1.2, -1.0, 0.6, -1.2])
# The world of chance: the relative fall; 45 % exceed .30.
_CHANCE_MEAN, _CHANCE_SD = 0.266, 0.27
_CHANCE_EVENT_LOG_ODDS = -1.2


@dataclass(frozen=True)
class Effects:
    """What is true of every row under every arm; arrays are (rows, arms) in the order of `ARMS` unless said.

    ``prognosis`` (rows,) and ``gain`` add to the expected fall in points; ``p_response`` is the chance of a fall of
    at least 30 %; ``polygenic`` (rows,) is the part of the small variants in ``prognosis``. In the world of chance the
    fall is a random share of the *measured* baseline, and ``prognosis`` its mean at the hidden one.
    """

    prognosis: Floats
    polygenic: Floats
    gain: Floats
    p_response: Floats


@dataclass(frozen=True)
class Course:
    """What happened; ``falls`` (rows, arms) under every arm, the rest (rows,) under the arm received."""

    propensities: Floats
    arm: Ints
    falls: Floats
    response: Bools
    reported: Floats
    event: Bools
    dropped_out: Bools


def expected_effects(
    settings: Settings, world: World, people: People, site: Ints, genotypes: Genotypes, latents: Latents
) -> Effects:
    """Work out prognosis, gain from each arm and chance of response of every row.

    Parameters
    ----------
    settings : Settings
        Mechanism, effect size, and whether sites and small variants count.
    world, people, site, genotypes, latents
        One element per row; ``site`` 0-3.

    Returns
    -------
    Effects
        P(response | latents, arm) = Phi((prognosis + gain - .3 baseline) / 1.5); in the world of chance .45 for all.
    """
    polygenic = polygenic_score(world, genotypes.snps) * settings.world_effects
    drivers = latents.drivers
    prognosis = (
        0.55
        + 0.22 * (latents.baseline - 5.8)
        - drivers @ np.array([0.0, 0.10, 0.25])
        - 0.012 * (people.age - 52)
        - 0.10 * people.duration
        + polygenic
        + world.site_effects[site] * settings.world_effects
    )
    gain = _gains(settings, latents, genotypes)
    chance = ndtr((prognosis[:, None] + gain - _RESPONSE * latents.baseline[:, None]) / _NOISE_SD)
    if settings.mechanism == "noise":
        prognosis, gain = _CHANCE_MEAN * latents.baseline, np.zeros_like(gain)
        chance = np.full_like(gain, ndtr((_CHANCE_MEAN - _RESPONSE) / _CHANCE_SD))
    return Effects(prognosis, polygenic, gain, chance)


def _gains(settings: Settings, latents: Latents, genotypes: Genotypes) -> Floats:
    if settings.mechanism == "no_heterogeneity":
        return np.tile(_COMMON_GAIN, (settings.patients, 1))
    if settings.mechanism == "product":
        product = np.tanh(2 * latents.drivers[:, 0] * latents.drivers[:, 2])
        gain: Floats = _PRODUCT_GAIN + settings.heterogeneity * product[:, None] * _PRODUCT_SLOPE
        return gain
    common: Floats = np.array([0.40, 0.50, 0.55, 0.45])
    return common + settings.heterogeneity * _personal_gains(latents, genotypes)


def _personal_gains(latents: Latents, genotypes: Genotypes) -> Floats:
    inflammatory, neuropathic, psychosocial = logistic(2.5 * (latents.drivers - 0.6)).T
    poor, ultrarapid = genotypes.metaboliser == 0, genotypes.metaboliser == 3
    activation = np.interp(genotypes.activity, _ACTIVITY, _TRAMADOL_EFFECT)
    receptor = 1 - 0.35 * (genotypes.copies("rs1799971") > 0)
    return np.column_stack(
        [
            2.2 * inflammatory - 0.6 * neuropathic + 0.2 * genotypes.cyp2c9_slow,
            2.0 * neuropathic + 0.5 * psychosocial - 0.3 * inflammatory + 0.3 * poor - 0.4 * ultrarapid,
            1.5 * activation * receptor + 0.3 * inflammatory - 0.9 * neuropathic * psychosocial - 0.6,
            2.0 * psychosocial * (1 - 0.4 * inflammatory) - 0.1,
        ]
    )


def draw_course(
    settings: Settings,
    people: People,
    genotypes: Genotypes,
    latents: Latents,
    effects: Effects,
    items: Items,
    log_crp: Floats,
) -> Course:
    """Assign arms and draw what follows from them.

    Parameters
    ----------
    settings, people, genotypes, latents, effects
        As drawn before; one element per row.
    items : dict
        Complete answers: the clinic of the observational world decides on them.
    log_crp : array of float, (rows,)
        Natural logarithm of CRP in mg/L.

    Returns
    -------
    Course
        One element per row.
    """
    propensities = _propensities(settings, people, items, log_crp)
    arm = draw_category(patient_stream(settings, "arms"), propensities)
    rows = np.arange(settings.patients)
    # In the world of chance the fall is a share of the measured score: else its error would tell the label.
    start = items["bpi_sev"].mean(axis=1) if settings.mechanism == "noise" else latents.baseline
    falls = _draw_falls(settings, effects, start)
    rng = patient_stream(settings, "reports")
    error = rng.normal(0, _REPORT_SD, len(rows))
    event = rng.random(len(rows)) < logistic(_event_log_odds(settings, genotypes, arm))
    dropout = logistic(np.log(_DROPOUT / (1 - _DROPOUT)) + _DROPOUT_AFTER_EVENT * event)
    return Course(
        propensities=propensities,
        arm=arm,
        falls=falls,
        response=falls[rows, arm] >= _RESPONSE * start,
        reported=np.clip(start - falls[rows, arm] + error, 0, 10),
        event=event,
        dropped_out=rng.random(len(rows)) < dropout,
    )


def _propensities(settings: Settings, people: People, items: Items, log_crp: Floats) -> Floats:
    if settings.assignment == "randomised":
        return np.full((settings.patients, len(ARMS)), 1 / len(ARMS))
    crp = (log_crp - 0.7) / 1.1
    neuropathic = (items["dn4"].sum(axis=1) - 4) / 2.4
    severity = (items["bpi_sev"].mean(axis=1) - 6.2) / 1.7
    catastrophising = (items["pcs"].sum(axis=1) - 29) / 11
    age = (people.age - 52) / 13
    scores = np.column_stack(
        [0.8 * crp - 0.3 * neuropathic, 0.8 * neuropathic, 0.7 * severity, 0.7 * catastrophising - 0.25 * age]
    )
    return _LEAST_PROPENSITY + (1 - len(ARMS) * _LEAST_PROPENSITY) * softmax(scores)


def _draw_falls(settings: Settings, effects: Effects, start: Floats) -> Floats:
    """Draw the fall in pain under every arm; what is not explained is shared between arms with correlation .8."""
    rng = patient_stream(settings, "falls")
    shared = rng.standard_normal((settings.patients, 1))
    own = rng.standard_normal((settings.patients, len(ARMS)))
    noise: Floats = np.sqrt(_NOISE_CORRELATION) * shared + np.sqrt(1 - _NOISE_CORRELATION) * own
    if settings.mechanism == "noise":
        return start[:, None] * (_CHANCE_MEAN + _CHANCE_SD * noise)
    return effects.prognosis[:, None] + effects.gain + _NOISE_SD * noise


def _event_log_odds(settings: Settings, genotypes: Genotypes, arm: Ints) -> Floats:
    if settings.mechanism == "noise":
        return np.full(settings.patients, _CHANCE_EVENT_LOG_ODDS)
    poor, ultrarapid = genotypes.metaboliser == 0, genotypes.metaboliser == 3
    nsaid, snri, tramadol, cbt = (arm == number for number in range(len(ARMS)))
    odds = -1.6 + 0.7 * tramadol + 0.25 * snri - 1.2 * cbt
    odds = odds + 0.8 * (tramadol & ultrarapid) + 0.7 * (snri & poor) + 0.8 * nsaid * genotypes.cyp2c9_slow
    return np.asarray(odds, dtype=np.float64)


def treatment_table(settings: Settings, course: Course, ids: pl.Series, start: pl.Series) -> pl.DataFrame:
    """Return ``patient_id, arm, assignment, started_at``; treatment starts after the draw."""
    arms = [ARMS[number] for number in course.arm]
    table = pl.DataFrame({"patient_id": ids, "arm": arms, "started_at": start})
    return table.select("patient_id", "arm", pl.lit(settings.assignment).alias("assignment"), "started_at")


def outcome_table(course: Course, ids: pl.Series) -> pl.DataFrame:
    """Return ``patient_id, bpi_severity_week12`` (0-10) and ``adverse_event`` (0/1), null after dropping out."""
    table = pl.DataFrame(
        {
            "patient_id": ids,
            "bpi_severity_week12": course.reported.round(2),
            "adverse_event": course.event.astype(np.int8),
        }
    )
    seen = pl.when(pl.Series(~course.dropped_out))
    return table.with_columns(seen.then(pl.col(name)).alias(name) for name in table.columns[1:])
