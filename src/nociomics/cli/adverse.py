"""Harm beside benefit: the adverse event that the study names, out of fold and finally."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import (
    BlocksJson,
    Catalogue,
    Features,
    Seed,
    SettingsJson,
    Splits,
    TargetJson,
    TargetRows,
    section,
)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Predict harm of treatment."""


@app.command()
def fit(
    target_rows: TargetRows,
    features: Features,
    catalogue: Catalogue,
    splits: Splits,
    target: TargetJson,
    blocks: BlocksJson,
    settings: SettingsJson,
    seed: Seed,
    out_of_fold: Annotated[Path, typer.Option(help="response/adverse_out_of_fold.parquet, to write")],
    model: Annotated[Path, typer.Option(help="response/adverse_model, to write")],
) -> None:
    """Predict the adverse event out of fold on the study's folds, and fit its final model.

    An event that too few people had is not modelled: the table is empty, and status.json says why.
    """
    import numpy as np
    import polars as pl

    from nociomics.models.adverse import adverse_out_of_fold, fit_adverse
    from nociomics.models.settings import BlockSettings, ResponseSettings
    from nociomics.models.value_model import Training
    from nociomics.tables.files import read_table, write_json, write_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
    from nociomics.tables.results import OUT_OF_FOLD, SPLITS
    from nociomics.tables.study import Target

    rows, people = read_table(target_rows, TARGET_ROWS), read_table(features, FEATURES)
    folds, known = read_table(splits, SPLITS), read_table(catalogue, FEATURE_CATALOGUE)
    first = folds.filter(pl.col("repeat") == pl.col("repeat").min())
    inner = rows.select("patient_id").join(first, on="patient_id", how="left", maintain_order="left")
    study = Training(people, known, rows, inner["inner_fold"].cast(pl.Int64).to_numpy().astype(np.int64))
    aim, chosen = section(target, Target), section(settings, ResponseSettings)
    width = section(blocks, BlockSettings)
    write_table(adverse_out_of_fold(study, folds, aim, width, chosen, seed), OUT_OF_FOLD, out_of_fold)
    fitted, status = fit_adverse(study, aim, width, chosen, chosen.refits, seed)
    model.mkdir(parents=True, exist_ok=True)
    if fitted is not None:
        write_json(fitted.save(model), model / "model.json")
    write_json(status, model / "status.json")
