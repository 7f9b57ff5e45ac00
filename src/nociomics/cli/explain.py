"""Stage explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import Features, Seed

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Explain predictions."""


@app.command()
def predictions(
    bundle: Annotated[Path, typer.Option(help="export/model")],
    features: Features,
    predictions: Annotated[Path, typer.Option(help="response/predictions.parquet")],
    seed: Seed,
    shap: Annotated[Path, typer.Option(help="Shapley values to write")],
    base: Annotated[Path, typer.Option(help="base values to write")],
) -> None:
    """Write interventional Shapley values of the bundle's model in outcome points; they must add up.

    While the gate for individual explanations is closed, nobody's values are written: the table has no rows.
    """
    import logging

    import polars as pl

    from nociomics.explain.shap_values import base_frame, check_additive, explain_people, shap_frame
    from nociomics.export.bundle import load_bundle
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.harmonised import FEATURES
    from nociomics.tables.results import BASE_VALUES, PREDICTIONS, SHAP_VALUES

    loaded = load_bundle(bundle)
    answered = read_table(predictions, PREDICTIONS)
    fine = answered.filter(pl.col("status") == "ok")["patient_id"].unique()
    people = read_table(features, FEATURES).filter(pl.col("patient_id").is_in(fine.to_list()))
    allowed = bool(loaded.gate["individual_explanations"])
    if not allowed:
        people = people.head(1)  # base values describe no one, and come with any explanation
    explanation = explain_people(loaded.model, people, loaded.background, seed)
    values = shap_frame(explanation, people, loaded.model.arms_)
    bases = base_frame(explanation, loaded.model.arms_)
    gap = check_additive(values, bases, answered)
    write_table(values if allowed else values.clear(), SHAP_VALUES, shap)
    write_table(bases, BASE_VALUES, base)
    if allowed:
        logging.getLogger(__name__).info("explained %d people; largest additivity gap %.1e", people.height, gap)
    else:
        logging.getLogger(__name__).info("0 people explained: the gate for individual explanations is closed")
