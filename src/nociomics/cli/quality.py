"""Stage quality: figures about the data; no value is changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nociomics.cli.quality_figures import measure

if TYPE_CHECKING:
    from nociomics.tables.genotype_store import GenotypeStore

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command()(measure)


@app.callback()
def _stage() -> None:
    """Measure how good the data are."""


@app.command()
def genotypes(
    stores: Annotated[Path, typer.Option(help="a store of genotypes, or a folder with one store per file")],
    output: Annotated[Path, typer.Option(help="folder for variants, samples, related, same_people and findings")],
    patients: Annotated[Path | None, typer.Option(help="ingested patients.parquet; all samples when left out")] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="Parquet of patient_id, sample and, if need be, store, for samples with own names"),
    ] = None,
    responses: Annotated[Path | None, typer.Option(help="ingested responses.parquet: also compare answers")] = None,
    mid_p: Annotated[bool, typer.Option("--mid-p", help="mid-p in the Hardy-Weinberg test")] = False,
) -> None:
    """Measure genotypes by variant, by person and by pair of people.

    Example: nociomics quality genotypes --stores genotypes --patients ingested/patients.parquet --output quality
    """
    import polars as pl

    from nociomics.quality.genotype_quality import genotype_quality
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.finding import FINDINGS, Finding, findings_frame
    from nociomics.tables.genotype_quality import RELATED_PAIRS, SAME_PEOPLE, SAMPLE_QUALITY, VARIANT_QUALITY
    from nociomics.tables.ingested import PATIENTS, RESPONSES

    people = None if patients is None else read_table(patients, PATIENTS)
    if people is not None and samples is not None:
        from nociomics.tables.contract import Column, Contract

        own = Contract("samples", (Column("patient_id"), Column("sample")), open=True)
        known = people.select(pl.col("^(patient_id|sex)$"))
        people = read_table(samples, own).join(known, on="patient_id", how="inner")
    answers = None if responses is None else read_table(responses, RESPONSES)
    opened, tables = _stores(stores)
    found = genotype_quality(opened, people, answers, mid_p=mid_p)
    text = f"{tables:,} genotype files are tables of copies without alleles: their quality is not measured."
    others = [Finding("genotype", None, "info", tables, text)] if tables else []
    write_table(found.variants, VARIANT_QUALITY, output / "variants.parquet")
    write_table(found.samples, SAMPLE_QUALITY, output / "samples.parquet")
    write_table(found.related, RELATED_PAIRS, output / "related.parquet")
    write_table(found.same, SAME_PEOPLE, output / "same_people.parquet")
    write_table(findings_frame([*found.findings, *others]), FINDINGS, output / "findings.parquet")


def _stores(folder: Path) -> tuple[list[GenotypeStore], int]:
    """Open every store; count the converted files that are none, since they were tables of dosages."""
    from nociomics.errors import TableError
    from nociomics.tables.genotype_store import GenotypeStore

    manifests = [folder / "manifest.json"] if (folder / "manifest.json").is_file() else []
    manifests = manifests or sorted(folder.glob("*/manifest.json"))
    if not manifests:
        raise TableError(
            f"{folder}: holds no store of genotypes (no manifest.json in it or one folder below). "
            "Make one with: nociomics genotypes FILE -o DIR."
        )
    opened = [GenotypeStore(path.parent) for path in manifests if (path.parent / "calls.bed").is_file()]
    return opened, len(manifests) - len(opened)
