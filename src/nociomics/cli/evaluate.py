"""Stage evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nociomics.cli.options import Catalogue, Features, Output, Seed, Splits, TargetJson, TargetRows, section

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _stage() -> None:
    """Measure predictions."""


@app.command()
def response(
    out_of_fold: Annotated[Path, typer.Option(help="response/out_of_fold.parquet")],
    target_rows: TargetRows,
    features: Features,
    catalogue: Catalogue,
    splits: Splits,
    target: TargetJson,
    seed: Seed,
    output: Output,
    comparator: Annotated[
        list[Path] | None, typer.Option(help="the same of a simpler model; file named after it")
    ] = None,
    held_out_groups: Annotated[Path | None, typer.Option(help="response/held_out_groups.parquet")] = None,
    adverse: Annotated[Path | None, typer.Option(help="response/adverse_out_of_fold.parquet")] = None,
    propensity: Annotated[Path | None, typer.Option(help="response/propensities.parquet")] = None,
    propensity_model: Annotated[Path | None, typer.Option(help="response/propensity.json")] = None,
    observation: Annotated[Path | None, typer.Option(help="response/observation.parquet")] = None,
    permutations: Annotated[list[Path] | None, typer.Option(help="response/permutations/*.parquet")] = None,
    learning: Annotated[
        list[Path] | None, typer.Option(help="response/learning/*.parquet; files named after their share")
    ] = None,
) -> None:
    """Measure discrimination, calibration, benefit and heterogeneity out of fold, with intervals."""
    from nociomics.evaluate.arm_differences import adjusted_differences
    from nociomics.evaluate.arms import arm_table
    from nociomics.evaluate.confounding import batch_labels
    from nociomics.evaluate.gate import closed_by_permutation
    from nociomics.evaluate.held_out import held_out_metric
    from nociomics.evaluate.learning_curve import learning_points
    from nociomics.evaluate.measured import measured_patterns
    from nociomics.evaluate.metric_sets import Sampling
    from nociomics.evaluate.study_metrics import evaluate_study
    from nociomics.evaluate.subgroups import subgroup_traits
    from nociomics.tables.files import read_table, write_json, write_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
    from nociomics.tables.results import ARMS, OBSERVATION, OUT_OF_FOLD, PROPENSITIES, SPLITS
    from nociomics.tables.study import Target

    rows, people = read_table(target_rows, TARGET_ROWS), read_table(features, FEATURES)
    known = read_table(catalogue, FEATURE_CATALOGUE)
    chances = None if propensity is None else read_table(propensity, PROPENSITIES)
    made = read_table(out_of_fold, OUT_OF_FOLD)
    found = evaluate_study(
        made,
        rows,
        section(target, Target),
        comparators={path.stem: read_table(path, OUT_OF_FOLD) for path in comparator or []},
        splits=read_table(splits, SPLITS),
        seed=seed,
        catalogue=known,
        traits=subgroup_traits(people.join(measured_patterns(people, known), on="patient_id")),
        adverse=None if adverse is None else read_table(adverse, OUT_OF_FOLD),
        propensity=None if chances is None or chances.is_empty() else chances,
        observation=None if observation is None else read_table(observation, OBSERVATION),
        covariates=_covariates(propensity_model, people),
        batches=batch_labels(people, known),
    )
    differences = adjusted_differences(rows, section(target, Target))
    metrics = {**found.metrics, **{name: one.as_dict() for name, one in differences.items()}}
    if held_out_groups is not None:
        metrics |= held_out_metric(read_table(held_out_groups, OUT_OF_FOLD), rows, section(target, Target), seed)
    metrics["permutation_p"] = _permutation_p(permutations or [], found.metrics["n"]["n"])
    shares = {float(path.stem): read_table(path, OUT_OF_FOLD) for path in learning or []}
    curve = learning_points(made, shares, rows, section(target, Target), Sampling(seed=seed))
    judged = closed_by_permutation(found.gate, metrics["permutation_p"]["value"], _refits(permutations or []))
    gate = {**judged, "performance_passed": judged["individual_explanations"]}
    write_json(metrics, output / "metrics.json")
    write_json(gate, output / "gate.json")
    write_json({**found.curves, "learning": curve, "subgroups": found.subgroups}, output / "curves.json")
    write_table(arm_table(rows), ARMS, output / "arms.parquet")


def _refits(parts: list[Path]) -> int:
    import polars as pl

    return sum(pl.read_parquet(path).filter(pl.col("permutation") > 0).height for path in parts)


def _permutation_p(parts: list[Path], n: int) -> dict[str, Any]:
    """Compare the headline with that of outcomes dealt out anew, which several jobs may have made."""
    import numpy as np
    import polars as pl

    from nociomics.evaluate.permutation import permutation_p
    from nociomics.tables.files import read_table
    from nociomics.tables.results import PERMUTATIONS

    if not parts:
        return permutation_p(float("nan"), np.array([]), n).as_dict()
    table = pl.concat([read_table(path, PERMUTATIONS) for path in parts])
    values = table.select("permutation", pl.col("value").fill_null(float("nan")))
    real = values.filter(pl.col("permutation") == 0)["value"]
    return permutation_p(float(real[0]), values.filter(pl.col("permutation") > 0)["value"].to_numpy(), n).as_dict()


def _covariates(propensity_model: Path | None, people: pl.DataFrame) -> pl.DataFrame | None:
    """Columns on which balance is judged: those of the propensity model, which a randomised study lacks."""
    from nociomics.models.propensity import load_propensity
    from nociomics.tables.files import read_json

    if propensity_model is None:
        return None
    model = load_propensity(read_json(propensity_model))
    return None if model is None else model.covariates(people)
