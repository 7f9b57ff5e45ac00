"""The command that measures the data for the data-quality page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nociomics.cli.options import Catalogue, Features, Output, StudyJson, TargetRows, study_section

if TYPE_CHECKING:
    import polars as pl

    from nociomics.tables.study import Study


def measure(
    study: StudyJson,
    ingested: Annotated[Path, typer.Option(help="folder of the ingested tables")],
    features: Features,
    catalogue: Catalogue,
    target_rows: TargetRows,
    output: Output,
    variants: Annotated[Path | None, typer.Option(help="quality/variants.parquet")] = None,
    samples: Annotated[Path | None, typer.Option(help="quality/samples.parquet")] = None,
    related: Annotated[Path | None, typer.Option(help="quality/related.parquet")] = None,
    same_people: Annotated[Path | None, typer.Option(help="quality/same_people.parquet")] = None,
) -> None:
    """Measure distributions, what is missing, batches and duplicates; changes nothing.

    Example: it is called by the workflow, with every option as `nociomics run` shows it in the log.
    """
    from nociomics.quality.figures import CONTRACTS, measure_data
    from nociomics.quality.genotype_counts import GenotypeQuality
    from nociomics.tables import genotype_quality
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS

    wanted = study_section(study)
    contracts = {"variants": "VARIANT_QUALITY", "samples": "SAMPLE_QUALITY", "related": "RELATED_PAIRS"}
    contracts |= {"same_people": "SAME_PEOPLE"}
    given = {"variants": variants, "samples": samples, "related": related, "same_people": same_people}
    genotypes = {
        name: read_table(path, getattr(genotype_quality, contracts[name]))
        for name, path in given.items()
        if path is not None
    }
    figures = measure_data(
        _tables(ingested, wanted),
        read_table(features, FEATURES),
        read_table(catalogue, FEATURE_CATALOGUE),
        read_table(target_rows, TARGET_ROWS),
        wanted,
        GenotypeQuality(**genotypes),
    )
    for name, contract in CONTRACTS.items():
        write_table(getattr(figures, name), contract, output / f"{name}.parquet")


def _tables(folder: Path, study: Study) -> dict[str, pl.DataFrame]:
    """Read the tables that this study names, so that one left over from an earlier study is never described."""
    from nociomics.tables import ingested
    from nociomics.tables.files import read_table

    wanted = {"patients": ["patients"], "genotype": ["variants"], "expression": ["expression", "expression_samples"]}
    wanted |= {"biomarkers": ["biomarkers"], "questionnaires": ["responses"]}
    names = [table for key, tables in wanted.items() if getattr(study.tables, key) for table in tables]
    tables = {name: read_table(folder / f"{name}.parquet", getattr(ingested, name.upper())) for name in names}
    for block in study.tables.blocks:
        tables[f"block_{block.name}"] = read_table(folder / f"block_{block.name}.parquet", ingested.BLOCK)
    return tables
