"""Stage report: the pages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nociomics.cli.options import Catalogue, Gathered, Output, StudyJson, whole_study

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from nociomics.report.charts_figures import Figure

_INVENTED = {
    "A poor metaboliser": "*4/*4",
    "A normal metaboliser": "*1/*1",
    "An ultrarapid metaboliser": "*1x2/*2",
}

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Write the pages."""


@app.command()
def quality(
    study: Annotated[str, typer.Option(help="name of the study")],
    findings: Annotated[list[Path], typer.Option(help="findings of one stage; may be given several times")],
    flow: Annotated[Path, typer.Option(help="harmonised/cohort_flow.parquet")],
    catalogue: Catalogue,
    table: Annotated[Path, typer.Option(help="quality/findings.parquet to write")],
    page: Annotated[Path, typer.Option(help="quality/report.html to write")],
    figures: Annotated[Path | None, typer.Option(help="folder of the measured figures")] = None,
    readings: Annotated[Path | None, typer.Option(help="ingested/readings.parquet")] = None,
    safety: Annotated[Path | None, typer.Option(help="harmonised/safety_items.parquet; counted, never shown")] = None,
) -> None:
    """Gather the findings of all stages into one table and one page."""
    from nociomics.report.pages import quality_report
    from nociomics.report.quality import QualityFigures, gathered_findings
    from nociomics.tables.files import read_table, write_table, write_text
    from nociomics.tables.finding import FINDINGS
    from nociomics.tables.harmonised import COHORT_FLOW, FEATURE_CATALOGUE, SAFETY_ITEMS
    from nociomics.tables.ingested import READINGS

    gathered = gathered_findings([read_table(path, FINDINGS) for path in findings])
    write_table(gathered, FINDINGS, table)
    measured = {} if figures is None else _figures(figures)
    if readings is not None:
        measured["readings"] = read_table(readings, READINGS)
    if safety is not None:
        measured["safety"] = read_table(safety, SAFETY_ITEMS)
    told = (read_table(flow, COHORT_FLOW), read_table(catalogue, FEATURE_CATALOGUE))
    write_text(quality_report(gathered, *told, study, QualityFigures(**measured)), page)


def _figures(folder: Path) -> dict[str, pl.DataFrame]:
    """Read what was measured; the names of the files are those of the contracts."""
    from dataclasses import fields

    from nociomics.report.quality import QualityFigures
    from nociomics.tables import data_quality
    from nociomics.tables.files import read_table

    names = [field.name for field in fields(QualityFigures) if field.name not in ("readings", "safety")]
    return {name: read_table(folder / f"{name}.parquet", getattr(data_quality, name.upper())) for name in names}


@app.command()
def cohort(
    study: StudyJson,
    results: Annotated[Path, typer.Option(help="results/<study>")],
    output: Output,
    figures: Annotated[
        Path | None, typer.Option(help="folder of the page's figures as SVG with their tables; replaced as a whole")
    ] = None,
) -> None:
    """Write the cohort report: one page that needs no network, and its figures as files."""
    from nociomics import __version__
    from nociomics.cli.strata_data import optional_table, pain_types
    from nociomics.report.charts_figures import cohort_figures
    from nociomics.report.cohort import CohortReportData, cohort_report
    from nociomics.tables.files import read_json, read_table, write_text
    from nociomics.tables.finding import FINDINGS
    from nociomics.tables.harmonised import COHORT_FLOW, FEATURE_CATALOGUE
    from nociomics.tables.results import ASSIGNMENTS, STRATA_ASSOCIATIONS

    config = whole_study(study)
    predicted = _predicted(results) if config.target is not None else {}
    data = CohortReportData(
        study=config.study,
        version=__version__,
        created=os.environ.get("SOURCE_DATE_EPOCH", ""),
        target=config.target,
        flow=read_table(results / "harmonised" / "cohort_flow.parquet", COHORT_FLOW),
        findings=read_table(results / "quality" / "findings.parquet", FINDINGS),
        catalogue=read_table(results / "harmonised" / "feature_catalogue.parquet", FEATURE_CATALOGUE),
        strata_summary=read_json(results / "strata" / "summary.json"),
        assignments=read_table(results / "strata" / "assignments.parquet", ASSIGNMENTS),
        strata_associations=optional_table(results / "strata" / "associations.parquet", STRATA_ASSOCIATIONS),
        pain_types=pain_types(results),
        provenance=_provenance(config, results),
        **predicted,
    )
    drawings = cohort_figures(data)
    write_text(cohort_report(data, drawings), output)
    if figures is not None:
        _write_figures(drawings, figures)


def _write_figures(drawings: list[Figure], folder: Path) -> None:
    """Write each figure and its table below a folder per category; the folder is there whole or not at all."""
    from nociomics.report.downloads import table_text
    from nociomics.tables.files import write_text

    def fill(draft: Path) -> None:
        for drawing in drawings:
            write_text(drawing.file, draft / drawing.category / f"{drawing.name}.svg")
            write_text(table_text(drawing.table), draft / drawing.category / f"{drawing.name}.csv")

    _replace_folder(folder, fill)


def _replace_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder beside its place, then put it there."""
    import shutil
    import tempfile

    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        fill(draft)
        draft.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@app.command()
def strata(study: StudyJson, results: Annotated[Path, typer.Option(help="results/<study>")], output: Output) -> None:
    """Write the strata page: whether there are strata, what marks them, what they may be confused with."""
    from nociomics import __version__
    from nociomics.cli.strata_data import strata_page_data
    from nociomics.report.strata_page import strata_page
    from nociomics.tables.files import write_text

    created = os.environ.get("SOURCE_DATE_EPOCH", "")
    data = strata_page_data(whole_study(study).study, results, version=__version__, created=created)
    write_text(strata_page(data), output)


def _predicted(results: Path) -> dict[str, Any]:
    from nociomics.cli.strata_data import optional_table
    from nociomics.tables import results as contracts
    from nociomics.tables.files import read_json, read_table

    explanations = {
        "importance": contracts.IMPORTANCE,
        "stability": contracts.EXPLANATION_STABILITY,
        "dependence": contracts.DEPENDENCE,
    }
    return {
        "arms": read_table(results / "evaluation" / "arms.parquet", contracts.ARMS),
        "metrics": read_json(results / "evaluation" / "metrics.json"),
        "gate": read_json(results / "evaluation" / "gate.json"),
        "curves": read_json(results / "evaluation" / "curves.json"),
        "effects": read_table(results / "response" / "effects.parquet", contracts.EFFECTS),
        "predictions": read_table(results / "response" / "predictions.parquet", contracts.PREDICTIONS),
        **{
            name: optional_table(results / "explanations" / f"{name}.parquet", contract)
            for name, contract in explanations.items()
        },
    }


def _provenance(config: Any, results: Path) -> dict[str, str]:
    import hashlib
    from importlib.metadata import version

    from nociomics.config import code_commit, code_digest, config_digest

    libraries = ("polars", "scikit-learn", "xgboost-cpu", "altair", "vl-convert-python", "snakemake", "mlflow")
    features = hashlib.sha256((results / "harmonised" / "features.parquet").read_bytes()).hexdigest()
    return {
        "nociomics": version("nociomics"),
        "commit": code_commit(),
        "code (digest)": code_digest("."),
        "knowledge (digest)": code_digest("knowledge"),
        "configuration (SHA-256)": config_digest(config),
        "harmonised data (SHA-256)": features,
        "seed": str(config.seed),
        "libraries": ", ".join(f"{name} {version(name)}" for name in libraries),
        **({"data": config.source} if config.source else {}),
    }


@app.command()
def profiles(
    study: Annotated[str, typer.Option("--study", help="the study's YAML file, or its keys as JSON")],
    results: Annotated[Path, typer.Option(help="results/<study>")],
    output: Output,
    ids: Annotated[str, typer.Option(help="people who get a page, as P001,P002; other pages are left alone")] = "",
    people: Annotated[int | None, typer.Option(min=0, help="so many people, in the order of the ids")] = None,
    part: Annotated[str, typer.Option(help="which part of those people, as 2-of-7")] = "1-of-1",
    gather: Gathered = None,
) -> None:
    """Write one page per patient into a folder.

    Everyone gets one in a study of up to 2000 people; of more, those whom --ids, --people or the study's own settings
    name. Without --ids the folder is replaced as a whole.

    Example: nociomics report profiles --study study.yaml --results results/demo --output pages --ids P0001,P0002
    """
    from nociomics.cli.profile_data import profile_pages
    from nociomics.cli.profile_folder import add_pages, pages_of, replace_pages
    from nociomics.config import load_config
    from nociomics.tables.part import Part

    config = load_config(Path(study)) if study.endswith((".yaml", ".yml")) else whole_study(study)
    if people is not None:
        config = config.model_copy(
            update={"profiles": config.profiles.model_copy(update={"people": people, "ids": []})}
        )
    asked = [name.strip() for name in ids.split(",") if name.strip()]
    pages = pages_of(gather) if gather else profile_pages(config, results, asked, Part.read(part))
    (add_pages if asked else replace_pages)(pages, output)


@app.command()
def pgx_cards(
    calls: Annotated[Path, typer.Option(help="pgx/calls.parquet")],
    recommendations: Annotated[Path, typer.Option(help="pgx/recommendations.parquet")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of cards; replaced as a whole")],
    study: Annotated[str, typer.Option(help="name of the study, shown on each card")] = "",
    people: Annotated[int | None, typer.Option(min=0, help="so many people, in the order of the calls")] = None,
) -> None:
    """Write one pharmacogenomic card per person into a folder.

    Example: nociomics report pgx-cards --calls pgx/calls.parquet --recommendations pgx/recommendations.parquet -o cards
    """
    from nociomics.report.pgx_card import write_pgx_cards
    from nociomics.tables.files import read_table
    from nociomics.tables.results import PGX_CALLS, PGX_RECOMMENDATIONS

    found, advice = read_table(calls, PGX_CALLS), read_table(recommendations, PGX_RECOMMENDATIONS)
    if people is not None:
        shown = found["sample"].unique(maintain_order=True).head(people).implode()
        found, advice = (table.filter(table["sample"].is_in(shown)) for table in (found, advice))
    written = write_pgx_cards(found, advice, output, study)
    typer.echo(f"{written} cards are in {output}.")


@app.command()
def pgx_demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="page to write")],
) -> None:
    """Write a page with one codeine tablet in three invented people, acetaminophen beside it.

    Example: nociomics report pgx-demo -o codeine.html
    """
    import polars as pl

    from nociomics.pharmacogenomics.calling import call_pharmacogenes
    from nociomics.pharmacogenomics.recommendation import recommend_drugs
    from nociomics.report.pgx_card import codeine_side_by_side
    from nociomics.tables.files import write_text

    people = list(_INVENTED)
    outside = pl.DataFrame({"patient_id": people, "gene": "CYP2D6", "diplotype": list(_INVENTED.values())})
    calls = call_pharmacogenes(None, outside, people)
    advice = recommend_drugs(calls, drugs=["codeine", "acetaminophen"])
    write_text(codeine_side_by_side(calls, advice), output)
    typer.echo(f"{output} shows {len(people)} invented people.")
