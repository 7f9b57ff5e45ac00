"""Stage pharmacogenes, and the command `pgx` that does the same for genotypes alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nociomics.errors import NociomicsError, StudyError

if TYPE_CHECKING:
    import polars as pl

    from nociomics.pharmacogenomics.assessment import Assessment
    from nociomics.tables.finding import Finding

_NOT_CALLED = ("no_call", "refused")

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
    treatment_history: Annotated[
        Path | None, typer.Option(help="ingested/treatment_history.parquet, for inhibitors")
    ] = None,
    treatments: Annotated[Path | None, typer.Option(help="ingested/treatments.parquet, for the day to look at")] = None,
    indication: Annotated[str | None, typer.Option(help="such as neuropathic_pain")] = None,
) -> None:
    """Call every pharmacogene of everyone and look up the advice for every pain drug."""
    from nociomics.pharmacogenomics.assessment import assess
    from nociomics.preparation import call_pharmacogenes_by_parts
    from nociomics.tables import ingested
    from nociomics.tables.files import read_table, written_whole
    from nociomics.tables.results import PGX_CALLS, PGX_RECOMMENDATIONS
    from nociomics.tables.row_groups import RowGroups

    given = {
        "patients": (patients, ingested.PATIENTS),
        "pharmacogene_genotypes": (genotypes, ingested.PHARMACOGENE_GENOTYPES),
        "diplotypes": (diplotypes, ingested.DIPLOTYPES),
        "treatment_history": (treatment_history, ingested.TREATMENT_HISTORY),
        "treatments": (treatments, ingested.TREATMENTS),
    }
    tables = {name: read_table(path, contract) for name, (path, contract) in given.items() if path is not None}
    parts = call_pharmacogenes_by_parts(tables)
    if parts is None:
        raise StudyError("Neither genotypes nor diplotypes were given: no pharmacogene can be called.")
    with contextlib.ExitStack() as open_files:
        written = [
            open_files.enter_context(RowGroups(open_files.enter_context(written_whole(path)), contract))
            for path, contract in ((calls, PGX_CALLS), (recommendations, PGX_RECOMMENDATIONS))
        ]
        for part in parts:
            assessed = assess(part, indication=indication)
            written[0].add(assessed.calls)
            written[1].add(assessed.recommendations)


def pgx(
    genotypes: Annotated[
        Path | None,
        typer.Argument(help="VCF, VCF.gz, gVCF or BCF, PLINK 1 (.bed) or PLINK 2 (.pgen); told by content"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="folder for calls and recommendations, each as .csv and .parquet"
        ),
    ] = None,
    diplotypes: Annotated[
        Path | None,
        typer.Option(
            help="table of star alleles and HLA types called elsewhere (CSV, TSV, Excel or Parquet): "
            "patient_id, gene, diplotype, or one column <gene>_diplotype per gene"
        ),
    ] = None,
    medications: Annotated[
        Path | None,
        typer.Option(help="table of what people take: patient_id, drug, and start, end and route where known"),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="day on which a medication must be taken; without it, those without an end"
        ),
    ] = None,
    indication: Annotated[str | None, typer.Option(help="such as neuropathic_pain")] = None,
    drugs: Annotated[str | None, typer.Option(help="comma-separated; all pain drugs when left out")] = None,
    genes: Annotated[
        str | None,
        typer.Option(help="comma-separated genes or rsIDs (CYP2D6,rs1799971); their calls and drugs alone are written"),
    ] = None,
    build: Annotated[str, typer.Option(help="genome build: auto, GRCh37 or GRCh38")] = "auto",
    absent_is_reference: Annotated[
        bool, typer.Option("--absent-is-reference", help="take positions that the file lacks as reference (recorded)")
    ] = False,
    cards: Annotated[bool, typer.Option("--cards", help="also write a page per person into DIR/cards")] = False,
    tables: Annotated[
        bool, typer.Option("--tables", help="print every table of facts with its version and sources, and stop")
    ] = False,
) -> None:
    """Call pharmacogenes and look up drug advice, from genotypes, outside calls, or both.

    Every diplotype that fits is kept. A medication list shows what inhibitors of CYP2D6 change, beside the genetic
    result. Research use; not for treating a patient without a clinician.

    Example: nociomics pgx cohort.vcf.gz --diplotypes cyp2d6.tsv --drugs codeine,tramadol -o pgx
    """
    if tables:
        _print_tables()
        return
    wanted_drugs, wanted_genes = _named(drugs), _named(genes)
    _require_sound_request(genotypes, diplotypes, output, indication, wanted_drugs, wanted_genes, build)
    assert output is not None
    people, calls, listed = _called(genotypes, diplotypes, medications, as_of, build, absent_is_reference)
    from nociomics.pharmacogenomics.assessment import assess, requested_genes

    chosen = None if wanted_genes is None else requested_genes(wanted_genes)
    assessed = assess(calls, indication=indication, drugs=wanted_drugs, genes=chosen)
    _write_all(assessed, output)
    if cards:
        from nociomics.report.pgx_card import write_pgx_cards

        write_pgx_cards(assessed.calls, assessed.recommendations, output / "cards")
    typer.echo(_summary(people, assessed.calls))
    if listed is not None:
        typer.echo(listed)
    typer.echo(f"calls and recommendations are in {output}.")


def _named(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _require_sound_request(
    genotypes: Path | None,
    diplotypes: Path | None,
    output: Path | None,
    indication: str | None,
    drugs: Sequence[str] | None,
    genes: Sequence[str] | None,
    build: str,
) -> None:
    """Raise everything that is wrong with a request at once, before any file is read."""
    from nociomics.ingest.single_files import known_build
    from nociomics.pharmacogenomics.assessment import requested_genes
    from nociomics.pharmacogenomics.recommendation import check_request

    problems = []
    if genotypes is None and diplotypes is None:
        problems.append("Give a genotype file, --diplotypes, or both.")
    if output is None:
        problems.append("Give --output, the folder to write to.")
    problems += [f"--{name} names nothing." for name, named in (("drugs", drugs), ("genes", genes)) if named == []]
    checks: list[Callable[[], object]] = [
        lambda: check_request(indication, None if drugs is None else list(drugs)),
        lambda: requested_genes(genes or ()),
        lambda: known_build(build),
    ]
    for check in checks:
        try:
            check()
        except NociomicsError as error:
            problems.append(str(error))
    if problems:
        raise StudyError("\n".join(problems))


def _called(
    genotypes: Path | None,
    diplotypes: Path | None,
    medications: Path | None,
    as_of: datetime | None,
    build: str,
    absent_is_reference: bool,
) -> tuple[int, pl.DataFrame, str | None]:
    """Read the files and call: number of people, calls, and how the medication list was understood."""
    import polars as pl

    from nociomics.ingest.medications import read_medications
    from nociomics.ingest.single_files import known_build, read_pharmacogenes
    from nociomics.ingest.study_tables import require_sound
    from nociomics.pharmacogenomics.assessment import call_with_medications

    positions, outside, people, findings = read_pharmacogenes(genotypes, diplotypes, known_build(build))
    listed = None
    if medications is not None:
        listed, further = read_medications(medications, people or None)
        findings = [*findings, *further]
    require_sound(findings)
    _tell(findings)
    day = None if as_of is None else pl.DataFrame({"patient_id": people, "started_at": [as_of.date()] * len(people)})
    calls = call_with_medications(positions, outside, people, listed, day, absent_is_reference=absent_is_reference)
    return len(people), calls, None if listed is None else _medications_told(listed, day)


def _tell(findings: Sequence[Finding]) -> None:
    for finding in findings:
        typer.echo(f"{finding.severity}: {finding.message}", err=True)


def _medications_told(listed: pl.DataFrame, day: pl.DataFrame | None) -> str:
    from nociomics.pharmacogenomics.phenoconversion import count_medications, current_medications

    counts = count_medications(current_medications(listed, day))
    return (
        f"medication rows: {counts.rows}; of an inhibitor that is taken: {counts.inhibitors}, of one whose dates or "
        f"words leave it open: {counts.unclear}; of drugs that no pharmacogene table has, which change nothing: "
        f"{counts.unknown} ({counts.unknown_names} different)."
    )


def _write_all(assessed: Assessment, output: Path) -> None:
    """Write both tables as Parquet and CSV; nothing is renamed into place before all four are whole."""
    from nociomics.tables.files import store_parquet, written_whole
    from nociomics.tables.results import PGX_CALLS, PGX_RECOMMENDATIONS

    with contextlib.ExitStack() as drafts:
        for name, frame, contract in (
            ("calls", assessed.calls, PGX_CALLS),
            ("recommendations", assessed.recommendations, PGX_RECOMMENDATIONS),
        ):
            contract.check(frame, name)
            store_parquet(frame, drafts.enter_context(written_whole(output / f"{name}.parquet")))
            frame.write_csv(drafts.enter_context(written_whole(output / f"{name}.csv")))


def _summary(people: int, calls: pl.DataFrame) -> str:
    states = dict(calls["call_state"].value_counts().iter_rows())
    failed = sum(states.get(state, 0) for state in _NOT_CALLED)
    return (
        f"people: {people}; genes of theirs: {calls.height}, of which called: {states.get('called', 0)}, "
        f"tested and cannot be called: {failed}, not tested: {states.get('not_tested', 0)}."
    )


def _print_tables() -> None:
    from nociomics.knowledge.pharmacogene import TABLE_VERSION, table_versions

    typer.echo(TABLE_VERSION)
    for table, rows, version, source in table_versions().iter_rows():
        typer.echo(f"{table}\t{rows} rows\t{version or 'no version'}\t{source}")
