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
    importance: Annotated[Path | None, typer.Option(help="drivers of the whole cohort's predictions to write")] = None,
    stability: Annotated[Path | None, typer.Option(help="agreement between refits to write")] = None,
) -> None:
    """Write interventional Shapley values of the bundle's model in outcome points; they must add up.

    While the gate for individual explanations is closed, nobody's values are written: the table has no rows. Means
    over the cohort are written either way; they tell what the model leans on, of at least 10 people.
    """
    import logging

    import polars as pl

    from nociomics.explain.cohort import explain_cohort
    from nociomics.export.bundle import load_bundle
    from nociomics.tables.files import read_table, write_table, written_whole
    from nociomics.tables.harmonised import FEATURES
    from nociomics.tables.results import BASE_VALUES, EXPLANATION_STABILITY, IMPORTANCE, PREDICTIONS, SHAP_VALUES
    from nociomics.tables.row_groups import RowGroups

    loaded = load_bundle(bundle)
    answered = read_table(predictions, PREDICTIONS)
    fine = answered.filter(pl.col("status") == "ok")["patient_id"].unique()
    people = read_table(features, FEATURES).filter(pl.col("patient_id").is_in(fine.to_list()))
    allowed = bool(loaded.gate["individual_explanations"])
    with written_whole(shap) as draft, RowGroups(draft, SHAP_VALUES) as rows:
        found = explain_cohort(
            loaded.model,
            people,
            loaded.background,
            seed,
            answered,
            lambda chunk: rows.add(chunk if allowed else chunk.clear()),
        )
    write_table(found.bases, BASE_VALUES, base)
    if importance is not None:
        write_table(found.importance, IMPORTANCE, importance)
    if stability is not None:
        write_table(found.stability, EXPLANATION_STABILITY, stability)
    log = logging.getLogger(__name__)
    log.info("%d people checked; largest additivity gap %.1e", found.people, found.gap)
    if allowed:
        log.info("explained %d people", found.people)
    else:
        log.info("0 people explained: the gate for individual explanations is closed")
