"""Convert one genotype file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def genotypes(
    path: Annotated[Path, typer.Argument(help="VCF, VCF.gz, BCF, PLINK 1 (.bed) or PLINK 2 (.pgen)")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="folder for the store")],
    build: Annotated[str, typer.Option(help="genome build: auto, GRCh37 or GRCh38")] = "auto",
) -> None:
    """Convert a genotype file to a compact store: samples, variants, calls of two bits, and its manifest.json.

    A file with bases gives pharmacogene_genotypes.parquet too. What a file holds is told by its content.

    Example: nociomics genotypes cohort.vcf.gz -o genotypes
    """
    from nociomics.ingest.single_files import convert_file

    for finding in convert_file(path, output, build):
        typer.echo(f"{finding.severity}: {finding.message}", err=finding.severity == "warning")
