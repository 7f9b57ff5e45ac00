"""Read all tables of a study, find every problem of every table at once, and write them for the next stage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from nociomics.errors import NociomicsError, TableError, did_you_mean
from nociomics.ingest.biomarkers import read_biomarkers
from nociomics.ingest.blocks import read_block
from nociomics.ingest.diplotypes import read_diplotypes
from nociomics.ingest.expression import read_expression, read_reference
from nociomics.ingest.genotype import GenotypeTables, read_genotype
from nociomics.ingest.inclusion import included
from nociomics.ingest.notes import HIDDEN, Notes
from nociomics.ingest.outcomes import read_outcomes
from nociomics.ingest.patients import covariates, read_patients
from nociomics.ingest.people import ID
from nociomics.ingest.questionnaires import read_questionnaires
from nociomics.ingest.score_weights import read_score_weights
from nociomics.ingest.treatment_history import read_treatment_history
from nociomics.ingest.treatments import read_treatments
from nociomics.knowledge.instrument import Instrument
from nociomics.knowledge.instrument_file import load_with_own
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
    EXPRESSION_REFERENCE,
    EXPRESSION_SAMPLES,
    GENOTYPE_PEOPLE,
    ORIGINS,
    OUTCOMES,
    PATIENTS,
    PHARMACOGENE_GENOTYPES,
    READINGS,
    RESPONSES,
    SCORES,
    TREATMENT_HISTORY,
    TREATMENTS,
    VARIANTS,
)
from nociomics.tables.polygenic import SCORE_WEIGHTS
from nociomics.tables.study import BlockSource, Study

logger = logging.getLogger(__name__)
_NotesOf = Callable[[str], Notes]
_MODALITIES = ("clinical", "genotype", "pgx", "expression", "biomarkers", "questionnaires")
"""What results call the features of the other tables."""

_CONTRACTS: dict[str, Contract] = {
    "patients": PATIENTS,
    "covariates": COVARIATES,
    "dosages": DOSAGES,
    "variants": VARIANTS,
    "pharmacogene_genotypes": PHARMACOGENE_GENOTYPES,
    "genotype_people": GENOTYPE_PEOPLE,
    "diplotypes": DIPLOTYPES,
    "expression": EXPRESSION,
    "expression_samples": EXPRESSION_SAMPLES,
    "expression_reference": EXPRESSION_REFERENCE,
    "score_weights": SCORE_WEIGHTS,
    "biomarkers": BIOMARKERS,
    "responses": RESPONSES,
    "scores": SCORES,
    "treatments": TREATMENTS,
    "treatment_history": TREATMENT_HISTORY,
    "outcomes": OUTCOMES,
    "flow": COHORT_FLOW,
    "origins": ORIGINS,
    "readings": READINGS,
}


@dataclass(frozen=True)
class IngestedStudy:
    """A study's tables as read; None for a table that it does not name or that could not be read.

    Every table holds only people who meet the study's ``include``. ``block_sources`` has the files of each block, for
    what the next stage needs to know of them (``within``). ``flow`` keeps `COHORT_FLOW`, ``origins`` where each
    part came from (`ORIGINS`) and ``readings`` what was done to the rows of each file (`READINGS`).
    """

    patients: pl.DataFrame | None = None
    covariates: pl.DataFrame | None = None
    dosages: pl.DataFrame | None = None
    variants: pl.DataFrame | None = None
    pharmacogene_genotypes: pl.DataFrame | None = None
    genotype_people: pl.DataFrame | None = None
    diplotypes: pl.DataFrame | None = None
    expression: pl.DataFrame | None = None
    expression_samples: pl.DataFrame | None = None
    expression_reference: pl.DataFrame | None = None
    score_weights: pl.DataFrame | None = None
    biomarkers: pl.DataFrame | None = None
    responses: pl.DataFrame | None = None
    scores: pl.DataFrame | None = None
    treatments: pl.DataFrame | None = None
    treatment_history: pl.DataFrame | None = None
    outcomes: pl.DataFrame | None = None
    blocks: dict[str, pl.DataFrame] = field(default_factory=dict)
    block_sources: dict[str, tuple[BlockSource, ...]] = field(default_factory=dict)
    flow: pl.DataFrame | None = None
    origins: pl.DataFrame | None = None
    readings: pl.DataFrame | None = None
    findings: list[Finding] = field(default_factory=list)


def read_study(
    study: Study,
    folder: Path,
    *,
    for_prediction: bool = False,
    stores: Path | None = None,
    wanted_variants: Sequence[str] | None = None,
) -> IngestedStudy:
    """Read every table that a study names.

    Parameters
    ----------
    study : Study
        The study file.
    folder : Path
        Where a relative ``data_root`` starts.
    for_prediction : bool
        True for new patients, who need no outcome and no treatment: the target is then not looked for.
    stores : Path, optional
        Folder of the genotype files converted already, ``stores/<number>``; without it they are converted into a
        temporary folder.
    wanted_variants : sequence of str, optional
        Variants that a model was trained with: exactly these are read, whatever the study chooses.

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
    _check_sources(study, of)
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
    genotypes = partial(read_genotype, stores=stores, wanted=wanted_variants)
    read = _with_measurements(read, study, root, ids, outcome, of, genotypes)
    read = _only_included(read, None if patients is None else patients[ID])
    found = [finding for note in notes.values() for finding in note.findings]
    _log(read, found)
    origins, readings = _provenance(list(notes.values()))
    return replace(read, findings=found, origins=origins, readings=readings)


def _with_measurements(
    read: IngestedStudy,
    study: Study,
    root: Path,
    ids: pl.Series | None,
    outcome: str | None,
    of: _NotesOf,
    genotypes: Callable[..., GenotypeTables],
) -> IngestedStudy:
    tables, started = study.tables, read.treatments
    if tables.genotype:
        found = genotypes(tables.genotype, root, ids, of("genotype"))
        read = replace(
            read,
            dosages=found.dosages,
            variants=found.variants,
            pharmacogene_genotypes=found.bases,
            genotype_people=found.people,
        )
    if tables.polygenic_scores:
        read = replace(read, score_weights=_score_weights(study, root, of("polygenic_scores")))
    if tables.diplotypes:
        read = replace(read, diplotypes=read_diplotypes(tables.diplotypes, root, ids, of("diplotypes")))
    if tables.treatment_history:
        history = read_treatment_history(tables.treatment_history, root, ids, started, of("treatment_history"))
        read = replace(read, treatment_history=history)
    if tables.expression:
        expression, samples = read_expression(tables.expression, root, ids, started, of("expression"))
        reference = read_reference(tables.expression, root, of("expression"))
        read = replace(read, expression=expression, expression_samples=samples, expression_reference=reference)
    if tables.biomarkers:
        measured = read_biomarkers(tables.biomarkers, root, ids, started, of("biomarkers"))
        read = replace(read, biomarkers=measured)
    if tables.questionnaires:
        own = _instruments(study, root, of("questionnaires"))
        responses, scores = read_questionnaires(tables.questionnaires, root, ids, of("questionnaires"), started, own)
        read = replace(read, responses=responses, scores=scores)
    blocks = {
        name: block
        for name, sources in read.block_sources.items()
        if (block := read_block(sources, root, ids, started, outcome, of(f"block {name}"))) is not None
    }
    return replace(read, blocks=blocks)


def _instruments(study: Study, root: Path, notes: Notes) -> dict[str, Instrument] | None:
    """Load the shipped questionnaires and the study's own; None (only the shipped ones) after a fatal finding."""
    try:
        return load_with_own([root / path for path in study.instruments])
    except NociomicsError as error:
        notes.fatal(f"instruments: {error}")
        return None


def _check_sources(study: Study, of: _NotesOf) -> None:
    """Look for files and names that are given twice, and for blocks that would be taken for another table."""
    for table in type(study.tables).model_fields:
        sources = getattr(study.tables, table)
        for path in dict.fromkeys(each.path for at, each in enumerate(sources) if each in sources[:at]):
            of(table).fatal(f"{path}: is given twice in the same way. Leave one of the two out of the study file.")
    names = [score.name for score in study.tables.polygenic_scores]
    for name in dict.fromkeys(name for at, name in enumerate(names) if name in names[:at]):
        of("polygenic_scores").fatal(f'name: "{name}" is given to several scores. Give each its own.')
    for name in dict.fromkeys(block.name for block in study.tables.blocks if block.name in _MODALITIES):
        of(f"block {name}").fatal(
            f'name: "{name}" is what results call a table of its own. Give the block another name, such as {name}_2.'
        )


def _score_weights(study: Study, root: Path, notes: Notes) -> pl.DataFrame | None:
    if not study.tables.genotype:
        notes.fatal("scores need genotypes, and the study names none. Add tables: genotype.")
    weights = [read_score_weights(source, root, notes) for source in study.tables.polygenic_scores]
    read = [each for each in weights if each is not None]
    return pl.concat(read) if read else None


def _provenance(notes: Sequence[Notes]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Where every part came from and what was done to the rows, of all tables."""
    origins = [row for note in notes for row in note.origins]
    readings = [row for note in notes for row in note.readings]
    kinds = {column.name: pl.Int64 if column.kind == "integer" else pl.String for column in READINGS.columns}
    parts = pl.DataFrame(origins, schema={column.name: pl.String for column in ORIGINS.columns})
    return parts.unique(maintain_order=True), pl.DataFrame(readings, schema=kinds)


def _check_columns_of_patients(study: Study, people: pl.DataFrame | None, notes: Notes, groups: str | None) -> None:
    """Look for the columns of patients that other parts of the study name."""
    if people is None:
        return
    tables = study.tables
    every = [getattr(tables, name) for name in type(tables).model_fields]
    within = {source.within for sources in every for source in sources if getattr(source, "within", None) is not None}
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
        if frame is None or ID not in frame.columns:
            return frame
        inside = frame[ID].is_in(wanted)
        # a long table is not held twice without need
        return frame if inside.all(ignore_nulls=False) else frame.filter(inside)

    tables: dict[str, Any] = {
        name: kept(getattr(read, name)) for name in _CONTRACTS if name not in ("flow", "patients")
    }
    blocks = {name: frame.filter(pl.col(ID).is_in(wanted)) for name, frame in read.blocks.items()}
    return replace(read, blocks=blocks, **tables)


def _log(read: IngestedStudy, findings: Sequence[Finding]) -> None:
    sizes = [
        (name, frame.height)
        for name in _CONTRACTS
        if name not in ("origins", "readings") and (frame := getattr(read, name)) is not None
    ]
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
        Gets ``<table>.parquet`` for every table that was given, ``block_<name>.parquet`` for every block, and always
        ``origins.parquet`` and ``readings.parquet``.

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
