"""The whole invented cohort: tables as a user would hand them in, and the truth behind them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from nociomics.simulate.biomarkers import biomarker_table, draw_log_levels, plate_truth
from nociomics.simulate.expression import (
    draw_batches,
    draw_counts,
    expression_sample_table,
    expression_table,
    gene_truth,
)
from nociomics.simulate.genotypes import diplotype_table, genotype_table, read_facts, variant_table
from nociomics.simulate.mechanisms import MECHANISMS, Settings
from nociomics.simulate.nature import SITES
from nociomics.simulate.people import People, Visits
from nociomics.simulate.questionnaires import draw_items, questionnaire_table
from nociomics.simulate.treatment import draw_course, outcome_table, treatment_table
from nociomics.simulate.truth import (
    Truth,
    draw_truth,
    duplicate_truth,
    person_truth,
    site_truth,
    variant_truth,
)

__all__ = ["MECHANISMS", "Cohort", "simulate_cohort"]

_LOG = logging.getLogger(__name__)
_OPENED = date(2023, 1, 9)


@dataclass(frozen=True)
class Cohort:
    """An invented cohort.

    Each table is as a user would hand it in, with the names and columns of the study contract; people without a
    block are missing from its table. ``genotypes`` holds copies of ALT, ``variants`` says of what.

    Attributes
    ----------
    settings : Settings
        What it was drawn from.
    patients, genotypes, variants, diplotypes, expression, expression_samples : DataFrame
        The measured tables, and
    biomarkers, questionnaires, treatments, outcomes : DataFrame
        the others.
    truth : dict of DataFrame
        ``people, duplicates, variants, genes, sites, plates``: what no user could know.
    """

    settings: Settings
    patients: pl.DataFrame
    genotypes: pl.DataFrame
    variants: pl.DataFrame
    diplotypes: pl.DataFrame
    expression: pl.DataFrame
    expression_samples: pl.DataFrame
    biomarkers: pl.DataFrame
    questionnaires: pl.DataFrame
    treatments: pl.DataFrame
    outcomes: pl.DataFrame
    truth: dict[str, pl.DataFrame]


def simulate_cohort(
    patients: int,
    seed: int,
    world: int = 0,
    mechanism: str = "endotypes",
    assignment: str = "randomised",
    effect_size: float = 1.0,
    world_effects: bool = True,
) -> Cohort:
    """Simulate a cohort of people with chronic pain, with known truth and the defects of real tables.

    The same arguments give the same cohort, byte for byte. About 1 % of the rows are second enrolments of other people.

    Parameters
    ----------
    patients : int
        Rows of the patients table.
    seed, world : int
        Fix the patients, and nature and laboratory.
    mechanism : str
        A key of `MECHANISMS`.
    assignment : {"randomised", "observational"}
        How people came to their arm.
    effect_size : float
        Factor on what differs between people in the gain from an arm.
    world_effects : bool
        Whether sites and small variants move the outcome.

    Returns
    -------
    Cohort
        Frames, one row per enrolment unless said there.

    Raises
    ------
    StudyError
        When an argument is out of range.
    """
    settings = Settings(patients, seed, world, mechanism, assignment, effect_size, world_effects)
    return measure_cohort(settings, draw_truth(settings))


def measure_cohort(settings: Settings, truth: Truth) -> Cohort:
    """Measure the people of a truth; `simulate_cohort` draws one and does so.

    Parameters
    ----------
    settings : Settings
        As the truth was drawn from.
    """
    patients, world = settings.patients, settings.world
    ids = patient_ids(patients)
    visits, genotyped = truth.visits, pl.Series(truth.visits.measured[:, 0])
    drawn, started = _times(visits)
    items = draw_items(settings, truth.latents)
    levels = draw_log_levels(settings, truth.people, visits, truth.latents)
    log_crp = levels[:, read_facts("analytes")["analyte"].to_list().index("CRP")]
    course = draw_course(settings, truth.people, truth.genotypes, truth.latents, truth.effects, items, log_crp)
    batch = draw_batches(settings, visits, truth.person)
    counts = draw_counts(settings, truth.latents, batch, truth.person)
    cohort = Cohort(
        settings=settings,
        patients=_patient_table(truth.people, visits, ids),
        genotypes=genotype_table(settings, truth.genotypes, ids).filter(genotyped),
        variants=variant_table(world),
        diplotypes=diplotype_table(truth.genotypes, ids).filter(genotyped),
        expression=expression_table(counts, visits, ids),
        expression_samples=expression_sample_table(batch, visits, ids, drawn),
        biomarkers=biomarker_table(settings, levels, visits, ids, drawn),
        questionnaires=questionnaire_table(settings, items, truth.people, ids),
        treatments=treatment_table(settings, course, ids, started),
        outcomes=outcome_table(course, ids),
        truth={"people": person_truth(settings, truth, course, ids), **_world_truth(settings, truth, ids)},
    )
    _log(cohort)
    return cohort


def patient_ids(patients: int) -> pl.Series:
    """Return the ids ``P0001``, ``P0002``..., with as many digits as the largest needs."""
    digits = max(4, len(str(patients)))
    return pl.Series("patient_id", [f"P{number:0{digits}d}" for number in range(1, patients + 1)])


def _world_truth(settings: Settings, truth: Truth, ids: pl.Series) -> dict[str, pl.DataFrame]:
    return {
        "duplicates": duplicate_truth(truth, ids),
        "variants": variant_truth(settings, truth.world),
        "genes": gene_truth(settings.world),
        "sites": site_truth(truth.world),
        "plates": plate_truth(settings, truth.visits),
    }


def _times(visits: Visits) -> tuple[pl.Series, pl.Series]:
    """Return the minute of the blood draw and the later day on which treatment started, as text."""
    times = pl.DataFrame(
        {"day": visits.drawn, "minute": np.floor(visits.hour * 60).astype(np.int64), "start": visits.started}
    )
    opened = pl.lit(_OPENED)
    times = times.select(
        collected_at=(opened.cast(pl.Datetime("us")) + pl.duration(days="day", minutes="minute")).dt.strftime(
            "%Y-%m-%dT%H:%M"
        ),
        started_at=(opened + pl.duration(days="start")).dt.strftime("%Y-%m-%d"),
    )
    return times["collected_at"], times["started_at"]


def _patient_table(people: People, visits: Visits, ids: pl.Series) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient_id": ids,
            "age": people.age.round(1),
            "sex": np.where(people.female, "F", "M").tolist(),
            "site": [SITES[number] for number in visits.site],
            "bmi": people.bmi.round(1),
            "smoker": people.smoker.astype(np.int8),
            "pain_months": people.pain_months,
            "ancestry": [f"group_{number + 1}" for number in people.group],
        }
    )


def _log(cohort: Cohort) -> None:
    _LOG.info(
        "simulated %d enrolments of %d people (mechanism %s): %d genotyped, %d with expression, %d with biomarkers",
        cohort.patients.height,
        cohort.patients.height - cohort.truth["duplicates"].height,
        cohort.settings.mechanism,
        cohort.genotypes.height,
        cohort.expression.height,
        cohort.biomarkers["patient_id"].n_unique(),
    )
