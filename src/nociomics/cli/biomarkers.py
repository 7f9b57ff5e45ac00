"""Convert one table of biomarkers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_NEEDED = ("patient_id", "analyte", "value", "unit")


def biomarkers(
    table: Annotated[Path, typer.Argument(help="long table: patient_id, analyte, value, unit, ...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="converted table to write (.csv or .parquet)")],
) -> None:
    """Bring analytes to their base units and mark non-detects; row order is kept.

    Example: nociomics biomarkers cytokines.csv -o converted.csv
    """
    from nociomics.cli.instruments import require_columns, write_frame
    from nociomics.harmonise.units import biomarkers_table
    from nociomics.ingest.single_files import read_any_table
    from nociomics.ingest.study_tables import require_sound

    raw, findings = read_any_table(table)
    require_sound(findings)
    assert raw is not None
    require_columns(raw, _NEEDED, table)
    converted, remarks = biomarkers_table(raw)
    for remark in remarks:
        typer.echo(f"{remark.severity}: {remark.message}", err=True)
    write_frame(converted, output)
