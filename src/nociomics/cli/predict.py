"""Predict new patients with an exported model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nociomics.cli.options import HarmWeight

if TYPE_CHECKING:
    import polars as pl


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="export/model of a run")],
    study: Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="names the new patients' tables")],
    output: Annotated[Path, typer.Option("--output", "-o", help="predictions.parquet to write")],
    harm_weight: HarmWeight = None,
    key: Annotated[
        Path | None, typer.Option(help="key file that the model must be signed with; also NOCIOMICS_BUNDLE_KEY")
    ] = None,
    most_people: Annotated[int, typer.Option(min=1, help="refuse a table of more people")] = 10_000,
    seconds: Annotated[float, typer.Option(min=0, help="give up after so long; 0 for no limit")] = 0,
) -> None:
    """Predict new patients; effects.parquet and assignments.parquet are written beside the predictions.

    The tables may have any form that the contract allows; treatments and outcomes are not needed. A column
    harm_weight of patients holds people's own weights of harm; else --harm-weight or target.harm_weight of the study
    counts. They order the treatments a second time, beside the order by benefit alone.

    Example: nociomics predict results/demo/export/model new/study.yaml -o new/predictions.parquet
    """
    from nociomics.config import data_folder, load_config
    from nociomics.export.bundle import load_bundle
    from nociomics.export.gate import Limits
    from nociomics.export.harm_weights import weigh_harm
    from nociomics.export.prediction import predict_admitted
    from nociomics.preparation import lacking_features, read_new_people, variants_of
    from nociomics.tables.files import write_table
    from nociomics.tables.results import ASSIGNMENTS, EFFECTS, PREDICTIONS

    bundle = load_bundle(model, key)
    asked = load_config(study)
    wanted = variants_of(bundle.schema)
    prepared = read_new_people(asked, data_folder(asked, study.resolve().parent), wanted)
    people, of_study = prepared.features, harm_weight
    if of_study is None and asked.target is not None:
        of_study = asked.target.harm_weight
    limits = Limits(most_people, seconds or None)
    admitted = bundle.input_gate.admit(people, limits)
    predictions, effects = predict_admitted(bundle, admitted, limits=limits)
    predictions = weigh_harm(predictions, effects, bundle, prepared.harm_weights, of_study)
    write_table(predictions, PREDICTIONS, output)
    write_table(effects, EFFECTS, output.parent / "effects.parquet")
    write_table(bundle.compiled.assign(admitted), ASSIGNMENTS, output.parent / "assignments.parquet")
    for note in admitted.notes:
        if "does not know" in note:
            typer.echo(f"{note}.", err=True)
    lacking = lacking_features(bundle.schema, admitted.brought)
    if lacking:
        words = "; ".join(f"{missing} of {every} of {modality}" for modality, (missing, every) in lacking.items())
        typer.echo(
            f"Nobody in these tables has some features that the model uses: {words}. Predictions rest on the others. "
            "If these were measured, look at the names of tables and columns (nociomics check).",
            err=True,
        )
    unlike = unlike_everybody(predictions)
    if unlike:
        typer.echo(unlike, err=True)
    answered = predictions.filter(predictions["status"] == "ok")["patient_id"].n_unique()
    typer.echo(f"{answered} of {people.height} patients were answered; see {output}.")


def unlike_everybody(predictions: pl.DataFrame) -> str | None:
    """Say that most people are far from everyone that the model learned from, as a wrong unit makes them.

    Parameters
    ----------
    predictions : DataFrame
        As in `PREDICTIONS`.

    Returns
    -------
    str or None
        None where at least half of the people are like those of the study.
    """
    from nociomics.export.cautions import ATYPICAL

    people = predictions["patient_id"].n_unique()
    marked = predictions.filter(predictions["caution"].fill_null("").str.contains(ATYPICAL, literal=True))
    away = marked["patient_id"].n_unique()
    if 2 * away <= people:
        return None
    return (
        f"{away} of {people} people are far from everyone that the model was built on (column caution). Look at units, "
        "transforms and the meaning of columns before you use any of these numbers."
    )
