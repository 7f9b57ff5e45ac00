"""Stage checklist: what a publication of the model must tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import Output, StudyJson, whole_study

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Fill reporting checklists from a run."""


@app.command()
def tripod(study: StudyJson, results: Annotated[Path, typer.Option(help="results/<study>")], output: Output) -> None:
    """Fill the TRIPOD+AI checklist from a run: what the run knows, and what is left for the authors."""
    from nociomics import __version__
    from nociomics.config import code_commit
    from nociomics.errors import StudyError
    from nociomics.report.tripod import TripodData, tripod_page
    from nociomics.tables.files import read_json, read_table, write_text
    from nociomics.tables.finding import FINDINGS
    from nociomics.tables.harmonised import COHORT_FLOW, FEATURE_CATALOGUE, TARGET_ROWS
    from nociomics.tables.results import ARMS, SPLITS

    config = whole_study(study)
    if config.target is None:
        raise StudyError(
            "target is missing: the checklist is about a prediction model, and this study predicts nothing."
        )
    harmonised, evaluation = results / "harmonised", results / "evaluation"
    data = TripodData(
        study=config,
        flow=read_table(harmonised / "cohort_flow.parquet", COHORT_FLOW),
        catalogue=read_table(harmonised / "feature_catalogue.parquet", FEATURE_CATALOGUE),
        findings=read_table(results / "quality" / "findings.parquet", FINDINGS),
        arms=read_table(evaluation / "arms.parquet", ARMS),
        splits=read_table(results / "response" / "splits.parquet", SPLITS),
        target_rows=read_table(harmonised / "target.parquet", TARGET_ROWS),
        metrics=read_json(evaluation / "metrics.json"),
        gate=read_json(evaluation / "gate.json"),
        curves=read_json(evaluation / "curves.json"),
        learners=read_json(results / "response" / "model" / "model.json").get("learners", []),
        provenance={"nociomics": __version__, "commit": code_commit()},
    )
    write_text(tripod_page(data), output)
