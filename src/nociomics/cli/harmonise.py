"""Stage harmonise: contract tables to features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import Features, Output, Seed, StudyJson, TargetRows, study_section

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Turn contract tables into features."""


@app.command()
def features(
    study: StudyJson,
    ingested: Annotated[Path, typer.Option(help="folder of the ingested tables")],
    output: Output,
    pgx_calls: Annotated[Path | None, typer.Option(help="pgx/calls.parquet")] = None,
    instrument: Annotated[
        list[Path] | None, typer.Option(help="definition of a questionnaire of the study's own")
    ] = None,
    stores: Annotated[Path | None, typer.Option(help="folder of the converted genotypes, for polygenic scores")] = None,
) -> None:
    """Score questionnaires, convert units, and lay every feature out with its catalogue."""
    from nociomics.pharmacogenomics.features import CALL_COLUMNS
    from nociomics.preparation import prepare, read_ingested
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.finding import FINDINGS, findings_frame
    from nociomics.tables.harmonised import COHORT_FLOW, FEATURE_CATALOGUE, FEATURES, SAFETY_ITEMS, TARGET_ROWS
    from nociomics.tables.polygenic import SCORE_COVERAGE, SCORE_MATCHES
    from nociomics.tables.results import PGX_CALLS

    wanted = study_section(study)
    calls = read_table(pgx_calls, PGX_CALLS, CALL_COLUMNS) if pgx_calls is not None else None
    prepared = prepare(read_ingested(ingested, wanted), wanted, calls, stores, instrument or ())
    write_table(prepared.features, FEATURES, output / "features.parquet")
    write_table(prepared.catalogue, FEATURE_CATALOGUE, output / "feature_catalogue.parquet")
    write_table(prepared.target, TARGET_ROWS, output / "target.parquet")
    write_table(prepared.flow, COHORT_FLOW, output / "cohort_flow.parquet")
    if wanted.tables.polygenic_scores:
        write_table(prepared.score_coverage, SCORE_COVERAGE, output / "score_coverage.parquet")
        write_table(prepared.score_matches, SCORE_MATCHES, output / "score_matches.parquet")
    write_table(prepared.safety_items, SAFETY_ITEMS, output / "safety_items.parquet")
    write_table(findings_frame(prepared.findings), FINDINGS, output / "findings.parquet")


@app.command()
def sample(
    features: Features,
    target_rows: TargetRows,
    people: Annotated[int, typer.Option(min=1, help="how many")],
    seed: Seed,
    output: Output,
) -> None:
    """Draw the people whom models learn from, at random."""
    from nociomics.models.training_sample import draw_training_sample
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.harmonised import FEATURES, TARGET_ROWS

    kept, target = draw_training_sample(
        read_table(features, FEATURES), read_table(target_rows, TARGET_ROWS), people, seed
    )
    write_table(kept, FEATURES, output / "features.parquet")
    write_table(target, TARGET_ROWS, output / "target.parquet")
