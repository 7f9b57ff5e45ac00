"""Stage response: folds, predictions out of fold, the final model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nociomics.cli.options import (
    BlocksJson,
    Catalogue,
    Features,
    Gathered,
    Output,
    PartText,
    Seed,
    SettingsJson,
    Splits,
    TargetJson,
    TargetRows,
    read_training,
    section,
)

if TYPE_CHECKING:
    import polars as pl

    from nociomics.explain.out_of_fold import OutOfFoldExplanations
    from nociomics.tables.part import Part

_PREDICTIONS, _VALUES = "predictions.parquet", "values.npz"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Predict response to treatment."""


@app.command()
def splits(
    target_rows: TargetRows,
    features: Features,
    catalogue: Catalogue,
    target: TargetJson,
    settings: SettingsJson,
    seed: Seed,
    splits: Splits,
    duplicates: Annotated[Path, typer.Option(help="pairs of ids that are probably one person, to write")],
    group_splits: Annotated[Path, typer.Option(help="folds that leave one group out at a time, to write")],
    dosages: Annotated[Path | None, typer.Option(help="ingested/dosages.parquet")] = None,
    same_people: Annotated[Path | None, typer.Option(help="quality/genotypes/same_people.parquet")] = None,
    given: Annotated[Path | None, typer.Option(help="folds fixed by the study")] = None,
) -> None:
    """Divide people into folds once, with near-duplicate people kept together; refuse what nothing can be learned from.

    All reasons are named at once.
    """
    import logging

    from nociomics.models.fitness import fitness_findings, require_fit
    from nociomics.models.settings import SplitSettings
    from nociomics.models.study_splits import given_splits, study_splits
    from nociomics.models.study_splits import group_splits as leave_one_group_out
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.genotype_quality import SAME_PEOPLE
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
    from nociomics.tables.ingested import DOSAGES
    from nociomics.tables.results import DUPLICATES, SPLITS
    from nociomics.tables.study import Target

    rows = read_table(target_rows, TARGET_ROWS)
    people, known = read_table(features, FEATURES), read_table(catalogue, FEATURE_CATALOGUE)
    found = fitness_findings(rows, people, known, section(target, Target))
    for finding in found:
        if finding.severity == "warning":
            logging.getLogger(__name__).warning("%s: %s", finding.table, finding.message)
    require_fit(found)
    folds, pairs = study_splits(
        rows,
        people,
        known,
        read_table(dosages, DOSAGES) if dosages is not None else None,
        section(settings, SplitSettings),
        seed,
        read_table(same_people, SAME_PEOPLE) if same_people is not None else None,
    )
    if given is not None:
        folds = given_splits(given, rows["patient_id"].to_list(), pairs)
    write_table(folds, SPLITS, splits)
    write_table(leave_one_group_out(rows, folds, pairs), SPLITS, group_splits)
    write_table(pairs, DUPLICATES, duplicates)


Variant = Annotated[
    str, typer.Option(help="full, treatment_only, without_treatment, clinical_only or without_<modality>")
]
FirstRepeat = Annotated[bool, typer.Option("--first-repeat", help="the folds of the first repeat alone")]
SkipUnlearnable = Annotated[
    bool, typer.Option(help="leave out folds whose training part is too small, instead of stopping")
]


@app.command()
def cross_validate(
    target_rows: TargetRows,
    features: Features,
    catalogue: Catalogue,
    splits: Splits,
    target: TargetJson,
    blocks: BlocksJson,
    settings: SettingsJson,
    seed: Seed,
    output: Output,
    variant: Variant = "full",
    first_repeat: FirstRepeat = False,
    skip_unlearnable: SkipUnlearnable = False,
    values: Annotated[
        Path | None, typer.Option(help="Shapley values of these predictions to write, for `nociomics explain`")
    ] = None,
    gather: Gathered = None,
) -> None:
    """Predict everybody under every treatment by models that never saw that person, and explain each prediction."""
    import logging

    from nociomics.models.response import gather_out_of_fold
    from nociomics.tables.arrays import read_arrays
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.part import WHOLE
    from nociomics.tables.results import OUT_OF_FOLD, OUT_OF_FOLD_VALUES

    given = (target_rows, features, catalogue, splits, target, blocks, settings, seed)
    if gather:
        from nociomics.explain.out_of_fold import OutOfFoldExplanations

        predicted = gather_out_of_fold([read_table(folder / _PREDICTIONS, OUT_OF_FOLD) for folder in gather])
        explanations = OutOfFoldExplanations(0, seed)
        for folder in gather if values is not None else []:
            explanations.take(read_arrays(folder / _VALUES))
    else:
        asked = (variant, first_repeat, skip_unlearnable, values is not None)
        predicted, explanations = _predicted_folds(*given, *asked, WHOLE)
    write_table(predicted, OUT_OF_FOLD, output)
    if values is not None:
        write_table(explanations.frame(), OUT_OF_FOLD_VALUES, values)
    logging.getLogger(__name__).info("%s: %d predictions out of fold", variant, predicted.height)


@app.command()
def cross_validate_folds(
    target_rows: TargetRows,
    features: Features,
    catalogue: Catalogue,
    splits: Splits,
    target: TargetJson,
    blocks: BlocksJson,
    settings: SettingsJson,
    seed: Seed,
    part: PartText,
    output: Annotated[Path, typer.Option(help="folder to write, for `nociomics response cross-validate --gather`")],
    variant: Variant = "full",
    first_repeat: FirstRepeat = False,
    skip_unlearnable: SkipUnlearnable = False,
    explain: Annotated[bool, typer.Option("--explain", help="also explain each prediction")] = False,
) -> None:
    """Predict the people of some outer folds; the parts together give what `cross-validate` gives alone."""
    import logging

    from nociomics.tables.arrays import write_arrays
    from nociomics.tables.files import write_table
    from nociomics.tables.part import Part
    from nociomics.tables.results import OUT_OF_FOLD

    given = (target_rows, features, catalogue, splits, target, blocks, settings, seed)
    predicted, explanations = _predicted_folds(
        *given, variant, first_repeat, skip_unlearnable, explain, Part.read(part)
    )
    write_table(predicted, OUT_OF_FOLD, output / _PREDICTIONS)
    if explain:
        write_arrays(explanations.arrays(), output / _VALUES)
    logging.getLogger(__name__).info("%s, part %s: %d predictions out of fold", variant, part, predicted.height)


def _predicted_folds(
    target_rows: Path,
    features: Path,
    catalogue: Path,
    splits: Path,
    target: str,
    blocks: str,
    settings: str,
    seed: int,
    variant: str,
    first_repeat: bool,
    skip_unlearnable: bool,
    explain: bool,
    part: Part,
) -> tuple[pl.DataFrame, OutOfFoldExplanations]:
    import polars as pl

    from nociomics.explain.out_of_fold import OutOfFoldExplanations
    from nociomics.models.response import out_of_fold
    from nociomics.models.settings import BlockSettings, ResponseSettings
    from nociomics.tables.files import read_table
    from nociomics.tables.results import SPLITS
    from nociomics.tables.study import Target

    folds = read_table(splits, SPLITS)
    if first_repeat:
        folds = folds.filter(pl.col("repeat") == pl.col("repeat").min())
    chosen = section(settings, ResponseSettings)
    explanations = OutOfFoldExplanations(chosen.background_people, seed)
    predicted = out_of_fold(
        read_training(target_rows, features, catalogue),
        folds,
        section(target, Target),
        section(blocks, BlockSettings),
        chosen,
        seed,
        variant,
        skip_unlearnable=skip_unlearnable,
        seen=explanations if explain else None,
        part=part,
    )
    return predicted, explanations


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
    output: Output,
) -> None:
    """Fit the final model on everybody with an outcome."""
    import polars as pl

    from nociomics.models.response import fit_response
    from nociomics.models.settings import BlockSettings, ResponseSettings
    from nociomics.models.value_model import Training
    from nociomics.tables.files import read_table, write_json
    from nociomics.tables.results import SPLITS
    from nociomics.tables.study import Target

    study = read_training(target_rows, features, catalogue)
    folds = read_table(splits, SPLITS).filter(pl.col("repeat") == pl.col("repeat").min())
    inner = study.rows.select("patient_id").join(folds, on="patient_id", how="left", maintain_order="left")
    training = Training(study.features, study.catalogue, study.rows, inner["inner_fold"].to_numpy())
    chosen = section(settings, ResponseSettings)
    model = fit_response(training, section(target, Target), section(blocks, BlockSettings), chosen, chosen.refits, seed)
    output.mkdir(parents=True, exist_ok=True)
    write_json(model.save(output), output / "model.json")
