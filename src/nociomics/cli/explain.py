"""Stage explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import Features, Gathered, PartText, Seed

_ROWS, _SUMS = "shap.parquet", "sums.npz"

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
    dependence: Annotated[Path | None, typer.Option(help="leading features by bins of people to write")] = None,
    gather: Gathered = None,
) -> None:
    """Write interventional Shapley values of the bundle's model in outcome points; they must add up.

    While the gate for individual explanations is closed, nobody's values are written: the table has no rows. Means
    over the cohort are written either way; they tell what the model leans on, of at least 10 people.
    """
    import logging

    from nociomics.explain.cohort import explain_cohort, gather_explanations, people_to_explain
    from nociomics.export.bundle import load_bundle
    from nociomics.tables.arrays import read_arrays
    from nociomics.tables.files import read_table, write_table, written_whole
    from nociomics.tables.harmonised import FEATURES
    from nociomics.tables.results import (
        BASE_VALUES,
        DEPENDENCE,
        EXPLANATION_STABILITY,
        IMPORTANCE,
        PREDICTIONS,
        SHAP_VALUES,
    )
    from nociomics.tables.row_groups import RowGroups

    loaded = load_bundle(bundle)
    answered = read_table(predictions, PREDICTIONS)
    people = people_to_explain(loaded.model, read_table(features, FEATURES), answered)
    allowed = bool(loaded.gate["individual_explanations"])
    given = (loaded.model, people, loaded.background, seed, answered)
    with written_whole(shap) as draft, RowGroups(draft, SHAP_VALUES) as rows:
        if gather:
            found = gather_explanations(*given, (read_arrays(folder / _SUMS) for folder in gather))
            for folder in gather:
                rows.add_file(folder / _ROWS)
        else:
            found = explain_cohort(*given, lambda block: rows.add(block if allowed else block.clear()))
    write_table(found.bases, BASE_VALUES, base)
    if importance is not None:
        write_table(found.importance, IMPORTANCE, importance)
    if stability is not None:
        write_table(found.stability, EXPLANATION_STABILITY, stability)
    if dependence is not None:
        write_table(found.dependence, DEPENDENCE, dependence)
    log = logging.getLogger(__name__)
    log.info("%d people checked; largest additivity gap %.1e", found.people, found.gap)
    if allowed:
        log.info("explained %d people", found.people)
    else:
        log.info("0 people explained: the gate for individual explanations is closed")


@app.command()
def part(
    bundle: Annotated[Path, typer.Option(help="export/model")],
    features: Features,
    predictions: Annotated[Path, typer.Option(help="response/predictions.parquet")],
    seed: Seed,
    part: PartText,
    output: Annotated[Path, typer.Option(help="folder to write, for `nociomics explain predictions --gather`")],
) -> None:
    """Explain one part of the people; the parts together give what `nociomics explain predictions` gives alone."""
    import logging

    from nociomics.explain.cohort import explain_part, people_to_explain
    from nociomics.export.bundle import load_bundle
    from nociomics.tables.arrays import write_arrays
    from nociomics.tables.files import read_table, written_whole
    from nociomics.tables.harmonised import FEATURES
    from nociomics.tables.part import Part
    from nociomics.tables.results import PREDICTIONS, SHAP_VALUES
    from nociomics.tables.row_groups import RowGroups

    own = Part.read(part)
    loaded = load_bundle(bundle)
    answered = read_table(predictions, PREDICTIONS)
    people = people_to_explain(loaded.model, read_table(features, FEATURES), answered)
    allowed = bool(loaded.gate["individual_explanations"])
    given = (loaded.model, people, loaded.background, seed, answered)
    with written_whole(output / _ROWS) as draft, RowGroups(draft, SHAP_VALUES) as rows:
        sums = explain_part(*given, lambda block: rows.add(block if allowed else block.clear()), own)
    write_arrays(sums, output / _SUMS)
    logging.getLogger(__name__).info("part %s of %d people", part, people.height)


@app.command()
def out_of_fold(
    values: Annotated[Path, typer.Option(help="response/out_of_fold_values.parquet")],
    gate: Annotated[Path, typer.Option(help="evaluation/gate.json")],
    predictions: Annotated[Path, typer.Option(help="response/predictions.parquet")],
    output: Annotated[Path, typer.Option(help="Shapley values of predictions out of fold to write")],
    importance: Annotated[Path | None, typer.Option(help="drivers of the cohort out of fold to write")] = None,
) -> None:
    """Pass on the explanations by models that did not train on the person, as far as the gate lets them through.

    Only people with a prediction have rows, and nobody while the gate for individual explanations is closed; means over
    at least 10 people are written either way.
    """
    import logging

    import polars as pl

    from nociomics.explain.out_of_fold import importance_out_of_fold
    from nociomics.tables.files import read_json, read_table, write_table
    from nociomics.tables.results import IMPORTANCE, OUT_OF_FOLD_VALUES, PREDICTIONS

    answered = read_table(predictions, PREDICTIONS).filter(pl.col("status") == "ok")["patient_id"].unique()
    found = read_table(values, OUT_OF_FOLD_VALUES).filter(pl.col("patient_id").is_in(answered.to_list()))
    allowed = bool(read_json(gate)["individual_explanations"])
    write_table(found if allowed else found.clear(), OUT_OF_FOLD_VALUES, output)
    if importance is not None:
        write_table(importance_out_of_fold(found), IMPORTANCE, importance)
    people = found["patient_id"].n_unique() if allowed else 0
    closed = "" if allowed else ": the gate for individual explanations is closed"
    logging.getLogger(__name__).info("explained %d people out of fold%s", people, closed)


@app.command()
def interactions(
    bundle: Annotated[Path, typer.Option(help="export/model")],
    features: Features,
    predictions: Annotated[Path, typer.Option(help="response/predictions.parquet")],
    seed: Seed,
    output: Annotated[Path, typer.Option(help="interactions of pairs of features to write")],
    patients: Annotated[
        list[str] | None, typer.Option("--patient", help="explain this patient_id only; may be repeated")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="largest pairs of each person and treatment to keep")] = 10,
) -> None:
    """Tell which features act together in a person's prediction; nobody's while the gate is closed.

    Rows of a feature with itself are kept for every feature that stands in a kept pair.
    """
    import logging

    from nociomics.explain.cohort import people_to_explain
    from nociomics.explain.interactions import explain_interactions
    from nociomics.export.bundle import load_bundle
    from nociomics.tables.files import read_table, write_table
    from nociomics.tables.harmonised import FEATURES
    from nociomics.tables.results import INTERACTIONS, PREDICTIONS

    loaded = load_bundle(bundle)
    answered = read_table(predictions, PREDICTIONS)
    people = people_to_explain(loaded.model, read_table(features, FEATURES), answered, patients)
    allowed = bool(loaded.gate["individual_explanations"])
    found = explain_interactions(loaded.model, people if allowed else people.clear(), loaded.background, seed, top)
    write_table(found, INTERACTIONS, output)
    closed = "" if allowed else ": the gate for individual explanations is closed"
    told = people.height if allowed else 0
    logging.getLogger(__name__).info("interactions of %d people%s", told, closed)
