"""Write the reference tables that come from the code: keys of a study file, and contracts of the tables.

    python workflow/scripts/draw_references.py            # rewrites config/README.md and docs/tables.md
    python workflow/scripts/draw_references.py --check    # exit 1 when a page is out of date

Only what stands between the two markers of a page is written; the words around it are written by people.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import nociomics.tables
from nociomics.config import SECTIONS, Config
from nociomics.tables.contract import Column, Contract
from nociomics.tables.study import (
    BlockSource,
    Inclusion,
    PolygenicScoreSource,
    ResponseRule,
    SampleMap,
    Tables,
    TableSource,
    Target,
    TimeBetween,
)

ROOT = Path(__file__).resolve().parents[2]
_BEGIN, _END = "<!-- made from the code: begin (make figures) -->", "<!-- made from the code: end -->"
_SIGNS = {Ge: "≥", Gt: ">", Le: "≤", Lt: "<"}

# What the number of a key counts or measures; every number of a study file must stand here.
_UNITS = {
    "seed": "none",
    "min_coverage": "share of the weights",
    "fall_percent": "% of baseline",
    "fall_points": "points of the outcome",
    "harm_weight": "outcome per adverse event",
    "target.response.at_most": "unit of the outcome",
    "at_most": "unit of the column",
    "at_least": "unit of the column",
    "permutations": "refits",
    "permutations_per_job": "refits",
    "learning_shares": "share of the training part",
    "outer_folds": "folds",
    "inner_folds": "folds",
    "repeats": "repeats",
    "genotype_concordance": "share of variants",
    "expression_correlation": "correlation",
    "raw_up_to": "features",
    "components": "components",
    "category_people": "people",
    "refits": "refits",
    "refits_in_folds": "refits",
    "trees": "trees",
    "tree_depth": "splits",
    "leaf_people": "people",
    "level": "probability",
    "background_people": "people",
    "factors": "factors",
    "largest_k": "strata",
    "starts": "starts",
    "bootstraps": "refits",
    "subsamples": "draws",
    "atypical_share": "share of people",
    "between_below": "probability",
    "smallest": "people",
    "people": "people",
}

# Meanings of keys and columns whose model or contract says nothing.
_MEANINGS = {
    "propensities.treatment": "a treatment of the study",
    "tables": "which tables there are, and how each is described",
    "at_least": "smallest value that is in",
    "at_most": "largest value that is in",
    "one_of": "values that are in",
    "patient_id": "the study's own id",
    "sample": "the person's id",
    "gene": "name of the gene",
    "drug": "generic name, lower case",
    "phased": "whether base_1 and base_2 are told apart by parent",
    "chrom": "as in the file",
    "pos": "position, from 1, in the file's build",
    "ref": "reference allele of the file",
    "call_rate": "share of the study's people with a call",
    "alt_frequency": "share of ALT among the called copies",
    "build": "genome build of the file",
    "call_state": "called, or why there are no bases",
    "batch": "batch of the assay, as given",
    "collected_at": "when the sample was taken, as given",
    "below_lod": "true for a non-detect",
    "plate": "plate of the assay, as given",
    "specimen": "serum, plasma, saliva..., as given",
    "visit": "baseline, or the study's word for a later visit",
    "instrument": "id of knowledge/instruments",
    "item": "item of the instrument's file",
    "scale": "scale of the instrument",
    "score": "in the scale's own range",
    "arm": "treatment received",
    "assignment": "how people came to their arm",
    "started_at": "start of treatment",
    "description": "what it is, in words",
    "missing_share": "share of people without it",
    "kind": "how a model may use it",
    "baseline": "value before treatment, for a change",
    "adverse_event": "0/1, null when not recorded",
    "step": "the step",
    "people": "people left after it, or people of the arm",
    "left_out": "people whom it leaves out",
    "reason": "why",
    "repeat": "number of the repeat, from 0",
    "outer_fold": "fold in which the person is predicted, from 0",
    "inner_fold": "fold for choosing settings, from 0",
    "expected": "points or units; null for multiclass or no answer",
    "lower": "lower end of the interval",
    "upper": "upper end of the interval",
    "p_response": "probability of a response, or of class 1",
    "treatment_a": "the one arm",
    "treatment_b": "the other arm",
    "p_better": "probability that the effect is above 0",
    "recommended": "one arm on all rows of a person; null when abstained",
    "status": "ok, or why there is no answer",
    "entropy": "0 when the stratum is certain, natural log",
    "atypical": "far from all strata",
    "between": "no stratum is likely enough",
    "feature": "encoded model column",
    "modality": "its kind of measurement",
    "group": "what it is shown with",
    "feature_value": "its encoded value, null when not measured",
    "base_value": "mean prediction over the background people",
    "class": "class of a multiclass outcome",
    "patient_a": "the smaller id",
    "patient_b": "the larger id",
    "evidence": "what is alike",
    "with_outcome": "of them, with an observed outcome",
    "rsid": "name of the variant in dbSNP",
    "score_weights.chrom": "1 to 22, X, Y, XY, MT, or another contig",
    "score_weights.pos": "position, from 1, in this build",
    "score_matches.score": "name of the score in the study",
    "score_coverage.score": "name of the score in the study",
    "score_matches.state": "what became of these weights",
    "score_matches.weights": "weights of this state",
    "variant_quality.filtered": "whether the file's own FILTER refused it",
    "variant_quality.copies_1": "people with one copy",
    "variant_quality.copies_2": "people with two copies",
    "variant_quality.ref": "the other allele",
    "sample_quality.call_rate": "share of these variants with a call",
    "sample_quality.x_heterozygosity": "of them, share that is heterozygous",
    "sample_quality.sex_in_file": "as the genotype file says",
    "sample_quality.sex_in_study": "column sex of patients",
    "related_pairs.relation": "by kinship and opposite_share",
    "treatment_history.dose": "as given",
    "treatment_history.dose_unit": "unit of the dose, as given",
    "treatment_history.route": "by mouth, patch..., as given",
    "treatment_history.started_at": "first day of taking it",
    "treatment_history.stopped_at": "last day of taking it; empty while it goes on",
    "treatment_history.stopped_for_harm": "whether it was stopped because of harm",
    "responses.answered_at": "when it was answered",
    "histograms.count": "values in it",
    "genotype_counts.count": "how many it concerns",
    "expression_reference.gene": "without the version of an Ensembl id",
    "expression_reference.count": "reads",
    "distributions.missing": "people without it",
    "lower_quartile": "a quarter of the values lies below",
    "upper_quartile": "a quarter of the values lies above",
    "batches.median": "middle of the values",
    "missingness.features": "features of the modality",
    "missing_patterns.people": "people with exactly these",
    "batches.values": "values of this group that are not missing",
    "batch_shares.levels": "groups that have values",
    "biomarkers.minutes_since_waking": "of the sample, for cortisol",
    "readings.table": "table of the study, or block <name>",
    "readings.file": "as the study writes it; empty for several files together",
    "rows_in": "rows before the step",
    "rows_out": "rows after the step",
    "score_weights.other_allele": "in upper case; empty where the file does not name it",
    "by": "what the groups are: plate, batch, or a column of patients such as site",
    "batch_shares.values": "values that are not missing",
    "components.first": "value on the first component",
    "components.second": "value on the second component",
    "components.share_second": "share of the spread along it",
    "cross_tables.first_level": "group of the first",
    "cross_tables.second_level": "group of the second",
    "cross_tables.people": "people of both groups",
    "associations.first": "one grouping",
    "associations.second": "the other grouping",
    "identical_people.table": "table of the study, or block_<name>",
    "stratum": "S1, S2...",
    "mechanism": "kind of pain",
    "strata_concentrations.role": "as in strata_associations",
    "strata_markers.p": "of the difference, two-sided",
    "mechanism_by_stratum.people": "people",
    "mechanism_by_stratum.evidence": "as in pain_mechanisms",
}

# The parts of a study file, in the order of the page: title, what stands before its keys, model.
_PARTS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("The whole file", "", Config),
    ("`tables`", "tables.", Tables),
    ("One table", "tables.<table>.", TableSource),
    ("`samples` of a table", "tables.<table>.samples.", SampleMap),
    ("`derive` of a table", "tables.<table>.derive.<new column>.", TimeBetween),
    ("A block: all keys of a table, and", "tables.blocks.", BlockSource),
    ("A polygenic score", "tables.polygenic_scores.", PolygenicScoreSource),
    ("`target`", "target.", Target),
    ("`target.response`: exactly one of", "target.response.", ResponseRule),
    ("`include`: conditions on one column", "include.<column>.", Inclusion),
)

_IN_MEMORY = ""  # of tables that functions give and no run writes

# Where a run keeps the tables of each contract, below results/<study>/.
_PLACES = {
    "findings": "ingested/findings.parquet, harmonised/findings.parquet, quality/measured_findings.parquet, "
    "quality/genotypes/findings.parquet, quality/findings.parquet",
    "cohort_flow": "ingested/flow.parquet, harmonised/cohort_flow.parquet",
    "features": "harmonised/features.parquet, training/features.parquet",
    "feature_catalogue": "harmonised/feature_catalogue.parquet",
    "target_rows": "harmonised/target.parquet, training/target.parquet",
    "block": "ingested/block_<name>.parquet",
    "store_samples": "ingested/genotype/<number>/samples.parquet",
    "store_variants": "ingested/genotype/<number>/variants.parquet",
    "score_weights": "ingested/score_weights.parquet",
    "score_matches": "harmonised/score_matches.parquet",
    "score_coverage": "harmonised/score_coverage.parquet",
    "variant_quality": "quality/genotypes/variants.parquet",
    "sample_quality": "quality/genotypes/samples.parquet",
    "related_pairs": "quality/genotypes/related.parquet",
    "same_people": "quality/genotypes/same_people.parquet",
    "safety_items": "harmonised/safety_items.parquet",
    "splits": "response/splits.parquet",
    "duplicates": "response/duplicates.parquet",
    "out_of_fold": "response/out_of_fold.parquet, response/comparators/*.parquet, response/learning/*.parquet, "
    "response/adverse_out_of_fold.parquet",
    "propensities": "response/propensities.parquet",
    "observation": "response/observation.parquet",
    "permutations": "response/permutations/*.parquet",
    "predictions": "response/predictions.parquet",
    "effects": "response/effects.parquet",
    "assignments": "strata/assignments.parquet",
    "factor_scores": "strata/factor_scores.parquet",
    "challengers": "strata/challengers.parquet",
    "strata_associations": "strata/associations.parquet",
    "strata_concentrations": "strata/concentrations.parquet",
    "strata_markers": "strata/markers.parquet",
    "pain_mechanisms": "strata/pain_mechanisms.parquet",
    "mechanism_by_stratum": "strata/mechanism_by_stratum.parquet",
    "shap_values": "explanations/shap.parquet",
    "base_values": "explanations/base.parquet",
    "importance": "explanations/importance.parquet, explanations/out_of_fold_importance.parquet",
    "dependence": "explanations/dependence.parquet",
    "out_of_fold_values": "response/out_of_fold_values.parquet, explanations/out_of_fold.parquet",
    "interactions": "",
    "explanation_stability": "explanations/stability.parquet",
    "pgx_calls": "pgx/calls.parquet",
    "pgx_recommendations": "pgx/recommendations.parquet",
    "arms": "evaluation/arms.parquet",
}


def study_keys() -> str:
    """Every key of a study file, part by part, as Markdown."""
    sections = [
        (f"`{name}`: {Config.model_fields[name].description}", f"{name}.", _model_of(Config.model_fields[name]))
        for name in SECTIONS
    ]
    return "\n".join(line for part in (*_PARTS, *sections) for line in _part(*part))


def _part(title: str, before: str, model: type[BaseModel]) -> Iterator[str]:
    inherited = set(TableSource.model_fields) if model is BlockSource else set()
    yield from ("", f"### {title}", "")
    yield from ("| key | meaning | unit | default | allowed |", "| --- | --- | --- | --- | --- |")
    for name, field in model.model_fields.items():
        if name in inherited:
            continue
        meaning = field.description or _meaning(name)
        cells = (f"`{before}{name}`", meaning, _unit(before, name, field), _default(field), _allowed(field))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _model_of(field: FieldInfo) -> type[BaseModel]:
    model = field.annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model


def _meaning(name: str, contract: str = "") -> str:
    """Find what a key or a column means; `<contract>.<column>` comes before the column alone."""
    found = _MEANINGS.get(f"{contract}.{name}", _MEANINGS.get(name))
    if found is None:
        raise SystemExit(f"{contract} {name}: has no meaning in the code; give it one there, or in _MEANINGS")
    return found


def _unit(before: str, name: str, field: FieldInfo) -> str:
    numbers = {int, float} & set(_members(field.annotation))
    if not numbers:
        return ""
    unit = _UNITS.get(f"{before}{name}", _UNITS.get(name))
    if unit is None:
        raise SystemExit(f"{before}{name}: is a number without a unit here; add it to _UNITS")
    return unit


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    value = field.default
    if value is None or value == [] or value == {} or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(rule, kind.__name__.lower()):g}"
        for rule in field.metadata
        for kind, sign in _SIGNS.items()
        if isinstance(rule, kind)
    ]
    patterns = [f"`{rule.pattern}`" for rule in field.metadata if getattr(rule, "pattern", None)]
    kinds = [_kind(part) for part in _members(field.annotation) if part is not type(None)]
    return ", ".join([" or ".join(dict.fromkeys(kinds)), *bounds, *patterns])


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, types.UnionType) and bool in get_args(annotation):
        return "a value, or a list of values"
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in get_args(annotation) if part is not type(None)))
    if origin is list:
        inner = get_args(annotation)[0]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return f"list of {_kind(inner)}"
        needs_more = [name for name, field in inner.model_fields.items() if field.is_required()] != ["path"]
        return "mapping, or list of these" if needs_more else "path, mapping, or list of these"
    if origin is dict:
        return f"mapping of {_kind(get_args(annotation)[0])} to {_kind(get_args(annotation)[1])}"
    if isinstance(annotation, type) and issubclass(annotation, SampleMap):
        return "path or mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}[annotation]


def contracts() -> Iterator[tuple[str, Contract]]:
    """Every contract of the room `tables`, with the module that it stands in."""
    for module in sorted(info.name for info in pkgutil.iter_modules(nociomics.tables.__path__)):
        loaded = importlib.import_module(f"nociomics.tables.{module}")
        for value in vars(loaded).values():
            if isinstance(value, Contract):
                yield module, value


def contract_tables() -> str:
    """Every contract with its columns, as Markdown."""
    lines: list[str] = []
    seen: set[str] = set()
    for module, contract in contracts():
        if contract.name in seen:
            continue
        seen.add(contract.name)
        lines += _contract(module, contract)
    return "\n".join(lines)


def _contract(module: str, contract: Contract) -> Iterator[str]:
    kept = {"ingested": "ingested", "data_quality": "quality"}.get(module)
    place = _PLACES.get(contract.name, f"{kept}/{contract.name}.parquet" if kept else None)
    if place is None:
        raise SystemExit(f"{contract.name}: say in _PLACES where a run keeps it")
    paths = ", ".join(f"`{path}`" for path in place.split(", ")) if place else "Not written by a run"
    key = ", ".join(f"`{name}`" for name in contract.key) or "none"
    further = "Further columns are allowed." if contract.open else "No further columns."
    yield from ("", f"### {contract.name}", "", f"{paths}. One row: {contract.row}. Key: {key}. {further}", "")
    yield from ("| column | kind | may be empty | allowed | meaning |", "| --- | --- | --- | --- | --- |")
    for column in contract.columns:
        meaning = (column.meaning or _meaning(column.name, contract.name)) + (
            "" if column.required else " (the column may be absent)"
        )
        cells = (f"`{column.name}`", column.kind, "yes" if column.null else "no", _values(column), meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _values(column: Column) -> str:
    if column.allowed:
        return ", ".join(f"`{value}`" for value in column.allowed)
    bounds = [f"≥ {column.low:g}"] if column.low is not None else []
    return ", ".join([*bounds, *([f"≤ {column.high:g}"] if column.high is not None else [])])


PAGES: dict[str, Callable[[], str]] = {"config/README.md": study_keys, "docs/tables.md": contract_tables}


def with_tables(page: str, made: str) -> str:
    """Put the made part between the markers of a page."""
    before, rest = page.split(_BEGIN)
    return f"{before}{_BEGIN}\n{made}\n\n{_END}{rest.split(_END)[1]}"


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them with those that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is out of date")
    asked = parser.parse_args(arguments)
    stale = []
    for name, make in PAGES.items():
        page = (ROOT / name).read_text(encoding="utf-8")
        made = with_tables(page, make())
        if made != page:
            stale.append(name)
            if not asked.check:
                (ROOT / name).write_text(made, encoding="utf-8")
    if stale and asked.check:
        sys.stderr.write(f"out of date: {', '.join(stale)}. Run `make figures`.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
