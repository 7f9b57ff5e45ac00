"""What MLflow is told. One rule prepares the store and one logs; training never waits for either.

READS  report.html, evaluation/*, export/model, strata/*
WRITES results/mlflow.db (or MLFLOW_TRACKING_URI), tracking.json, strata/tracking.json
"""


rule initialise_tracking:
    """Create the tracking store once, before anything logs to it."""
    output:
        f"{RESULTS}/tracking_store.json",
    log:
        f"{LOGS}/initialise_tracking.log",
    benchmark:
        f"{BENCHMARKS}/initialise_tracking.tsv"
    params:
        results=subpath(output[0], ancestor=2),
        code=code_digest("errors.py", "tables", "tracking", "cli/track.py"),
    shell:
        r"""
        nociomics track initialise --results {params.results:q} --output {output:q} &>{log:q}
        """


rule log_run:
    """Log this run's parameters, metrics, data digests, report and model."""
    input:
        store=rules.initialise_tracking.output,
        report=rules.report_cohort.output,
        quality=rules.report_quality.output,
        metrics=rules.evaluate_response.output.metrics,
        gate=rules.evaluate_response.output.gate,
        bundle=rules.export_bundle.output.manifest,
        features=rules.harmonise_features.output.features,
        target=rules.harmonise_features.output.target,
    output:
        f"{RESULTS}/tracking.json",
    log:
        f"{LOGS}/log_run.log",
    benchmark:
        f"{BENCHMARKS}/log_run.tsv"
    params:
        study=json.dumps(STUDY.model_dump(mode="json"), sort_keys=True),
        results=subpath(output[0], parent=True),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "models",
            "evaluate",
            "export",
            "report",
            "config.py",
            "tracking",
            "cli/track.py",
        ),
    shell:
        r"""
        nociomics track log \
            --study {params.study:q} \
            --results {params.results:q} \
            --store {input.store:q} \
            --output {output:q} \
            &>{log:q}
        """


rule log_strata:
    """Log the strata as a run of their own, below the study's run when there is one."""
    input:
        store=rules.initialise_tracking.output,
        parent=rules.log_run.output if TARGET is not None else [],
        page=rules.report_strata.output,
    output:
        f"{RESULTS}/strata/tracking.json",
    log:
        f"{LOGS}/log_strata.log",
    benchmark:
        f"{BENCHMARKS}/log_strata.tsv"
    params:
        study=json.dumps(STUDY.model_dump(mode="json"), sort_keys=True),
        results=subpath(output[0], ancestor=2),
        parent=option(
            "--parent", *([f"{RESULTS}/tracking.json"] if TARGET is not None else [])
        ),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "quality",
            "models",
            "report",
            "config.py",
            "tracking",
            "cli/track.py",
            "cli/strata_data.py",
        ),
    shell:
        r"""
        nociomics track strata \
            --study {params.study:q} \
            --results {params.results:q} \
            --store {input.store:q} {params.parent} \
            --output {output:q} \
            &>{log:q}
        """
