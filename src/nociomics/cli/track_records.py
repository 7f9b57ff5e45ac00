"""What is logged of a study, gathered from the files that its stages wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from nociomics.tracking.run_record import RunRecord
    from nociomics.tracking.study_run import ModelRecord, StudyRun

_DATASETS = {"features": "harmonised/features.parquet", "target": "harmonised/target.parquet"}
# No result follows from these.
_WITHOUT_EFFECT = frozenset({"profiles", "tracking"})
_REQUIREMENTS = ("polars", "numpy", "scipy", "scikit-learn", "xgboost-cpu", "pydantic", "pyyaml", "pandas", "pyarrow")
_SEVERITIES = ("fatal", "warning", "info")
# By these a run that is reproduced is compared with the run that was logged: what the rule that logs waits for.
_HARMONISED = tuple(f"harmonised/{name}.parquet" for name in ("features", "feature_catalogue", "target", "cohort_flow"))
_STRATA = (*_HARMONISED, "strata/assignments.parquet", "strata/factor_scores.parquet", "strata/summary.json")
_RESULTS = (
    *_STRATA,
    "response/out_of_fold.parquet",
    "response/predictions.parquet",
    "response/effects.parquet",
    "evaluation/metrics.json",
    "evaluation/gate.json",
    "evaluation/arms.parquet",
    "explanations/shap.parquet",
    "explanations/base.parquet",
    "explanations/importance.parquet",
    "export/model/manifest.json",
)


def study_run(config: Any, results: Path) -> StudyRun:
    """Gather a study with a target: its own run, and one below it for each stage and each outer fold."""
    from nociomics.report.tracked_study import experiment_note, table_columns
    from nociomics.tables.files import read_json
    from nociomics.tracking.study_run import StudyRun

    metrics = read_json(results / "evaluation" / "metrics.json")
    gate = read_json(results / "evaluation" / "gate.json")
    return StudyRun(
        study=config.study,
        record=_study_record(config, results, metrics, gate),
        datasets={name: file_digest(results / path) for name, path in _DATASETS.items()},
        model=_model(config, results, gate),
        note=experiment_note(config.study, config.target, gate, config.source),
        columns=table_columns(metrics, gate),
    )


def strata_run(config: Any, results: Path, parent: str | None) -> StudyRun:
    """Gather the strata as a run of their own, below the study's when there is one."""
    from nociomics.cli.strata_data import strata_page_data
    from nociomics.report.strata_figures import strata_figures, strata_numbers, strata_tables
    from nociomics.report.strata_words import strata_sentence
    from nociomics.tracking.run_record import RunRecord
    from nociomics.tracking.study_run import StudyRun

    data = strata_page_data(config.study, results)
    told = {"summary": data.summary, "report": data.report, "scorecard": data.scorecard}
    record = RunRecord(
        name="strata" if parent else f"{_name(config)} strata",
        seconds=seconds(results, "find_strata"),
        note=strata_sentence(data.summary, data.associations),
        parameters=_settings(config, ("seed", "blocks", "strata")),
        metrics={f"strata/{name}": value for name, value in strata_numbers(data.summary, data.assignments).items()},
        tags=_tags(config, "strata") | {"data.digest": _whole(_ingested_digests(results))},
        figures=strata_figures(data),
        tables=strata_tables(data),
        documents={name: document for name, document in told.items() if document is not None}
        | ({} if parent else {"data": _ingested_digests(results)} | _origin(config, results, _STRATA)),
        pages=_pages({"strata/report.html": results / "strata" / "report.html"}),
    )
    return StudyRun(study=config.study, record=record, note="" if parent else _strata_note(config), parent=parent)


def _strata_note(config: Any) -> str:
    from nociomics.report.tracked_study import experiment_note

    return experiment_note(config.study, None, None, config.source)


def _study_record(config: Any, results: Path, metrics: dict[str, Any], gate: dict[str, Any]) -> RunRecord:
    from nociomics.report.tracked_study import evaluation_pictures, gate_table, metrics_table, run_note, study_numbers
    from nociomics.report.wording import finding
    from nociomics.tables.files import read_json, read_table
    from nociomics.tables.finding import FINDINGS
    from nociomics.tables.harmonised import FEATURE_CATALOGUE
    from nociomics.tracking.run_record import RunRecord

    catalogue = read_table(results / "harmonised" / "feature_catalogue.parquet", FEATURE_CATALOGUE)
    findings = read_table(results / "quality" / "findings.parquet", FINDINGS)
    importance, ingested = _importance(results), _ingested_digests(results)
    pictures = evaluation_pictures(metrics, gate, read_json(results / "evaluation" / "curves.json"))
    pages = {"report.html": results / "report.html"}
    conclusion = finding(config.target, metrics, gate, catalogue["modality"].unique().sort().to_list())
    return RunRecord(
        name=_name(config),
        seconds=seconds(results),
        note=run_note(conclusion, metrics, gate, ("report.html", "figures", "tables/metrics.csv", "tables/gate.csv")),
        parameters=_settings(config, ("seed", "target", "folds", "blocks", "response", "resampling", "strata")),
        metrics=study_numbers(metrics, gate) | finding_counts(findings),
        tags=_tags(config, "study")
        | {"data.digest": _whole(ingested)}
        | {f"gate.{name}": str(gate.get(name) is True).lower() for name in _GATE},
        figures=pictures,
        tables={"metrics": metrics_table(metrics, gate), "gate": gate_table(gate)},
        documents={"metrics": metrics, "gate": gate, "data": ingested} | _origin(config, results, _RESULTS),
        pages=_pages(pages),
        children=(
            _data_record(results, catalogue, findings),
            _response_record(config, results),
            _evaluation_record(config, results, metrics, gate, pictures),
            _explanations_record(results, gate, importance),
            _export_record(results),
        ),
    )


_GATE = ("performance_passed", "individual_explanations", "individual_recommendations")


def _data_record(results: Path, catalogue: pl.DataFrame, findings: pl.DataFrame) -> RunRecord:
    import polars as pl

    from nociomics.tables.files import read_table
    from nociomics.tables.harmonised import COHORT_FLOW
    from nociomics.tracking.run_record import RunRecord

    flow = read_table(results / "harmonised" / "cohort_flow.parquet", COHORT_FLOW)
    blocks = catalogue.group_by("modality").agg(features=pl.len(), missing=pl.col("missing_share").mean())
    blocks = blocks.sort("modality")
    numbers: dict[str, float | None] = {"data/people": flow["people"][-1] if flow.height else None}
    numbers["data/features"] = catalogue.height
    numbers |= {f"data/missing_{name}": share for name, _, share in blocks.iter_rows()}
    return RunRecord(
        name="data",
        seconds=seconds(results, "ingest_tables", "harmonise_features", "measure_quality"),
        note=f"{catalogue.height} features of {blocks.height} modalities. What was found about the data stands in "
        "`quality/report.html` and `tables/findings.csv`; who was left out and why in `tables/cohort_flow.csv`. "
        "`data/missing_…` is the mean share of missing values of a modality.",
        metrics=numbers | finding_counts(findings),
        tags={"stage": "data"},
        tables={"findings": findings, "cohort_flow": flow, "modalities": blocks},
        pages=_pages({"quality/report.html": results / "quality" / "report.html"}),
    )


def _response_record(config: Any, results: Path) -> RunRecord:
    from nociomics.tables.files import read_table
    from nociomics.tables.results import ARMS
    from nociomics.tracking.run_record import RunRecord

    arms = read_table(results / "evaluation" / "arms.parquet", ARMS)
    return RunRecord(
        name="response model",
        seconds=seconds(results, "fit_response"),
        note="The model that predicts the outcome, fitted to everybody with an outcome; how well such models predict "
        "was measured on others of its kind, fitted within the folds (run *evaluation*).",
        parameters=_settings(config, ("seed", "folds", "blocks", "response")),
        metrics={"response/people": float(arms["with_outcome"].sum()), "response/treatments": arms.height},
        tags={"stage": "response"},
    )


def _evaluation_record(
    config: Any, results: Path, metrics: dict[str, Any], gate: dict[str, Any], pictures: dict[str, str]
) -> RunRecord:
    import polars as pl

    from nociomics.report.tracked_study import comparator_numbers, metrics_table
    from nociomics.tables.files import read_json
    from nociomics.tracking.run_record import RunRecord

    folds = _fold_figures(config, results, gate)
    subgroups = read_json(results / "evaluation" / "curves.json").get("subgroups") or []
    tables = {"metrics": metrics_table(metrics, gate), "folds": folds}
    if subgroups:
        tables["subgroups"] = pl.DataFrame(subgroups, infer_schema_length=None)
    return RunRecord(
        name="evaluation",
        seconds=seconds(results, "evaluate_response"),
        note="The headline of the full model beside simpler models on the same people and folds "
        "(`figures/models.svg`), calibration, net benefit; every figure with its interval and method in "
        "`tables/metrics.csv`. Each outer fold has a run below this one: their spread shows how much the result "
        "depends on who was left out. No single fold is a result.",
        metrics=comparator_numbers(metrics, gate),
        tags={"stage": "evaluation"},
        figures=pictures,
        tables=tables,
        pages=_pages({"tripod.html": results / "evaluation" / "tripod.html"}),
        children=tuple(_fold_record(part) for _, part in folds.group_by("repeat", "outer_fold", maintain_order=True)),
    )


def _fold_record(part: pl.DataFrame) -> RunRecord:
    from nociomics.tracking.run_record import RunRecord

    repeat, fold, people = part["repeat"][0], part["outer_fold"][0], max(part["people"].to_list())
    figures = {f"fold/{metric}": value for metric, value in part.select("metric", "value").iter_rows()}
    return RunRecord(
        name=f"fold {fold + 1}, repeat {repeat + 1}",
        note=f"{people} people with an outcome, whom the model of this fold had not seen.",
        metrics=figures | {"fold/people": float(people)},
        tags={"stage": "fold", "repeat": str(repeat + 1), "outer_fold": str(fold + 1)},
    )


def _fold_figures(config: Any, results: Path, gate: dict[str, Any]) -> pl.DataFrame:
    from nociomics.evaluate.fold_figures import fold_figures
    from nociomics.tables.files import read_table
    from nociomics.tables.harmonised import TARGET_ROWS
    from nociomics.tables.results import OUT_OF_FOLD

    rows = read_table(results / "harmonised" / "target.parquet", TARGET_ROWS)
    made = read_table(results / "response" / "out_of_fold.parquet", OUT_OF_FOLD)
    cells = _cells(config, results, rows) if gate.get("confounded") else None
    return fold_figures(made, rows, config.target, cells)


def _cells(config: Any, results: Path, rows: pl.DataFrame) -> pl.DataFrame | None:
    """Batches within which the evaluation counted its headline."""
    from nociomics.evaluate.confounding import batch_labels, batch_tests, confounded_cells
    from nociomics.tables.files import read_table
    from nociomics.tables.harmonised import FEATURE_CATALOGUE, FEATURES

    features = read_table(results / "harmonised" / "features.parquet", FEATURES)
    catalogue = read_table(results / "harmonised" / "feature_catalogue.parquet", FEATURE_CATALOGUE)
    labels = batch_labels(features, catalogue)
    tests = batch_tests(labels, rows, config.target, config.target.groups, config.seed)
    return confounded_cells(labels, rows, tests)


def _importance(results: Path) -> pl.DataFrame | None:
    from nociomics.cli.strata_data import optional_table
    from nociomics.tables.results import IMPORTANCE

    found = optional_table(results / "explanations" / "importance.parquet", IMPORTANCE)
    return None if found is None or found.is_empty() else found


def _explanations_record(results: Path, gate: dict[str, Any], importance: pl.DataFrame | None) -> RunRecord:
    from nociomics.cli.strata_data import optional_table
    from nociomics.report.tracked_study import importance_picture, modality_shares
    from nociomics.report.wording import DRIVERS_REFUSED
    from nociomics.tables.results import EXPLANATION_STABILITY
    from nociomics.tracking.run_record import RunRecord

    if not gate.get("individual_explanations") or importance is None:
        return RunRecord(name="explanations", note=DRIVERS_REFUSED, tags={"stage": "explanations"})
    stability = optional_table(results / "explanations" / "stability.parquet", EXPLANATION_STABILITY)
    known = [] if stability is None else stability["rank_correlation"].drop_nulls().to_list()
    agreement = sum(known) / len(known) if known else None
    return RunRecord(
        name="explanations",
        seconds=seconds(results, "explain_predictions"),
        note="What moves the predictions of the exported model, over the whole cohort (`figures`, "
        "`tables/importance.csv`). `explanations/share_…` is a modality's share of all contributions, "
        "`explanations/agreement` how far two fits of the model agree on the order of one person's drivers. A driver "
        "of a prediction is not a cause of pain.",
        metrics=modality_shares(importance) | {"explanations/agreement": agreement},
        tags={"stage": "explanations"},
        figures=importance_picture(importance),
        tables={"importance": importance} | ({} if stability is None else {"stability": stability}),
    )


def _export_record(results: Path) -> RunRecord:
    from nociomics.tracking.run_record import RunRecord

    bundle = results / "export" / "model"
    card = bundle / "MODEL_CARD.md"
    size = sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
    return RunRecord(
        name="exported model",
        seconds=seconds(results, "export_bundle"),
        note="The bundle that services load: plain JSON and XGBoost files, no pickle. It is registered under the "
        "study's name; the newest version that passed the gate has the alias `champion`. Its model card is "
        "`MODEL_CARD.md`.",
        metrics={"export/megabytes": round(size / 1e6, 3)},
        tags={"stage": "export"},
        pages=_pages({"MODEL_CARD.md": card}),
    )


def _model(config: Any, results: Path, gate: dict[str, Any]) -> ModelRecord:
    from importlib.metadata import version

    from nociomics.tracking.study_run import ModelRecord

    bundle = results / "export" / "model"
    card = bundle / "MODEL_CARD.md"
    inputs, outputs = _examples(bundle)
    return ModelRecord(
        bundle=bundle,
        passed=gate.get("performance_passed") is True,
        card=card.read_text(encoding="utf-8") if card.exists() else "",
        requirements=tuple(f"{name}=={version(name)}" for name in ("nociomics", *_REQUIREMENTS)),
        input_example=inputs,
        output_example=outputs,
    )


def finding_counts(findings: pl.DataFrame) -> dict[str, float | None]:
    """Count findings by severity, ``quality/<severity>``; one that did not occur is 0, so that runs can be compared."""
    found = findings["severity"].to_list()
    return {f"quality/{severity}": float(found.count(severity)) for severity in _SEVERITIES}


def seconds(results: Path, *rules: str) -> float | None:
    """Seconds that some rules took, by the workflow's own clock; those of every rule when none is named.

    Null where a rule was not timed. Rules run side by side, so that all of them take longer than the run did.
    """
    import polars as pl

    folder = results / "benchmarks"
    files = [folder / f"{rule}.tsv" for rule in rules] if rules else sorted(folder.rglob("*.tsv"))
    if not files or not all(file.is_file() for file in files):
        return None
    return sum(
        float(pl.read_csv(file, separator="\t", infer_schema=False)["s"].cast(pl.Float64).sum()) for file in files
    )


def file_digest(path: Path) -> tuple[str, int]:
    """SHA-256 of a table's file, and its number of rows."""
    import hashlib

    import polars as pl

    return hashlib.sha256(path.read_bytes()).hexdigest(), pl.scan_parquet(path).select(pl.len()).collect().item()


def _settings(config: Any, sections: tuple[str, ...]) -> dict[str, Any]:
    whole = config.model_dump(mode="json")
    return {name: whole[name] for name in sections if name not in _WITHOUT_EFFECT and whole[name] is not None}


def _tags(config: Any, stage: str) -> dict[str, str]:
    """Where the results come from; MLflow's own two names fill its columns *Version* and *Source*."""
    from nociomics import __version__
    from nociomics.config import code_commit, code_digest, config_digest

    commit = code_commit()
    return {
        "study": config.study,
        "stage": stage,
        "target": config.target.outcome if config.target else "",
        "code.commit": commit,
        "code.version": __version__,
        "config.sha256": config_digest(config),
        "knowledge.digest": code_digest("knowledge"),
        "mlflow.source.git.commit": commit,
        "mlflow.source.name": "nociomics",
        "mlflow.source.type": "LOCAL",
    }


def _origin(config: Any, results: Path, told: tuple[str, ...]) -> dict[str, Any]:
    """Gather what it takes to run the study again and to see whether the same came out.

    Ids of people are left out of the settings: no result follows from who gets a page.
    """
    from nociomics.config import code_commit, code_digest
    from nociomics.tables.files import read_json

    study = config.model_dump(mode="json", exclude={"profiles": {"ids"}})
    inputs = results / "inputs.json"
    return {
        "study": study,
        "inputs": read_json(inputs) if inputs.is_file() else {},
        "environment": environment()
        | {"commit": code_commit(), "code": code_digest(""), "knowledge": code_digest("knowledge")},
        "results": {name: _sha256(results / name) for name in told if (results / name).is_file()},
    }


def environment() -> dict[str, Any]:
    """Versions of this program, of Python and of every installed package."""
    import platform
    from importlib.metadata import distributions

    from nociomics import __version__

    packages = {one.metadata["Name"]: one.version for one in distributions()}
    return {"version": __version__, "python": platform.python_version(), "packages": dict(sorted(packages.items()))}


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _ingested_digests(results: Path) -> dict[str, str]:
    """Digests of the tables as they were read, so that a change of the data is found where it happened."""
    files = sorted((results / "ingested").glob("*.parquet"))
    about_files = ("origins", "readings")
    return {file.stem: file_digest(file)[0] for file in files if file.stem not in about_files}


def _whole(digests: dict[str, str]) -> str:
    """One digest of all tables."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def _pages(files: dict[str, Path]) -> dict[str, Path]:
    return {place: file for place, file in files.items() if file.exists()}


def _name(config: Any) -> str:
    """Name a run by study, commit and the beginning of the settings' digest, which tell two runs apart."""
    from nociomics.config import code_commit, config_digest

    commit = code_commit()
    code = f" {commit[:7]}" if " " not in commit else ""
    return f"{config.study}{code} {config_digest(config)[:4]}"


def _examples(bundle: Path) -> tuple[Any, Any]:
    """Read the bundle's golden rows: made of quantiles, so that they show nobody."""
    import polars as pl

    from nociomics.export.bundle import golden_rows

    features, predictions = golden_rows(bundle)
    return features.to_pandas(), pl.DataFrame(predictions).to_pandas()
