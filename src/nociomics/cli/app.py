"""Every command, by stage."""

from __future__ import annotations

from typing import Annotated

import typer

from nociomics import __version__
from nociomics.cli import (
    adverse,
    biomarkers,
    checklist,
    config,
    drift,
    evaluate,
    explain,
    export,
    fhir,
    genotypes,
    harmonise,
    ingest,
    instruments,
    interchange,
    pharmacogenes,
    predict,
    propensity,
    quality,
    report,
    reproduce,
    resampling,
    response,
    run,
    serve,
    simulate,
    strata,
    track,
)

app = typer.Typer(
    name="nociomics",
    help="From a chronic-pain cohort's tables to strata, predictions, explanations and exported models. Research use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nociomics {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Read a study file's tables, predict response to treatment, explain it, export it."""


for command in (
    simulate.simulate,
    run.check,
    run.run,
    reproduce.reproduce,
    instruments.score,
    biomarkers.biomarkers,
    genotypes.genotypes,
    pharmacogenes.pgx,
    predict.predict,
    serve.serve,
    drift.drift,
    config.config,
):
    app.command()(command)


app.add_typer(interchange.app, name="interchange", help="Harmonised cohorts as MuData, AnnData or tidy tables.")
app.add_typer(fhir.app, name="fhir", help="FHIR R4 messages to tables, and results to FHIR R4.")

for name, stage, meaning in (
    ("ingest", ingest.app, "Read and check a study's tables."),
    ("pharmacogenes", pharmacogenes.app, "Call pharmacogenes of ingested tables."),
    ("harmonise", harmonise.app, "Turn contract tables into features."),
    ("quality", quality.app, "Figures on how good the data are."),
    ("strata", strata.app, "Find patient strata."),
    ("response", response.app, "Predict response to treatment."),
    ("propensity", propensity.app, "Model who got which treatment, and whose outcome was seen."),
    ("adverse", adverse.app, "Predict harm of treatment, beside benefit."),
    ("resampling", resampling.app, "Repeat the pipeline to learn what its figures are worth."),
    ("evaluate", evaluate.app, "Measure predictions."),
    ("export", export.app, "Write and use the bundle."),
    ("explain", explain.app, "Explain predictions."),
    ("report", report.app, "Write the pages."),
    ("checklist", checklist.app, "What a publication of the model must tell."),
    ("track", track.app, "Tell MLflow."),
):
    app.add_typer(stage, name=name, help=f"Stage of the workflow: {meaning}")
