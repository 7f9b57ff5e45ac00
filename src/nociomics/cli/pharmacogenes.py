"""Stage pharmacogenes, and the command `pgx` that does the same for genotypes alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.errors import StudyError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Call pharmacogenes of ingested tables."""


@app.command()
def call(
    patients: Annotated[Path, typer.Option(help="ingested/patients.parquet")],
    calls: Annotated[Path, typer.Option(help="calls to write")],
    recommendations: Annotated[Path, typer.Option(help="advice to write")],
    genotypes: Annotated[Path | None, typer.Option(help="ingested/pharmacogene_genotypes.parquet")] = None,
    diplotypes: Annotated[Path | None, typer.Option(help="ingested/diplotypes.parquet")] = None,
) -> None:
    """Call every pharmacogene of everyone and look up the advice for every pain drug."""
    from nociomics.pharmacogenomics.recommendation import recommend_drugs
    from nociomics.preparation import call_study_pharmacogenes
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.ingested import DIPLOTYPES, PATIENTS, PHARMACOGENE_GENOTYPES
    from nociomics.tables.results import PGX_CALLS, PGX_RECOMMENDATIONS

    tables = {"patients": read_table(patients, PATIENTS)}
    if genotypes is not None:
        tables["pharmacogene_genotypes"] = read_table(genotypes, PHARMACOGENE_GENOTYPES)
    if diplotypes is not None:
        tables["diplotypes"] = read_table(diplotypes, DIPLOTYPES)
    found = call_study_pharmacogenes(tables)
    if found is None:
        raise StudyError("Neither genotypes nor diplotypes were given: no pharmacogene can be called.")
    write_table(found, PGX_CALLS, calls)
    write_table(recommend_drugs(found), PGX_RECOMMENDATIONS, recommendations)


def pgx(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="folder for calls.csv and recommendations.csv")
    ],
    genotypes: Annotated[Path | None, typer.Argument(help="VCF or VCF.gz")] = None,
    diplotypes: Annotated[Path | None, typer.Option(help="table of star alleles called elsewhere")] = None,
    indication: Annotated[str | None, typer.Option(help="such as neuropathic_pain")] = None,
    drugs: Annotated[str | None, typer.Option(help="comma-separated; all pain drugs when left out")] = None,
    absent_is_reference: Annotated[
        bool, typer.Option("--absent-is-reference", help="take positions that the file lacks as reference (recorded)")
    ] = False,
) -> None:
    """Call pharmacogenes and look up drug advice, from genotypes, outside calls, or both.

    Example: nociomics pgx cohort.vcf.gz --diplotypes cyp2d6.tsv --drugs codeine,tramadol -o pgx
    """
    from nociomics.ingest.single_files import read_pharmacogenes
    from nociomics.ingest.study_tables import require_sound
    from nociomics.pharmacogenomics.calling import call_pharmacogenes
    from nociomics.pharmacogenomics.recommendation import recommend_drugs
    from nociomics.tables.files import write_table, written_whole
    from nociomics.tables.results import PGX_CALLS, PGX_RECOMMENDATIONS

    if genotypes is None and diplotypes is None:
        raise StudyError("Give a genotype file, --diplotypes, or both.")
    positions, outside, people, findings = read_pharmacogenes(genotypes, diplotypes)
    require_sound(findings)
    found = call_pharmacogenes(positions, outside, people, absent_is_reference=absent_is_reference)
    advice = recommend_drugs(found, indication=indication, drugs=drugs.split(",") if drugs else None)
    for frame, contract, name in ((found, PGX_CALLS, "calls"), (advice, PGX_RECOMMENDATIONS, "recommendations")):
        write_table(frame, contract, output / f"{name}.parquet")
        with written_whole(output / f"{name}.csv") as draft:
            frame.write_csv(draft)
    typer.echo(f"{len(people)} people: calls and recommendations are in {output}.")
