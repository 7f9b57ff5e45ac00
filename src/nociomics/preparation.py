"""From a study's contract tables to its features: the one way that training, new cohorts and services share."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nociomics.tables.study import Study

if TYPE_CHECKING:
    import polars as pl

    from nociomics.harmonise.feature import Part
    from nociomics.harmonise.polygenic_scores import PolygenicScores
    from nociomics.ingest.study_tables import IngestedStudy
    from nociomics.knowledge.instrument import Instrument
    from nociomics.tables.finding import Finding

_LOG = logging.getLogger(__name__)
_BLOCK = "block_"
_CALLED_AT_ONCE = 10_000  # people; their calls and advice take half a gigabyte


@dataclass(frozen=True)
class Prepared:
    """A study's people, ready for a model.

    Attributes
    ----------
    features, catalogue : DataFrame
        As in `FEATURES` and `FEATURE_CATALOGUE`.
    target : DataFrame
        As in `TARGET_ROWS`; all outcomes null for a study without a target.
    flow : DataFrame
        As in `COHORT_FLOW`: who was in, who was left out and why.
    safety_items : DataFrame
        As in `SAFETY_ITEMS`: answers that a clinician must see.
    score_coverage, score_matches : DataFrame
        As in `SCORE_COVERAGE` and `SCORE_MATCHES`: how far polygenic scores could be applied.
    findings : list of Finding
        What harmonising remarked.
    harm_weights : DataFrame or None
        ``patient_id, harm_weight``: people's own weights of harm, which are no features; None where nobody gave one.
    """

    features: pl.DataFrame
    catalogue: pl.DataFrame
    target: pl.DataFrame
    flow: pl.DataFrame
    safety_items: pl.DataFrame
    score_coverage: pl.DataFrame
    score_matches: pl.DataFrame
    findings: list[Finding]
    harm_weights: pl.DataFrame | None = None


def call_study_pharmacogenes(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame | None:
    """Call the pharmacogenes of everyone, or None for a study without genotypes and outside calls.

    Inhibitors come from ``treatment_history``, as it was when the study's treatment started.
    """
    import polars as pl

    parts = call_pharmacogenes_by_parts(tables)
    return None if parts is None else pl.concat(parts)


def call_pharmacogenes_by_parts(tables: Mapping[str, pl.DataFrame]) -> Iterator[pl.DataFrame] | None:
    """Call the pharmacogenes of some people after the other: a cohort's calls are long texts, and many.

    Nobody's call depends on anybody else's. None for a study without genotypes and outside calls; one part without
    rows for a study without people.
    """
    from nociomics.pharmacogenomics.assessment import call_with_medications

    genotypes, diplotypes = tables.get("pharmacogene_genotypes"), tables.get("diplotypes")
    if genotypes is None and diplotypes is None:
        return None
    people = tables["patients"]["patient_id"].to_list()
    history, started = tables.get("treatment_history"), tables.get("treatments")
    return (
        call_with_medications(genotypes, diplotypes, people[first : first + _CALLED_AT_ONCE], history, started)
        for first in range(0, max(len(people), 1), _CALLED_AT_ONCE)
    )


def prepare(
    tables: Mapping[str, pl.DataFrame],
    study: Study,
    calls: pl.DataFrame | None,
    stores: Path | None = None,
    own_instruments: Sequence[Path] = (),
) -> Prepared:
    """Score, convert and lay out every table of a study.

    Parameters
    ----------
    tables : mapping of name to DataFrame
        The contract tables of `tables.ingested`, under their file names; ``block_<name>`` for blocks.
    study : Study
        The study.
    calls : DataFrame, optional
        From `call_study_pharmacogenes`.
    stores : Path, optional
        Folder of the converted genotype files; needed by a study with polygenic scores.
    own_instruments : sequence of Path
        Definitions of the study's own questionnaires; their worked examples must come out.
    """
    import polars as pl

    from nociomics.harmonise.features import build_features
    from nociomics.harmonise.units import convert_biomarkers, suspect_units
    from nociomics.models.fitness import fitness_findings, without_small_arms
    from nociomics.pharmacogenomics.features import pharmacogene_features
    from nociomics.tables.contract import empty_frame
    from nociomics.tables.harm_weights import own_harm_weights
    from nociomics.tables.polygenic import SCORE_COVERAGE, SCORE_MATCHES

    findings: list[Finding] = []
    biomarkers = tables.get("biomarkers")
    if biomarkers is not None:
        sites = tables["patients"].select("patient_id", "site") if "site" in tables["patients"].columns else None
        findings += suspect_units(biomarkers, sites)
        biomarkers, remarks = convert_biomarkers(biomarkers)
        findings += remarks
    instruments = _instruments(own_instruments)
    scores, raised, remarks = _scores(tables, study, instruments)
    findings += remarks
    samples = tables.get("expression_samples")
    batches = samples is not None and samples["batch"].null_count() < samples.height
    polygenic = _polygenic_scores(tables, study, stores)
    features, catalogue, remarks = build_features(
        tables["patients"],
        covariates=tables.get("covariates"),
        treatments=tables.get("treatments"),
        scores=scores,
        biomarkers=biomarkers,
        expression=_log_expression(tables, study),
        expression_samples=samples,
        dosages=tables.get("dosages"),
        variants=tables.get("variants"),
        pgx=None if calls is None else pharmacogene_features(calls, tables.get("pharmacogene_genotypes")),
        blocks=_blocks(tables, study),
        expression_within=_expression_within(study) or ("expression_batch" if batches else None),
        origins=tables.get("origins"),
        further=[*_history(tables), *(score.part for score in polygenic)],
        instruments=instruments,
    )
    target, flow = _target(tables, features, study)
    findings += remarks
    if study.target is not None:
        findings += fitness_findings(target, features, catalogue, study.target)
        target, flow = without_small_arms(target, flow, study.target)
    _LOG.info("harmonised %d people, %d features, %d remarks", features.height, catalogue.height, len(findings))
    return Prepared(
        features,
        catalogue,
        target,
        flow,
        raised,
        pl.concat([empty_frame(SCORE_COVERAGE), *(score.coverage for score in polygenic)]),
        pl.concat([empty_frame(SCORE_MATCHES), *(score.matches for score in polygenic)]),
        findings,
        own_harm_weights(tables["patients"]),
    )


def _instruments(own: Sequence[Path]) -> dict[str, Instrument]:
    from nociomics.harmonise.instrument_scores import require_examples
    from nociomics.knowledge.instrument import load_instruments
    from nociomics.knowledge.instrument_file import load_with_own

    known, shipped = load_with_own(own), load_instruments()
    for name in known.keys() - shipped.keys():
        require_examples(known[name])
    return known


def _scores(
    tables: Mapping[str, pl.DataFrame], study: Study, instruments: Mapping[str, Instrument]
) -> tuple[pl.DataFrame | None, pl.DataFrame, list[Finding]]:
    """Score the answers; also list those that a clinician must see."""
    import polars as pl

    from nociomics.harmonise.instrument_scores import score_responses, without_value_set
    from nociomics.harmonise.safety_items import safety_findings, safety_items
    from nociomics.tables.contract import empty_frame
    from nociomics.tables.harmonised import SAFETY_ITEMS

    if "responses" not in tables:
        return None, empty_frame(SAFETY_ITEMS), []
    columns = ["patient_id", "visit", "instrument", "scale", "score"]
    named = [source.value_set for source in study.tables.questionnaires if source.value_set is not None]
    scored = score_responses(tables["responses"], instruments, named[0] if named else None)
    raised = safety_items(tables["responses"], instruments)
    both = pl.concat([scored.select(columns), tables["scores"].select(columns)], how="vertical_relaxed")
    return both, raised, [*without_value_set(scored), *safety_findings(raised)]


def _history(tables: Mapping[str, pl.DataFrame]) -> list[Part]:
    from nociomics.harmonise.history_features import history_features

    history = tables.get("treatment_history")
    return [] if history is None else [history_features(history, tables.get("treatments"))]


def _polygenic_scores(tables: Mapping[str, pl.DataFrame], study: Study, stores: Path | None) -> list[PolygenicScores]:
    import polars as pl

    from nociomics.errors import TableError
    from nociomics.harmonise.polygenic_scores import GenotypedPeople, polygenic_score
    from nociomics.tables.genotype_store import GenotypeStore

    weights, people = tables.get("score_weights"), tables.get("genotype_people")
    if weights is None or people is None:
        return []
    if stores is None:
        raise TableError("polygenic_scores: need the converted genotype files, and their folder was not given.")
    genotyped = []
    for (name,), rows in people.group_by("store", maintain_order=True):
        store = GenotypeStore(stores / str(name))
        genotyped.append(GenotypedPeople(store, rows.select("patient_id", "sample"), store.manifest.get("reference")))
    if not genotyped:
        return []
    scores = study.tables.polygenic_scores
    rows_of = {score.name: weights.filter(pl.col("score") == score.name) for score in scores}
    return [polygenic_score(genotyped, rows_of[score.name], score.name, score.min_coverage) for score in scores]


def _log_expression(tables: Mapping[str, pl.DataFrame], study: Study) -> pl.DataFrame | None:
    from nociomics.harmonise.expression import log_expression

    if "expression" not in tables:
        return None
    source = study.tables.expression[0]
    return log_expression(tables["expression"], source.values, source.normalise, tables.get("expression_reference"))


def _expression_within(study: Study) -> str | None:
    return next((source.within for source in study.tables.expression if source.within), None)


def _blocks(tables: Mapping[str, pl.DataFrame], study: Study) -> dict[str, tuple[pl.DataFrame, str | None]]:
    within = {block.name: block.within for block in study.tables.blocks}
    return {name: (tables[f"{_BLOCK}{name}"], within[name]) for name in sorted(within)}


def _target(
    tables: Mapping[str, pl.DataFrame], features: pl.DataFrame, study: Study
) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    from nociomics.harmonise.target import build_target
    from nociomics.tables.harmonised import TARGET_ROWS

    flow = tables["flow"]
    if study.target is None:
        kinds = {"text": pl.String, "number": pl.Float64}
        empty = [pl.lit(None, kinds[column.kind]).alias(column.name) for column in TARGET_ROWS.columns[1:]]
        return tables["patients"].select("patient_id", *empty), flow
    rows, steps = build_target(
        features, tables["patients"], tables.get("treatments"), tables.get("outcomes"), study.target
    )
    return rows, pl.concat([flow, steps], how="vertical_relaxed")


def read_ingested(folder: Path, study: Study) -> dict[str, pl.DataFrame]:
    """Read the contract tables that `nociomics ingest tables` wrote for this study, each checked again.

    Only the tables that the study names are read, so that a table left over from an earlier run of another
    study file is never used.
    """
    from nociomics.tables import ingested
    from nociomics.tables.files import read_table
    from nociomics.tables.harmonised import COHORT_FLOW
    from nociomics.tables.polygenic import SCORE_WEIGHTS

    genotype = ["dosages", "variants", "pharmacogene_genotypes", "genotype_people"]
    tmm = ["expression_reference"] if any(source.normalise == "tmm" for source in study.tables.expression) else []
    made = {"patients": ["patients", "covariates"], "genotype": genotype, "polygenic_scores": ["score_weights"]}
    made |= {"expression": ["expression", "expression_samples", *tmm], "questionnaires": ["responses", "scores"]}
    named = [name for name in type(study.tables).model_fields if name != "blocks" and getattr(study.tables, name)]
    tables = {
        table: read_table(folder / f"{table}.parquet", getattr(ingested, table.upper(), SCORE_WEIGHTS))
        for name in named
        for table in made.get(name, [name])
    }
    for block in study.tables.blocks:
        name = f"{_BLOCK}{block.name}"
        tables[name] = read_table(folder / f"{name}.parquet", ingested.BLOCK)
    origins = read_table(folder / "origins.parquet", ingested.ORIGINS)
    return {**tables, "origins": origins, "flow": read_table(folder / "flow.parquet", COHORT_FLOW)}


def variants_of(schema: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the variants that a model uses, by the schema of its bundle.

    Examples
    --------
    >>> variants_of([{"feature": "snp_rs1", "modality": "genotype"}, {"feature": "age", "modality": "clinical"}])
    ['rs1']
    """
    from nociomics.harmonise.variant_features import PREFIX

    names = [entry["feature"] for entry in schema if entry["modality"] == "genotype"]
    return [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]


def prepare_read(read: IngestedStudy, study: Study, folder: Path, stores: Path) -> Prepared:
    """Prepare tables that were read into memory, without fatal findings; see `prepare`."""
    import polars as pl

    from nociomics.pharmacogenomics.features import CALL_COLUMNS

    named = {field.name: getattr(read, field.name) for field in fields(read)}
    tables = {name: frame for name, frame in named.items() if isinstance(frame, pl.DataFrame)}
    tables |= {f"{_BLOCK}{name}": frame for name, frame in read.blocks.items()}
    own = [folder / path for path in study.instruments]
    parts = call_pharmacogenes_by_parts(tables)
    calls = None if parts is None else pl.concat([part.select(CALL_COLUMNS) for part in parts])
    return prepare(tables, study, calls, stores, own)


def lacking_features(schema: Sequence[Mapping[str, Any]], brought: Collection[str]) -> dict[str, tuple[int, int]]:
    """Count, per modality, the features of a model that nobody of these people has, and all of its features.

    Examples
    --------
    >>> schema = [{"feature": "age", "modality": "clinical"}, {"feature": "bmi", "modality": "clinical"}]
    >>> lacking_features(schema, {"age"})
    {'clinical': (1, 2)}
    """
    found: dict[str, tuple[int, int]] = {}
    for entry in schema:
        lacking, every = found.get(entry["modality"], (0, 0))
        found[entry["modality"]] = (lacking + (entry["feature"] not in brought), every + 1)
    return {modality: counts for modality, counts in sorted(found.items()) if counts[0]}


def read_new_people(study: Study, folder: Path, wanted_variants: Sequence[str] | None = None) -> Prepared:
    """Read and prepare new patients for prediction; they need no treatments and no outcomes.

    Parameters
    ----------
    study : Study
        Names the new patients' tables.
    folder : Path
        What their paths are relative to.
    wanted_variants : sequence of str, optional
        Variants that the model was trained with (``Bundle.schema``). Exactly these are read, so that the size of the
        new file cannot change what becomes a feature.

    Raises
    ------
    TableError
        When a table has a fatal problem; all of them are named.
    """
    from nociomics.ingest.study_tables import read_study, require_sound

    asked = study.model_copy(update={"target": None, "data_root": None})
    with tempfile.TemporaryDirectory(prefix="nociomics-genotypes-") as temporary:
        stores = Path(temporary)
        read = read_study(asked, folder, for_prediction=True, stores=stores, wanted_variants=wanted_variants)
        require_sound(read.findings)
        prepared = prepare_read(read, asked, folder, stores)
    return replace(prepared, findings=[*read.findings, *prepared.findings])


def prepare_new_tables(
    tables: Mapping[str, Any], study: Mapping[str, Any] | None, schema: Sequence[Mapping[str, Any]]
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Prepare raw tables that a program holds, by the way of new patients' files: they are written and read again.

    Parameters
    ----------
    tables : mapping of str to table or path
        Name of a study's table (``blocks.<name>`` for a block) -> a table of any make, or the path of a file.
    study : mapping, optional
        What a study file would say under ``tables:``, without paths.
    schema : sequence of mapping
        Of the model.

    Returns
    -------
    features : DataFrame, one row per person
        As in `FEATURES`.
    notes : tuple of str
        What was remarked, and which inputs nobody has.

    Raises
    ------
    NociomicsError
        When a table is unknown or has a fatal problem.
    """
    from pydantic import ValidationError

    from nociomics.errors import StudyError

    with tempfile.TemporaryDirectory(prefix="nociomics-tables-") as temporary:
        folder = Path(temporary)
        told = _told_tables(tables, study or {}, folder)
        try:
            asked = Study.model_validate({"study": "new", "tables": told})
        except ValidationError as error:
            where = sorted({".".join(str(part) for part in one["loc"][:3]) for one in error.errors()})
            raise StudyError(
                f"{len(where)} settings of the tables are not understood: {', '.join(where)}. "
                "Name tables and settings as under tables: of a study file."
            ) from None
        prepared = read_new_people(asked, folder, variants_of(schema))
    features = prepared.features
    brought = {name for name in features.columns if features[name].null_count() < features.height}
    lacking = lacking_features(schema, brought).items()
    remarks = [f"{one.table}: {one.message}" for one in prepared.findings if one.severity == "warning"]
    absent = [f"{none} of {every} inputs of {modality} are known of nobody" for modality, (none, every) in lacking]
    return prepared.features, (*remarks, *absent)


def _told_tables(tables: Mapping[str, Any], study: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write each table, and say what a study file would say of it."""
    told: dict[str, Any] = {}
    for place, (name, table) in enumerate(tables.items()):
        path = str(Path(table).resolve()) if isinstance(table, (str, Path)) else _written(table, folder, place)
        said = study.get(name) or {}
        if name.startswith("blocks."):
            told.setdefault("blocks", []).append({**said, "name": name.removeprefix("blocks."), "path": path})
        else:
            told[name] = {**said, "path": path}
    return told


def _written(table: Any, folder: Path, place: int) -> str:
    from nociomics.export.input_values import as_frame
    from nociomics.tables.files import store_parquet

    frame = as_frame(table)
    mixed = [name for name, kind in frame.schema.items() if kind.is_object()]
    texts = [frame[name].to_list() for name in mixed]
    as_text = [[None if value is None or value != value else str(value) for value in values] for values in texts]
    import polars as pl

    columns = [pl.Series(name, values, dtype=pl.String) for name, values in zip(mixed, as_text, strict=True)]
    name = f"table_{place}.parquet"  # never a name from outside
    store_parquet(frame.with_columns(columns), folder / name)
    return name
