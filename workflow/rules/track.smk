"""What MLflow is told. One rule prepares the store and one logs; training never waits for either.

READS  inputs.json, report.html, quality/*, evaluation/*, response/out_of_fold.parquet, explanations/importance.parquet, export/model, strata/*
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
    localrule: True
    params:
        results=subpath(output[0], ancestor=2),
        code=code_digest("errors.py", "tables", "tracking", "cli/track.py"),
    shell:
        r"""
        nociomics track initialise --results {params.results:q} --output {output:q} &>{log:q}
        """


rule log_run:
    """Log this run, one run per stage and outer fold below it, digests of its data, and its model."""
    input:
        store=rules.initialise_tracking.output,
        report=rules.report_cohort.output,
        quality=rules.report_quality.output,
        tripod=rules.report_tripod.output,
        flow=rules.harmonise_features.output.flow,
        out_of_fold=rules.predict_out_of_fold.output.predictions,
        evaluation=rules.evaluate_response.output,
        explanations=rules.explain_predictions.output,
        bundle=rules.export_bundle.output.manifest,
        features=rules.harmonise_features.output.features,
        target=rules.harmonise_features.output.target,
        inputs=rules.digest_inputs.output,
        predictions=rules.predict_cohort.output,
        strata=rules.find_strata.output,
    output:
        f"{RESULTS}/tracking.json",
    log:
        f"{LOGS}/log_run.log",
    benchmark:
        f"{BENCHMARKS}/log_run.tsv"
    localrule: True
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
            "cli/strata_data.py",
            "cli/track.py",
            "cli/track_records.py",
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
        inputs=rules.digest_inputs.output,
    output:
        f"{RESULTS}/strata/tracking.json",
    log:
        f"{LOGS}/log_strata.log",
    benchmark:
        f"{BENCHMARKS}/log_strata.tsv"
    localrule: True
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
            "cli/strata_data.py",
            "cli/track.py",
            "cli/track_records.py",
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
