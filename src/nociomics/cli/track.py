"""Stage track."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import Output, StudyJson, whole_study

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Tell MLflow."""


@app.command()
def initialise(results: Annotated[Path, typer.Option(help="folder of all studies' results")], output: Output) -> None:
    """Create the tracking store, before anything logs to it."""
    from nociomics.tables.files import write_json
    from nociomics.tracking.store import initialise_store, tracking_uri

    uri = tracking_uri(results)
    initialise_store(uri)
    write_json({"initialised": True}, output)


@app.command()
def log(
    study: StudyJson,
    results: Annotated[Path, typer.Option(help="results/<study>")],
    store: Annotated[Path, typer.Option(help="tracking_store.json of the initialising rule")],
    output: Output,
) -> None:
    """Log the study's run, one run per stage and fold below it, its data and its model."""
    from nociomics.cli.track_records import study_run
    from nociomics.tables.files import read_json, write_json
    from nociomics.tracking.store import runs_table_link, server_command, tracking_uri
    from nociomics.tracking.study_run import log_study

    read_json(store)
    config = whole_study(study)
    uri = tracking_uri(results.parent)
    tracked = log_study(study_run(config, results), uri)
    link = runs_table_link(uri, tracked.experiment_id)
    told = {"run_id": tracked.run_id, "experiment_id": tracked.experiment_id, "alias": tracked.alias}
    write_json({**told, "model": tracked.model_uri, "link": link, "server": server_command(uri)}, output)


@app.command()
def strata(
    study: StudyJson,
    results: Annotated[Path, typer.Option(help="results/<study>")],
    store: Annotated[Path, typer.Option(help="tracking_store.json of the initialising rule")],
    output: Output,
    parent: Annotated[Path | None, typer.Option(help="tracking.json of the study's run, when it has one")] = None,
) -> None:
    """Log the strata as a run of their own: settings, numbers, figures and tables."""
    from nociomics.cli.track_records import strata_run
    from nociomics.tables.files import read_json, write_json
    from nociomics.tracking.store import runs_table_link, server_command, tracking_uri
    from nociomics.tracking.study_run import log_study

    read_json(store)
    uri = tracking_uri(results.parent)
    above = None if parent is None else read_json(parent)["run_id"]
    tracked = log_study(strata_run(whole_study(study), results, above), uri)
    link = runs_table_link(uri, tracked.experiment_id)
    told = {"run_id": tracked.run_id, "experiment_id": tracked.experiment_id, "parent": above}
    write_json({**told, "link": link, "server": server_command(uri)}, output)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="RUN_A", help="id of a study's run, or its first characters")],
    second: Annotated[str, typer.Argument(metavar="RUN_B", help="the run that it is compared with")],
    results: Annotated[Path, typer.Option(help="folder of all studies' results")] = Path("results"),
    every_figure: Annotated[
        bool, typer.Option("--every-figure", help="tell all figures, not only the main ones")
    ] = False,
) -> None:
    """Say what differs between two runs: settings, data, code, knowledge, and figures with their intervals.

    Example: nociomics track compare 4c1f 9ab2
    """
    from nociomics.tracking.comparison import comparison_text, read_runs
    from nociomics.tracking.store import tracking_uri

    typer.echo(comparison_text(*read_runs(tracking_uri(results), (first, second)), whole=every_figure))
