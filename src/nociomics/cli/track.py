"""Stage track."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nociomics.cli.options import Output, StudyJson, whole_study

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_DATASETS = {"features": "harmonised/features.parquet", "target": "harmonised/target.parquet"}
_HEADLINE = (
    *("auroc", "brier", "calibration_slope", "calibration_in_the_large", "ici", "mae", "r2", "spearman"),
    *("accuracy", "macro_f1", "log_loss", "coverage_90", "policy_gain", "policy_value", "n", "n_events"),
)
_REQUIREMENTS = ("polars", "numpy", "scipy", "scikit-learn", "xgboost-cpu", "pydantic", "pyyaml")


@app.callback()
def _stage() -> None:
    """Tell MLflow."""


@app.command()
def initialise(results: Annotated[Path, typer.Option(help="folder of all studies' results")], output: Output) -> None:
    """Create the tracking store, before anything logs to it."""
    from nociomics.tables.files import write_json
    from nociomics.tracking import initialise_store, tracking_uri

    uri = tracking_uri(results)
    initialise_store(uri)
    write_json({"initialised": True}, output)


@app.command()
def log(
    study: StudyJson,
    results: Annotated[Path, typer.Option(help="results/<study>")],
    store: Annotated[Path, typer.Option(help="tracking_store.json of the initialising rule")],
    output: Output,
) -> None:
    """Log a run's parameters, metrics, data digests, report and model."""
    from nociomics.tables.files import read_json, write_json
    from nociomics.tracking import initialise_store, log_study, runs_table_link, server_command, tracking_uri

    read_json(store)
    config = whole_study(study)
    uri = tracking_uri(results.parent)
    initialise_store(uri)
    tracked = log_study(_study_run(config, results), uri)
    link = runs_table_link(uri, tracked.experiment_id)
    told = {"run_id": tracked.run_id, "experiment_id": tracked.experiment_id, "alias": tracked.alias}
    write_json({**told, "model": tracked.model_uri, "link": link, "server": server_command(uri)}, output)


def _study_run(config: Any, results: Path) -> Any:
    from importlib.metadata import version

    from nociomics.config import code_commit, config_digest
    from nociomics.tables.files import read_json
    from nociomics.tracking import StudyRun

    metrics = read_json(results / "evaluation" / "metrics.json")
    gate = read_json(results / "evaluation" / "gate.json")
    bundle = results / "export" / "model"
    inputs, outputs = _examples(bundle)
    return StudyRun(
        study=config.study,
        parameters=_parameters(config),
        metrics=_headline(metrics),
        gate=gate,
        datasets={name: _digest(results / path) for name, path in _DATASETS.items()},
        commit=code_commit(),
        config_hash=config_digest(config),
        conclusion=_conclusion(config, metrics, gate, results),
        report=results / "report.html",
        findings=results / "quality" / "findings.parquet",
        quality_report=results / "quality" / "report.html",
        bundle=bundle,
        input_example=inputs,
        output_example=outputs,
        requirements=tuple(f"{name}=={version(name)}" for name in ("nociomics", *_REQUIREMENTS)),
        tags={"target": config.target.outcome, "cohort": config.study},
    )


def _conclusion(config: Any, metrics: dict[str, Any], gate: dict[str, Any], results: Path) -> str:
    from nociomics.report.wording import finding
    from nociomics.tables.files import read_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE

    catalogue = read_table(results / "harmonised" / "feature_catalogue.parquet", FEATURE_CATALOGUE)
    return " ".join(finding(config.target, metrics, gate, catalogue["modality"].unique().sort().to_list()))


def _parameters(config: Any) -> dict[str, Any]:
    from nociomics.config import SECTIONS

    flat: dict[str, Any] = {"seed": config.seed}
    for name in ("target", *SECTIONS):
        for key, value in getattr(config, name).model_dump(mode="json").items():
            if value is not None:
                flat[f"{name}.{key}"] = value
    return flat


def _headline(metrics: dict[str, Any]) -> dict[str, Any]:
    """Take a handful for MLflow's table; the rest is in metrics.json."""
    return {name: metrics[name] for name in _HEADLINE if name in metrics}


def _digest(path: Path) -> tuple[str, int]:
    import hashlib

    import polars as pl

    return hashlib.sha256(path.read_bytes()).hexdigest(), pl.scan_parquet(path).select(pl.len()).collect().item()


def _examples(bundle: Path) -> tuple[Any, Any]:
    """Read the bundle's golden rows: made of quantiles, so that they show nobody."""
    import polars as pl

    from nociomics.export.bundle import golden_rows

    features, predictions = golden_rows(bundle)
    return features.to_pandas(), pl.DataFrame(predictions).to_pandas()
