"""Stage export: the bundle, and the cohort's own predictions made with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nociomics.cli.options import Catalogue, Features, Gathered, HarmWeight, Output, PartText, Seed, TargetRows

if TYPE_CHECKING:
    import polars as pl

    from nociomics.export.bundle import Bundle
    from nociomics.tables.part import Part

_PREDICTIONS, _EFFECTS = "predictions.parquet", "effects.parquet"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Write and use the bundle."""


@app.command()
def bundle(
    study: Annotated[str, typer.Option(help="name of the study")],
    model: Annotated[Path, typer.Option(help="response/model")],
    strata: Annotated[Path, typer.Option(help="strata/model.json")],
    out_of_fold: Annotated[Path, typer.Option(help="response/out_of_fold.parquet")],
    target_rows: TargetRows,
    features: Features,
    catalogue: Catalogue,
    metrics: Annotated[Path, typer.Option(help="evaluation/metrics.json")],
    gate: Annotated[Path, typer.Option(help="evaluation/gate.json")],
    seed: Seed,
    output: Output,
    level: Annotated[float, typer.Option(help="level of the intervals")] = 0.9,
    background: Annotated[int, typer.Option(help="training people stored for explanations")] = 100,
    adverse: Annotated[Path | None, typer.Option(help="response/adverse_model")] = None,
    propensity: Annotated[Path | None, typer.Option(help="response/propensity.json")] = None,
    required: Annotated[
        list[str] | None, typer.Option(help="feature without which nobody is answered; may be repeated")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="key file to sign with; also NOCIOMICS_BUNDLE_KEY")] = None,
    onnx: Annotated[bool, typer.Option(help="also write model.onnx, where it gives the same answers")] = True,
) -> None:
    """Gather model, strata, gate, intervals, schema and golden rows into one folder with hashes."""
    from nociomics.export.background import background_people
    from nociomics.export.bundle import write_bundle
    from nociomics.export.signature import key_file
    from nociomics.models.intervals import outcome_widths
    from nociomics.models.propensity import load_propensity
    from nociomics.models.response import load_response
    from nociomics.models.stratification import StratumModel
    from nociomics.tables.files import read_json, read_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
    from nociomics.tables.results import OUT_OF_FOLD

    people, rows = read_table(features, FEATURES), read_table(target_rows, TARGET_ROWS)
    fitted = load_response(read_json(model / "model.json"), model)
    # a probability's interval tells its spread over refits: no outcome of 0 or 1 lies in an interval of outcomes
    widths = outcome_widths(read_table(out_of_fold, OUT_OF_FOLD), rows, level) if fitted.kind == "value" else None
    harm = None if adverse is None or not (adverse / "model.json").is_file() else adverse
    write_bundle(
        output,
        study,
        fitted,
        StratumModel.from_dict(read_json(strata)),
        read_table(catalogue, FEATURE_CATALOGUE),
        people,
        read_json(gate),
        {"level": level, "half_width": None} if widths is None else widths.to_dict(),
        read_json(metrics),
        background_people(fitted, people, rows, background, seed),
        adverse=None if harm is None else load_response(read_json(harm / "model.json"), harm),
        propensity=None if propensity is None else load_propensity(read_json(propensity)),
        required=required or (),
        key=key_file(key),
        onnx=onnx,
        seed=seed,
    )


@app.command()
def predict(
    bundle: Annotated[Path, typer.Option(help="export/model")],
    features: Features,
    target_rows: TargetRows,
    predictions: Annotated[Path, typer.Option(help="predictions to write")],
    effects: Annotated[Path, typer.Option(help="effects to write")],
    patients: Annotated[
        Path | None, typer.Option(help="ingested/patients.parquet; people's own weights of harm are read from it")
    ] = None,
    harm_weight: HarmWeight = None,
    gather: Gathered = None,
) -> None:
    """Predict everyone in the study with the exported bundle, as any service would."""
    from nociomics.export.bundle import load_bundle
    from nociomics.export.harm_weights import weigh_harm
    from nociomics.export.prediction import gather_predictions
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.harm_weights import own_harm_weights
    from nociomics.tables.ingested import PATIENTS
    from nociomics.tables.part import WHOLE
    from nociomics.tables.results import EFFECTS, PREDICTIONS

    loaded = load_bundle(bundle)
    if gather:
        parts = [
            (read_table(folder / _PREDICTIONS, PREDICTIONS), read_table(folder / _EFFECTS, EFFECTS))
            for folder in gather
        ]
        predicted, differences = gather_predictions(parts)
    else:
        predicted, differences = _predicted(loaded, features, target_rows, WHOLE)
    own = None if patients is None else own_harm_weights(read_table(patients, PATIENTS))
    predicted = weigh_harm(predicted, differences, loaded, own, harm_weight)
    write_table(predicted, PREDICTIONS, predictions)
    write_table(differences, EFFECTS, effects)


@app.command()
def predict_part(
    bundle: Annotated[Path, typer.Option(help="export/model")],
    features: Features,
    target_rows: TargetRows,
    part: PartText,
    output: Annotated[Path, typer.Option(help="folder to write, for `nociomics export predict --gather`")],
) -> None:
    """Predict one part of the study's people; the parts together give what `nociomics export predict` gives alone."""
    from nociomics.export.bundle import load_bundle
    from nociomics.tables.files import write_table
    from nociomics.tables.part import Part
    from nociomics.tables.results import EFFECTS, PREDICTIONS

    own = Part.read(part)
    predicted, differences = _predicted(load_bundle(bundle), features, target_rows, own)
    write_table(predicted, PREDICTIONS, output / _PREDICTIONS)
    write_table(differences, EFFECTS, output / _EFFECTS)


def _predicted(bundle: Bundle, features: Path, target_rows: Path, own: Part) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    from nociomics.export.prediction import predict_people
    from nociomics.tables.files import read_table
    from nociomics.tables.harmonised import FEATURES, TARGET_ROWS

    baseline = read_table(target_rows, TARGET_ROWS)["baseline"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return predict_people(bundle, read_table(features, FEATURES), baseline, own)
