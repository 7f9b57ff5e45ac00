"""What only the generator knows, before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from nociomics.simulate.endotypes import NO_TYPE, Latents, draw_latents
from nociomics.simulate.genotypes import Genotypes, draw_genotypes, named_order, variant_table
from nociomics.simulate.mechanisms import ARMS, Settings, mechanism_types
from nociomics.simulate.nature import SITES, World, draw_world
from nociomics.simulate.people import People, Visits, draw_people, draw_visits
from nociomics.simulate.randomness import Ints
from nociomics.simulate.treatment import Course, Effects, expected_effects

METABOLISERS = ("poor", "intermediate", "normal", "ultrarapid")


@dataclass(frozen=True)
class Truth:
    """Hidden state of a cohort; arrays hold one element per row of the patients table.

    ``person`` is the row of the person's first enrolment.
    """

    world: World
    people: People
    visits: Visits
    person: Ints
    genotypes: Genotypes
    latents: Latents
    effects: Effects


def draw_truth(settings: Settings) -> Truth:
    """Draw everything that precedes measurement; cheap, and enough for studies of the generator itself.

    Parameters
    ----------
    settings : Settings
        What to draw from.

    Returns
    -------
    Truth
        A second enrolment repeats person, genotypes and latents of the first; site and dates are its own.
    """
    world = draw_world(settings.world)
    visits, person = draw_visits(settings)
    everyone = draw_people(settings)
    genotypes = draw_genotypes(settings, world, everyone)
    latents = draw_latents(settings, everyone, genotypes).of(person)
    genotypes = genotypes.of(person)
    people = People(**{field.name: getattr(everyone, field.name)[person] for field in fields(People)})
    effects = expected_effects(settings, world, people, visits.site, genotypes, latents)
    return Truth(world, people, visits, person, genotypes, latents, effects)


def person_truth(settings: Settings, truth: Truth, course: Course, ids: pl.Series) -> pl.DataFrame:
    """Return the hidden state, one row per row of the patients table.

    Returns
    -------
    DataFrame
        ``endotype`` (null on the continuum), ``u_<driver>``, ``baseline`` (1-10) and ``pain`` before clipping, and per
        arm ``gain_<arm>``, ``fall_<arm>`` (points), ``p_response_<arm>`` and ``propensity_<arm>``.
    """
    latents, genotypes, effects = truth.latents, truth.genotypes, truth.effects
    names = [kind.name for kind in mechanism_types(settings.mechanism)]
    per_arm = (
        ("gain", effects.gain),
        ("fall", course.falls),
        ("p_response", effects.p_response),
        ("propensity", course.propensities),
    )
    return pl.DataFrame(
        {
            "patient_id": ids,
            "endotype": pl.Series([None if kind == NO_TYPE else names[kind] for kind in latents.kind], dtype=pl.String),
            "u_inflammatory": latents.drivers[:, 0],
            "u_neuropathic": latents.drivers[:, 1],
            "u_psychosocial": latents.drivers[:, 2],
            "baseline": latents.baseline,
            "pain": latents.pain,
            "answering_style": latents.style,
            "duration": truth.people.duration,
            "cyp2d6_activity_score": genotypes.activity,
            "metaboliser": [METABOLISERS[number] for number in genotypes.metaboliser],
            "cyp2c9_slow": genotypes.cyp2c9_slow.astype(np.int8),
            "polygenic": effects.polygenic,
            "prognosis": effects.prognosis,
            **{f"{name}_{arm}": values[:, column] for name, values in per_arm for column, arm in enumerate(ARMS)},
            "arm": [ARMS[number] for number in course.arm],
            "response": course.response.astype(np.int8),
            "adverse_event": course.event.astype(np.int8),
            "dropped_out": course.dropped_out.astype(np.int8),
        }
    )


def duplicate_truth(truth: Truth, ids: pl.Series) -> pl.DataFrame:
    """Return the second enrolments: ``patient_id`` and ``same_person_as``, the id of the first."""
    second = np.flatnonzero(truth.person != np.arange(len(truth.person)))
    return pl.DataFrame({"patient_id": ids[second], "same_person_as": ids[truth.person[second]]})


def site_truth(world: World) -> pl.DataFrame:
    """Return ``site`` and its ``effect`` on the fall, in points."""
    return pl.DataFrame({"site": SITES, "effect": world.site_effects})


def variant_truth(settings: Settings, world: World) -> pl.DataFrame:
    """Return place, frequency per ancestry group and polygenic weight of the variants; null for the named ones."""
    nulls = [None] * len(named_order())
    return variant_table(settings.world).with_columns(
        pl.Series("frequency_1", [*nulls, *world.frequencies[0]], dtype=pl.Float64),
        pl.Series("frequency_2", [*nulls, *world.frequencies[1]], dtype=pl.Float64),
        pl.Series("weight", [*nulls, *world.weights], dtype=pl.Float64),
    )
