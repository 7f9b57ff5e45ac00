"""Stage ingest: foreign files to contract tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import Output, StudyJson, study_section

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Read and check a study's tables."""


@app.command()
def tables(
    study: StudyJson,
    data: Annotated[Path, typer.Option(help="folder that the tables' paths are relative to")],
    output: Output,
) -> None:
    """Read every table of a study into contract tables; name all problems of all tables at once."""
    from nociomics.ingest.study_tables import read_study, require_sound, write_ingested
    from nociomics.tables.files import write_table
    from nociomics.tables.finding import FINDINGS, findings_frame

    wanted = study_section(study).model_copy(update={"data_root": None})
    ingested = read_study(wanted, data)
    require_sound(ingested.findings)
    write_ingested(ingested, output)
    write_table(findings_frame(ingested.findings), FINDINGS, output / "findings.parquet")
