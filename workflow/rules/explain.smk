"""Why each prediction is as it is.

READS  export/model, harmonised/features.parquet
WRITES explanations/shap.parquet -> ShapValues, explanations/base.parquet -> BaseValues,
       explanations/importance.parquet -> Importance, explanations/stability.parquet -> ExplanationStability
"""


rule explain_predictions:
    """Interventional Shapley values of the exported model, in outcome points, checked to add up; no rows behind a closed gate."""
    input:
        bundle=rules.export_bundle.output.manifest,
        features=rules.harmonise_features.output.features,
        predictions=rules.predict_cohort.output.predictions,
    output:
        shap=f"{RESULTS}/explanations/shap.parquet",
        base=f"{RESULTS}/explanations/base.parquet",
        importance=f"{RESULTS}/explanations/importance.parquet",
        stability=f"{RESULTS}/explanations/stability.parquet",
    log:
        f"{LOGS}/explain_predictions.log",
    benchmark:
        f"{BENCHMARKS}/explain_predictions.tsv"
    params:
        folder=subpath(input.bundle, parent=True),
        seed=STUDY.seed,
        code=code_digest(
            "errors.py",
            "tables",
            "models",
            "evaluate",
            "explain",
            "export",
            "cli/explain.py",
        ),
    shell:
        r"""
        nociomics explain predictions \
            --bundle {params.folder:q} \
            --features {input.features:q} \
            --predictions {input.predictions:q} \
            --seed {params.seed} \
            --shap {output.shap:q} \
            --base {output.base:q} \
            --importance {output.importance:q} \
            --stability {output.stability:q} \
            &>{log:q}
        """
