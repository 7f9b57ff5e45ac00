"""Stage resampling: the whole pipeline again, on outcomes dealt out anew and on fewer people."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from nociomics.cli.options import (
    BlocksJson,
    Catalogue,
    Features,
    Output,
    Seed,
    SettingsJson,
    Splits,
    TargetJson,
    TargetRows,
    read_training,
    section,
)

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Repeat the pipeline to learn what its figures are worth."""


@app.command()
def permute(
    target_rows: TargetRows,
    features: Features,
    catalogue: Catalogue,
    splits: Splits,
    target: TargetJson,
    blocks: BlocksJson,
    settings: SettingsJson,
    seed: Seed,
    output: Output,
    first: Annotated[int, typer.Option(min=0, help="number of the first permutation; 0 is the real outcomes")],
    count: Annotated[int, typer.Option(min=1, help="how many")],
) -> None:
    """Predict out of fold with outcomes dealt out anew, and write the headline of each permutation."""
    import polars as pl

    from nociomics.evaluate.permutation import headline_value
    from nociomics.models.permutation import permuted_outcomes
    from nociomics.models.response import out_of_fold
    from nociomics.models.settings import BlockSettings, ResponseSettings
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.progress import Progress
    from nociomics.tables.results import PERMUTATIONS, SPLITS
    from nociomics.tables.study import Target

    study, wanted = read_training(target_rows, features, catalogue), section(target, Target)
    folds = read_table(splits, SPLITS).filter(pl.col("repeat") == pl.col("repeat").min())
    how = section(blocks, BlockSettings), section(settings, ResponseSettings)
    progress, found = Progress("outcomes dealt out anew", "permutations", count), []
    for number in range(first, first + count):
        rows = permuted_outcomes(study.rows, study.features, seed + number) if number else study.rows
        predicted = out_of_fold(replace(study, rows=rows), folds, wanted, *how, seed, skip_unlearnable=True)
        found.append((number, *headline_value(predicted, rows, wanted)))
        progress.advance(1)
    table = pl.DataFrame(
        found, schema={"permutation": pl.Int64, "metric": pl.String, "value": pl.Float64}, orient="row"
    )
    write_table(table.with_columns(pl.col("value").fill_nan(None)), PERMUTATIONS, output)


@app.command()
def learn_from_fewer(
    target_rows: TargetRows,
    features: Features,
    catalogue: Catalogue,
    splits: Splits,
    target: TargetJson,
    blocks: BlocksJson,
    settings: SettingsJson,
    seed: Seed,
    output: Output,
    share: Annotated[float, typer.Option(help="share of each training part that is learned from, above 0 and to 1")],
) -> None:
    """Predict out of fold from a share of each training part: one point of the learning curve."""
    import polars as pl

    from nociomics.errors import StudyError
    from nociomics.models.response import out_of_fold
    from nociomics.models.settings import BlockSettings, ResponseSettings
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.results import OUT_OF_FOLD, SPLITS
    from nociomics.tables.study import Target

    if not 0 < share <= 1:
        raise StudyError(f"--share is {share:g}; a share of the training part lies above 0 and is at most 1.")
    study, wanted = read_training(target_rows, features, catalogue), section(target, Target)
    folds = read_table(splits, SPLITS).filter(pl.col("repeat") == pl.col("repeat").min())
    how = section(blocks, BlockSettings), section(settings, ResponseSettings)
    predicted = out_of_fold(study, folds, wanted, *how, seed, skip_unlearnable=True, share=share)
    write_table(predicted, OUT_OF_FOLD, output)
