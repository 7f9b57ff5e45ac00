"""Write an invented cohort as a folder that a user could have handed in, with its study file."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import polars as pl

from nociomics.simulate.biobank import write_panel
from nociomics.simulate.cohort import Cohort
from nociomics.simulate.vcf import write_vcf
from nociomics.tables.files import store_parquet, write_text, written_whole

_LOG = logging.getLogger(__name__)

_STUDY = """\
# An invented cohort of people with chronic pain: nobody here exists. What only the generator knows lies in truth/.
# mechanism: {mechanism}, world: {world}, assignment: {assignment}, effect size: {effect_size:g}

# The name of the study: results are written to results/<study>/.
study: {study}

# Every random number of a run follows from this one.
seed: {seed}

# Where the tables lie: paths below are relative to this, and a dot means the folder of this file.
data_root: .

# The tables. Only patients is needed: take a line away and the run does without it.
tables:
  patients: patients.csv
  genotype: {{path: {genotypes}, build: {build}}}
  diplotypes: cyp2d6.tsv
  expression: {{path: counts.parquet, values: counts, samples: expression_samples.csv}}
  biomarkers: cytokines.csv
  questionnaires: questionnaires.csv
  treatments: treatments.csv
  outcomes: outcomes.csv

# What is predicted: the fall in pain severity from baseline to week 12, per treatment arm.
# A response is a fall by at least 30 %. Groups are kept together in a second estimate of how well it is predicted;
# the adverse event is shown beside the benefit.
target:
  kind: change
  outcome: bpi_severity_week12
  baseline: bpi_severity
  response: {{fall_percent: 30}}
  treatment: arm
  groups: site
  adverse_event: adverse_event

# Who is in the study: chronic means three months of pain or more.
include:
  pain_months: {{at_least: 3}}
"""
_SAMPLE = """
# Models are learned from so many people, drawn at random; everybody is predicted, placed in a stratum and explained.
training_sample: {people: 2000}

# Pages are made for the people that are asked for.
profiles: {people: 10}
"""


def write_cohort(cohort: Cohort, folder: Path, *, panel: bool = False) -> Path:
    """Write every table, the truth and a ready study file.

    Files of the same names are replaced, each whole or not at all; the study file comes last, so that it only stands
    beside a complete cohort.

    Parameters
    ----------
    cohort : Cohort
        What to write.
    folder : Path
        Made when it is missing.
    panel : bool
        Whether genotypes are a panel of 10,000 variants as PLINK files, and models learn from a sample of the people.

    Returns
    -------
    Path
        The study file, ``study.yaml``.

    Raises
    ------
    TableError
        When the folder cannot be written.
    """
    folder = Path(folder)
    if panel:
        write_panel(cohort, folder / "genotypes.bed")
    else:
        write_vcf(cohort.genotypes, cohort.variants, folder / "genotypes.vcf.gz")
    _write_delimited(cohort.diplotypes, folder / "cyp2d6.tsv", "\t")
    _write_parquet(cohort.expression, folder / "counts.parquet")
    for name, table in _text_tables(cohort).items():
        _write_delimited(table, folder / name, ",")
    for name, table in cohort.truth.items():
        _write_parquet(table, folder / "truth" / f"{name}.parquet")
    study = folder / "study.yaml"
    write_text(_study_text(cohort, study_name(folder), panel=panel), study)
    _LOG.info("wrote %d patients and their study file to %s", cohort.patients.height, folder)
    return study


def study_name(folder: Path) -> str:
    """Turn the folder's name into a name that a study may have.

    Examples
    --------
    >>> study_name(Path("my demo (2)"))
    'my_demo_2'
    >>> study_name(Path("---"))
    'cohort'
    """
    cleaned = re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(folder).resolve().name)
    return cleaned.strip("_.-") or "cohort"


def _text_tables(cohort: Cohort) -> dict[str, pl.DataFrame]:
    return {
        "patients.csv": cohort.patients,
        "expression_samples.csv": cohort.expression_samples,
        "cytokines.csv": cohort.biomarkers,
        "questionnaires.csv": cohort.questionnaires,
        "treatments.csv": cohort.treatments,
        "outcomes.csv": cohort.outcomes,
    }


def _write_delimited(table: pl.DataFrame, path: Path, separator: str) -> None:
    with written_whole(path) as draft:
        table.write_csv(draft, separator=separator)


def _write_parquet(table: pl.DataFrame, path: Path) -> None:
    with written_whole(path) as draft:
        store_parquet(table, draft)


def _study_text(cohort: Cohort, study: str, *, panel: bool) -> str:
    settings = cohort.settings
    text = _STUDY + _SAMPLE.replace("{", "{{").replace("}", "}}") if panel else _STUDY
    return text.format(
        genotypes="genotypes.bed" if panel else "genotypes.vcf.gz",
        build="GRCh38" if panel else "auto",
        study=study,
        seed=settings.seed,
        mechanism=settings.mechanism,
        world=settings.world,
        assignment=settings.assignment,
        effect_size=settings.effect_size,
    )
