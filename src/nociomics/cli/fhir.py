"""Take FHIR R4 messages in as tables, and give results out as FHIR R4."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _both_ways() -> None:
    """Read Patient, Observation, QuestionnaireResponse and medications; write predictions as RiskAssessment."""


@app.command(name="import")
def import_(
    messages: Annotated[list[Path], typer.Argument(metavar="BUNDLE.json...", help="Bundles, resources or NDJSON; R4")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="for tables and study.yaml")],
    on: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="day of the ages; default: of the Bundle")
    ] = None,
    identifier_system: Annotated[
        str | None, typer.Option(help="patient_id from the identifier of this system; default: Patient.id")
    ] = None,
    form: Annotated[
        list[str] | None, typer.Option(metavar="URL=INSTRUMENT", help="a questionnaire under its own URL; repeatable")
    ] = None,
    arms: Annotated[str | None, typer.Option(help="drugs that are the treatments: duloxetine,pregabalin")] = None,
    format: Annotated[Literal["csv", "parquet"], typer.Option(help="of the tables")] = "csv",
) -> None:
    """Turn messages into a study's tables; every code, unit and type that is not known is listed, none is guessed.

    Example: nociomics fhir import bundle.json -o new
    """
    from nociomics.fhir.content import read_files
    from nociomics.fhir.files import LISTING_FILE, write_folder
    from nociomics.fhir.incoming import tables_of
    from nociomics.fhir.listing import Listing

    listing = Listing()
    resources = read_files(messages, listing)
    found = tables_of(
        resources,
        listing,
        on=_day(on),
        identifier_system=identifier_system,
        forms=_pairs(form or []),
        arms=[] if arms is None else arms.split(","),
    )
    write_folder(found, output, output.resolve().name, format)
    sizes = ", ".join(f"{name} {frame.height}" for name, frame in found.tables.items())
    typer.echo(f"{len(resources.all)} resources; rows: {sizes}; see {output / 'study.yaml'}.")
    _tell(found.listing, output / LISTING_FILE)


@app.command()
def export(
    results: Annotated[Path, typer.Argument(help="results/<study> of a run, or the folder that predict wrote to")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="BUNDLE.json", help="Bundle to write")],
    patient: Annotated[list[str] | None, typer.Option(metavar="ID", help="only this patient; repeatable")] = None,
    model: Annotated[Path | None, typer.Option(help="the exported model; default: RESULTS/export/model")] = None,
    validate: Annotated[bool, typer.Option(help="check with fhir.resources (extra fhir)")] = True,
) -> None:
    """Write predictions, comparisons, strata, scores and pharmacogenes as one Bundle, with the gate's words.

    Example: nociomics fhir export results/demo -o p1.json --patient P0001
    """
    from nociomics.fhir.outgoing import to_json
    from nociomics.fhir.result_files import bundle_of_folder
    from nociomics.fhir.validation import require_valid
    from nociomics.tables.files import write_text

    made = bundle_of_folder(results, model, patient)
    if validate:
        require_valid(made)
    write_text(to_json(made), output)
    typer.echo(f"{len(made.get('entry', []))} resources; see {output}.")


def _tell(listing: pl.DataFrame, path: Path) -> None:
    """Name the first things that were not taken, on the error stream."""
    shown = 10
    for resource, element, system, code, problem, count in listing.head(shown).iter_rows():
        what = " ".join(part for part in (element, system, code) if part)
        typer.echo(f"{count} x {resource}{' ' if what else ''}{what}: {problem}", err=True)
    if listing.height > shown:
        typer.echo(f"... and {listing.height - shown} further reasons in {path}.", err=True)


def _day(word: str | None) -> date | None:
    from datetime import date

    from nociomics.fhir.content import FhirError

    try:
        return None if word is None else date.fromisoformat(word)
    except ValueError:
        raise FhirError(f'--on "{word}" is no day; write it as 2026-11-21.') from None


def _pairs(words: list[str]) -> dict[str, str]:
    from nociomics.fhir.content import FhirError

    pairs = [word.rpartition("=") for word in words]
    if any(not url or not name for url, _, name in pairs):
        raise FhirError("--form wants URL=INSTRUMENT, such as https://example.org/Questionnaire/7=pcs.")
    return {url: name for url, _, name in pairs}
