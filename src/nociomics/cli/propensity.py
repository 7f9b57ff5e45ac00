"""Who got which treatment, and whose outcome was observed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import BlocksJson, Catalogue, Features, Splits, TargetJson, TargetRows, section

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Model who got which treatment."""


@app.command()
def estimate(
    target_rows: TargetRows,
    features: Features,
    catalogue: Catalogue,
    splits: Splits,
    target: TargetJson,
    blocks: BlocksJson,
    propensities: Annotated[Path, typer.Option(help="response/propensities.parquet, to write")],
    observation: Annotated[Path, typer.Option(help="response/observation.parquet, to write")],
    model: Annotated[Path, typer.Option(help="response/propensity.json, to write")],
) -> None:
    """Estimate the probability of each treatment, and of an observed outcome, out of fold, and a final model.

    Without people who were not randomised there is nothing to estimate: the tables are empty, and the file says so.
    """
    import numpy as np
    import polars as pl

    from nociomics.models.propensity import (
        cross_fitted_observation,
        cross_fitted_propensities,
        fit_propensity,
        is_observational,
    )
    from nociomics.models.settings import BlockSettings
    from nociomics.models.value_model import Training
    from nociomics.tables.files import read_table, write_json, write_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
    from nociomics.tables.results import OBSERVATION, PROPENSITIES, SPLITS
    from nociomics.tables.study import Target

    rows, people = read_table(target_rows, TARGET_ROWS), read_table(features, FEATURES)
    known, folds = read_table(catalogue, FEATURE_CATALOGUE), read_table(splits, SPLITS)
    settings, aim = section(blocks, BlockSettings), section(target, Target)
    study = Training(people, known, rows, np.zeros(rows.height, dtype=int))
    outcome = "label" if aim.kind in ("binary", "multiclass") else "response_value"
    write_table(cross_fitted_propensities(study, folds, settings), PROPENSITIES, propensities)
    write_table(cross_fitted_observation(study, folds, settings, outcome), OBSERVATION, observation)
    stored = {"kind": "none"}
    if is_observational(rows):
        first = folds.filter(pl.col("repeat") == pl.col("repeat").min())
        inner = rows.select("patient_id").join(first, on="patient_id", how="left", maintain_order="left")
        whole = Training(people, known, rows, inner["inner_fold"].to_numpy())
        stored = fit_propensity(whole, settings).to_dict()
    write_json(stored, model)
