"""Read all tables of a study, find every problem of every table at once, and write them for the next stage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from nociomics.errors import TableError, did_you_mean
from nociomics.ingest.biomarkers import read_biomarkers
from nociomics.ingest.blocks import read_block
from nociomics.ingest.diplotypes import read_diplotypes
from nociomics.ingest.expression import read_expression
from nociomics.ingest.genotype import read_genotype
from nociomics.ingest.inclusion import included
from nociomics.ingest.notes import HIDDEN, Notes
from nociomics.ingest.outcomes import read_outcomes
from nociomics.ingest.patients import covariates, read_patients
from nociomics.ingest.people import ID
from nociomics.ingest.questionnaires import read_questionnaires
from nociomics.ingest.treatments import read_treatments
from nociomics.tables.contract import Contract
from nociomics.tables.files import write_table
from nociomics.tables.finding import Finding
from nociomics.tables.harmonised import COHORT_FLOW
from nociomics.tables.ingested import (
    BIOMARKERS,
    BLOCK,
    COVARIATES,
    DIPLOTYPES,
    DOSAGES,
    EXPRESSION,
    EXPRESSION_SAMPLES,
    OUTCOMES,
    PATIENTS,
    PHARMACOGENE_GENOTYPES,
    RESPONSES,
    SCORES,
    TREATMENTS,
    VARIANTS,
)
from nociomics.tables.study import BlockSource, Study

logger = logging.getLogger(__name__)
_NotesOf = Callable[[str], Notes]

_CONTRACTS: dict[str, Contract] = {
    "patients": PATIENTS,
    "covariates": COVARIATES,
    "dosages": DOSAGES,
    "variants": VARIANTS,
    "pharmacogene_genotypes": PHARMACOGENE_GENOTYPES,
    "diplotypes": DIPLOTYPES,
    "expression": EXPRESSION,
    "expression_samples": EXPRESSION_SAMPLES,
    "biomarkers": BIOMARKERS,
    "responses": RESPONSES,
    "scores": SCORES,
    "treatments": TREATMENTS,
    "outcomes": OUTCOMES,
    "flow": COHORT_FLOW,
}


@dataclass(frozen=True)
class IngestedStudy:
    """A study's tables as read; None for a table that it does not name or that could not be read.

    Every table holds only people who meet the study's ``include``. ``block_sources`` has the files of each block, for
    what the next stage needs to know of them (``within``). ``flow`` keeps `COHORT_FLOW`.
    """

    patients: pl.DataFrame | None = None
    covariates: pl.DataFrame | None = None
    dosages: pl.DataFrame | None = None
    variants: pl.DataFrame | None = None
    pharmacogene_genotypes: pl.DataFrame | None = None
    diplotypes: pl.DataFrame | None = None
    expression: pl.DataFrame | None = None
    expression_samples: pl.DataFrame | None = None
    biomarkers: pl.DataFrame | None = None
    responses: pl.DataFrame | None = None
    scores: pl.DataFrame | None = None
    treatments: pl.DataFrame | None = None
    outcomes: pl.DataFrame | None = None
    blocks: dict[str, pl.DataFrame] = field(default_factory=dict)
    block_sources: dict[str, tuple[BlockSource, ...]] = field(default_factory=dict)
    flow: pl.DataFrame | None = None
    findings: list[Finding] = field(default_factory=list)


def read_study(study: Study, folder: Path, *, for_prediction: bool = False) -> IngestedStudy:
    """Read every table that a study names.

    Parameters
    ----------
    study : Study
        The study file.
    folder : Path
        Where a relative ``data_root`` starts.
    for_prediction : bool
        True for new patients, who need no outcome and no treatment: the target is then not looked for.

    Returns
    -------
    IngestedStudy
        All tables and every finding. A problem of the user's data never raises; it is a fatal finding.
    """
    root = folder / (study.data_root or ".")
    target = None if for_prediction else study.target
    notes: dict[str, Notes] = {}

    def of(table: str) -> Notes:
        return notes.setdefault(table, Notes(table))

    groups = study.target.groups if study.target else None
    outcome = study.target.outcome if study.target else None
    everyone = read_patients(study.tables.patients, root, of("patients"), groups)
    _check_columns_of_patients(study, everyone, of("patients"), groups=None if for_prediction else groups)
    kept, flow = included(everyone, {} if everyone is None else study.include, of("patients"))
    ids = None if everyone is None else everyone[ID]
    patients, columns = (
        (None, None) if kept is None else covariates(kept, study.tables.patients, of("patients"), outcome)
    )
    tables = study.tables
    arm = target.treatment if target else None
    treatments = read_treatments(tables.treatments, root, ids, arm, of("treatments")) if tables.treatments else None
    outcomes = read_outcomes(tables.outcomes, root, ids, target, of("outcomes")) if tables.outcomes else None
    _check_target_tables(study, of, for_prediction)
    read = IngestedStudy(
        patients=patients,
        covariates=columns,
        treatments=treatments,
        outcomes=outcomes,
        flow=flow,
        block_sources={b.name: tuple(s for s in tables.blocks if s.name == b.name) for b in tables.blocks},
    )
    read = _with_measurements(read, study, root, ids, outcome, of)
    read = _only_included(read, None if patients is None else patients[ID])
    found = [finding for note in notes.values() for finding in note.findings]
    _log(read, found)
    return replace(read, findings=found)


def _with_measurements(
    read: IngestedStudy, study: Study, root: Path, ids: pl.Series | None, outcome: str | None, of: _NotesOf
) -> IngestedStudy:
    tables, started = study.tables, read.treatments
    if tables.genotype:
        dosages, variants, calls = read_genotype(tables.genotype, root, ids, of("genotype"))
        read = replace(read, dosages=dosages, variants=variants, pharmacogene_genotypes=calls)
    if tables.diplotypes:
        read = replace(read, diplotypes=read_diplotypes(tables.diplotypes, root, ids, of("diplotypes")))
    if tables.expression:
        expression, samples = read_expression(tables.expression, root, ids, started, of("expression"))
        read = replace(read, expression=expression, expression_samples=samples)
    if tables.biomarkers:
        measured = read_biomarkers(tables.biomarkers, root, ids, started, of("biomarkers"))
        read = replace(read, biomarkers=measured)
    if tables.questionnaires:
        responses, scores = read_questionnaires(tables.questionnaires, root, ids, of("questionnaires"))
        read = replace(read, responses=responses, scores=scores)
    blocks = {
        name: block
        for name, sources in read.block_sources.items()
        if (block := read_block(sources, root, ids, started, outcome, of(f"block {name}"))) is not None
    }
    return replace(read, blocks=blocks)


def _check_columns_of_patients(study: Study, people: pl.DataFrame | None, notes: Notes, groups: str | None) -> None:
    """Look for the columns of patients that other parts of the study name."""
    if people is None:
        return
    tables = study.tables
    every = [getattr(tables, name) for name in type(tables).model_fields]
    within = {source.within for sources in every for source in sources if source.within is not None}
    wanted = [("within", name) for name in sorted(within)] + ([("target.groups", groups)] if groups else [])
    known = [name for name in people.columns if name not in (ID, *HIDDEN)]
    for key, name in wanted:
        if name not in known:
            notes.fatal(
                f'{key}: names the column "{name}", which the table patients lacks.{did_you_mean(name, known)}',
                column=name,
            )


def _check_target_tables(study: Study, of: _NotesOf, for_prediction: bool) -> None:
    if study.target is None or for_prediction:
        return
    if not study.tables.outcomes:
        of("outcomes").fatal("target: is given, but the study names no table of outcomes. Add tables: outcomes.")
    if study.target.treatment is not None and not study.tables.treatments:
        of("treatments").fatal(
            "target.treatment: is given, but the study names no table of treatments. Add tables: treatments."
        )


def _only_included(read: IngestedStudy, ids: pl.Series | None) -> IngestedStudy:
    """Keep the people who are in the study, in every table."""
    if ids is None:
        return read
    wanted = ids.to_list()

    def kept(frame: pl.DataFrame | None) -> pl.DataFrame | None:
        return frame if frame is None or ID not in frame.columns else frame.filter(pl.col(ID).is_in(wanted))

    tables: dict[str, Any] = {
        name: kept(getattr(read, name)) for name in _CONTRACTS if name not in ("flow", "patients")
    }
    blocks = {name: frame.filter(pl.col(ID).is_in(wanted)) for name, frame in read.blocks.items()}
    return replace(read, blocks=blocks, **tables)


def _log(read: IngestedStudy, findings: Sequence[Finding]) -> None:
    sizes = [(name, frame.height) for name in _CONTRACTS if (frame := getattr(read, name)) is not None]
    sizes += [(f"block {name}", frame.height) for name, frame in read.blocks.items()]
    fatal = sum(finding.severity == "fatal" for finding in findings)
    rows = ", ".join(f"{name} {height}" for name, height in sizes)
    logger.info("ingested rows: %s; findings: %d, fatal %d", rows or "none", len(findings), fatal)


def require_sound(findings: Sequence[Finding]) -> None:
    """Raise `TableError` when any finding is fatal: one line for each, and their number in the last line.

    Examples
    --------
    >>> require_sound([Finding("patients", None, "info", 2, "2 people have no row.")])
    """
    fatal = [f"{finding.table}: {finding.message}" for finding in findings if finding.severity == "fatal"]
    if fatal:
        count = "1 problem stops" if len(fatal) == 1 else f"{len(fatal)} problems stop"
        raise TableError("\n".join([*fatal, f"{count} the run."]))


def write_ingested(ingested: IngestedStudy, folder: Path) -> None:
    """Write every table of a study as Parquet, each checked against its contract.

    Parameters
    ----------
    folder : Path
        Gets ``<table>.parquet`` for every table that was given and ``block_<name>.parquet`` for every block.

    Raises
    ------
    TableError
        When there is a fatal finding, a table breaks its contract, or a file cannot be written.
    """
    require_sound(ingested.findings)
    for name, contract in _CONTRACTS.items():
        frame = getattr(ingested, name)
        if frame is not None:
            write_table(frame, contract, folder / f"{name}.parquet")
    for name, block in ingested.blocks.items():
        write_table(block, BLOCK, folder / f"block_{name}.parquet")
