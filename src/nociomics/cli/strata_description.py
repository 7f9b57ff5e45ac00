"""The commands that describe strata which were found: beside sites, outcomes and the rules for kinds of pain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nociomics.cli.options import (
    BlocksJson,
    Catalogue,
    Features,
    Output,
    Seed,
    SettingsJson,
    StudyJson,
    TargetRows,
    section,
    study_section,
)

if TYPE_CHECKING:
    import polars as pl

    from nociomics.tables.study import Study

Assignments = Annotated[Path, typer.Option("--assignments", help="strata/assignments.parquet")]


def describe(
    study: StudyJson,
    ingested: Annotated[Path, typer.Option(help="folder of the ingested tables")],
    features: Features,
    catalogue: Catalogue,
    target_rows: TargetRows,
    assignments: Assignments,
    scores: Annotated[Path, typer.Option(help="strata/factor_scores.parquet")],
    summary: Annotated[Path, typer.Option(help="strata/summary.json")],
    settings: SettingsJson,
    blocks: BlocksJson,
    seed: Seed,
    output: Output,
) -> None:
    """Describe strata: sites and batches that they go with, markers, names, treatments, a scorecard."""
    import polars as pl

    from nociomics.evaluate.strata_description import FoundStrata, describe_strata
    from nociomics.models.settings import BlockSettings, StrataSettings
    from nociomics.tables.files import read_json, read_table, write_json, write_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
    from nociomics.tables.results import (
        ASSIGNMENTS,
        FACTOR_SCORES,
        STRATA_ASSOCIATIONS,
        STRATA_CONCENTRATIONS,
        STRATA_MARKERS,
    )

    wanted = study_section(study)
    people = read_table(features, FEATURES)
    learned_from = pl.col("patient_id").is_in(people["patient_id"].implode())
    found = FoundStrata(
        read_table(assignments, ASSIGNMENTS).filter(learned_from),
        read_table(scores, FACTOR_SCORES).filter(learned_from),
        int(read_json(summary)["k"]),
    )
    described = describe_strata(
        _tables(ingested, wanted),
        people,
        read_table(catalogue, FEATURE_CATALOGUE),
        read_table(target_rows, TARGET_ROWS),
        wanted,
        found,
        section(settings, StrataSettings),
        section(blocks, BlockSettings),
        seed,
    )
    write_table(described.associations, STRATA_ASSOCIATIONS, output / "associations.parquet")
    write_table(described.concentrations, STRATA_CONCENTRATIONS, output / "concentrations.parquet")
    write_table(described.markers, STRATA_MARKERS, output / "markers.parquet")
    write_json(described.report, output / "report.json")
    write_json(described.scorecard, output / "scorecard.json")


def mechanisms(features: Features, assignments: Assignments, output: Output) -> None:
    """Judge every person by published rules for kinds of pain, and cross them with the strata."""
    from nociomics.evaluate.strata_mechanisms import mechanism_by_stratum
    from nociomics.harmonise.pain_mechanisms import pain_mechanisms
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.harmonised import FEATURES
    from nociomics.tables.results import ASSIGNMENTS, MECHANISM_BY_STRATUM, PAIN_MECHANISMS

    judged = pain_mechanisms(read_table(features, FEATURES))
    crossed = mechanism_by_stratum(judged, read_table(assignments, ASSIGNMENTS))
    write_table(judged, PAIN_MECHANISMS, output / "pain_mechanisms.parquet")
    write_table(crossed, MECHANISM_BY_STRATUM, output / "mechanism_by_stratum.parquet")


def _tables(folder: Path, study: Study) -> dict[str, pl.DataFrame]:
    """Read the tables of this study that say who belongs to which site, plate or batch."""
    from nociomics.tables import ingested
    from nociomics.tables.files import read_table

    telling = {"patients": "patients", "biomarkers": "biomarkers", "expression": "expression_samples"}
    names = [table for key, table in telling.items() if getattr(study.tables, key)]
    return {name: read_table(folder / f"{name}.parquet", getattr(ingested, name.upper())) for name in names}
