"""Stage evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nociomics.cli.options import Catalogue, Features, Output, Seed, Splits, TargetJson, TargetRows, section

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
) -> None:
    """Measure discrimination, calibration, benefit and heterogeneity out of fold, with intervals."""
    import polars as pl

    from nociomics.evaluate.arm_differences import adjusted_differences
    from nociomics.evaluate.arms import arm_table
    from nociomics.evaluate.held_out import held_out_metric
    from nociomics.evaluate.study_metrics import evaluate_study
    from nociomics.tables.files import read_table, write_json, write_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES, TARGET_ROWS
    from nociomics.tables.results import ARMS, OUT_OF_FOLD, SPLITS
    from nociomics.tables.study import Target

    rows, people = read_table(target_rows, TARGET_ROWS), read_table(features, FEATURES)
    traits = people.select(
        "patient_id", *[pl.col(n).cast(pl.String) for n in ("sex", "pain_type") if n in people.columns]
    )
    found = evaluate_study(
        read_table(out_of_fold, OUT_OF_FOLD),
        rows,
        section(target, Target),
        comparators={path.stem: read_table(path, OUT_OF_FOLD) for path in comparator or []},
        splits=read_table(splits, SPLITS),
        seed=seed,
        catalogue=read_table(catalogue, FEATURE_CATALOGUE),
        traits=traits,
    )
    differences = adjusted_differences(rows, section(target, Target))
    metrics = {**found.metrics, **{name: one.as_dict() for name, one in differences.items()}}
    if held_out_groups is not None:
        metrics |= held_out_metric(read_table(held_out_groups, OUT_OF_FOLD), rows, section(target, Target), seed)
    gate = {**found.gate, "performance_passed": found.gate["individual_explanations"]}
    write_json(metrics, output / "metrics.json")
    write_json(gate, output / "gate.json")
    write_json({**found.curves, "subgroups": found.subgroups}, output / "curves.json")
    write_table(arm_table(rows), ARMS, output / "arms.parquet")
