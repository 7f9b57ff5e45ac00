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
    stores: Annotated[Path | None, typer.Option(help="folder of the genotype files converted already")] = None,
) -> None:
    """Read every table of a study into contract tables; name all problems of all tables at once."""
    from nociomics.ingest.study_tables import read_study, require_sound, write_ingested
    from nociomics.tables.files import write_table
    from nociomics.tables.finding import FINDINGS, findings_frame

    wanted = study_section(study).model_copy(update={"data_root": None})
    ingested = read_study(wanted, data, stores=stores)
    require_sound(ingested.findings)
    write_ingested(ingested, output)
    write_table(findings_frame(ingested.findings), FINDINGS, output / "findings.parquet")


@app.command()
def genotypes(
    source: Annotated[str, typer.Option("--source", help="path of one genotype file, as the study writes it")],
    data: Annotated[Path, typer.Option(help="folder that the path is relative to")],
    output: Annotated[Path, typer.Option("--output", help="folder for the store")],
    build: Annotated[str, typer.Option(help="genome build: auto, GRCh37 or GRCh38")] = "auto",
) -> None:
    """Convert one genotype file of a study to its store.

    What is wrong with the file is kept in manifest.json, to be told together with the problems of all other tables. A
    table of dosages is not converted. When NOCIOMICS_CACHE names a folder, a file that was converted before is taken
    from there, whichever study or run it was for.
    """
    import os

    from nociomics.ingest.input_digests import file_digests
    from nociomics.ingest.single_files import convert_source
    from nociomics.ingest.store_cache import cache_key, converted, reading_code

    cache = os.environ.get("NOCIOMICS_CACHE")
    if not cache:
        convert_source(source, data, output, build)
        return
    key = cache_key(file_digests(source, data), build, reading_code())
    converted(key, Path(cache), output, lambda: convert_source(source, data, output, build))


@app.command()
def inputs(
    study: StudyJson,
    data: Annotated[Path, typer.Option(help="folder that the tables' paths are relative to")],
    output: Output,
) -> None:
    """Write the SHA-256 of every file that a study names, by which a run can be reproduced."""
    from nociomics.ingest.input_digests import input_digests
    from nociomics.tables.files import write_json

    write_json({"data": str(data.resolve()), "files": input_digests(study_section(study), data)}, output)
