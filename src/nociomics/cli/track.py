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
    from nociomics.tracking.store import initialise_store, tracking_uri

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
    from nociomics.tracking.store import initialise_store, runs_table_link, server_command, tracking_uri
    from nociomics.tracking.study_run import log_study

    read_json(store)
    config = whole_study(study)
    uri = tracking_uri(results.parent)
    initialise_store(uri)
    tracked = log_study(_study_run(config, results), uri)
    link = runs_table_link(uri, tracked.experiment_id)
    told = {"run_id": tracked.run_id, "experiment_id": tracked.experiment_id, "alias": tracked.alias}
    write_json({**told, "model": tracked.model_uri, "link": link, "server": server_command(uri)}, output)


@app.command()
def strata(
    study: StudyJson,
    results: Annotated[Path, typer.Option(help="results/<study>")],
    store: Annotated[Path, typer.Option(help="tracking_store.json of the initialising rule")],
    output: Output,
    parent: Annotated[Path | None, typer.Option(help="tracking.json of the study's run, when it has one")] = None,
) -> None:
    """Log the strata as a run of their own: settings, numbers, figures and tables."""
    from nociomics.tables.files import read_json, write_json
    from nociomics.tracking.store import initialise_store, tracking_uri
    from nociomics.tracking.strata_run import log_strata

    read_json(store)
    uri = tracking_uri(results.parent)
    initialise_store(uri)
    above = None if parent is None else read_json(parent)["run_id"]
    tracked = log_strata(_strata_run(whole_study(study), results, above), uri)
    write_json({"run_id": tracked.run_id, "experiment_id": tracked.experiment_id, "parent": above}, output)


def _strata_run(config: Any, results: Path, parent: str | None) -> Any:
    from nociomics.cli.strata_data import strata_page_data
    from nociomics.config import code_commit, config_digest
    from nociomics.report.strata_figures import strata_figures, strata_numbers, strata_tables
    from nociomics.report.strata_words import strata_sentence
    from nociomics.tracking.strata_run import StrataRun

    data = strata_page_data(config.study, results)
    told = {"summary": data.summary, "report": data.report, "scorecard": data.scorecard}
    return StrataRun(
        study=config.study,
        parameters=_parameters(config, ("blocks", "strata")),
        metrics=strata_numbers(data.summary, data.assignments),
        commit=code_commit(),
        config_hash=config_digest(config),
        conclusion=strata_sentence(data.summary, data.associations),
        page=results / "strata" / "report.html",
        figures=strata_figures(data),
        tables=strata_tables(data),
        documents={name: document for name, document in told.items() if document is not None},
        parent=parent,
    )


def _study_run(config: Any, results: Path) -> Any:
    from importlib.metadata import version

    from nociomics.config import SECTIONS, code_commit, config_digest
    from nociomics.tables.files import read_json
    from nociomics.tracking.study_run import StudyRun

    metrics = read_json(results / "evaluation" / "metrics.json")
    gate = read_json(results / "evaluation" / "gate.json")
    bundle = results / "export" / "model"
    inputs, outputs = _examples(bundle)
    return StudyRun(
        study=config.study,
        parameters=_parameters(config, ("target", *SECTIONS)),
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


def _parameters(config: Any, sections: tuple[str, ...]) -> dict[str, Any]:
    flat: dict[str, Any] = {"seed": config.seed}
    for name in sections:
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
