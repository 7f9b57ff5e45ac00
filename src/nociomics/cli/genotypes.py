"""Convert one genotype file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def genotypes(
    path: Annotated[Path, typer.Argument(help="VCF or VCF.gz")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="folder for the store")],
) -> None:
    """Convert a VCF to a compact store (dosages, variants, pharmacogene positions) with its manifest.json.

    Example: nociomics genotypes cohort.vcf.gz -o genotypes
    """
    from nociomics.ingest.genotype import read_genotype
    from nociomics.ingest.notes import Notes
    from nociomics.ingest.single_files import count_vcf
    from nociomics.ingest.study_tables import require_sound
    from nociomics.tables.files import write_json, write_table
    from nociomics.tables.ingested import DOSAGES, PHARMACOGENE_GENOTYPES, VARIANTS
    from nociomics.tables.study import TableSource

    notes = Notes("genotype")
    dosages, variants, positions = read_genotype([TableSource(path=path.name)], path.parent, None, notes)
    require_sound(notes.findings)
    builds = positions["build"].unique().to_list()
    write_table(dosages, DOSAGES, output / "dosages.parquet")
    write_table(variants, VARIANTS, output / "variants.parquet")
    write_table(positions, PHARMACOGENE_GENOTYPES, output / "pharmacogene_genotypes.parquet")
    write_json({**count_vcf(path), "reference": builds[0] if len(builds) == 1 else None}, output / "manifest.json")
