"""Why each prediction is as it is.

READS  export/model, harmonised/features.parquet, response/{predictions,out_of_fold_values}.parquet, evaluation/gate.json
WRITES explanations/shap.parquet -> ShapValues, explanations/base.parquet -> BaseValues,
       explanations/importance.parquet -> Importance, explanations/stability.parquet -> ExplanationStability,
       explanations/dependence.parquet -> Dependence, explanations/out_of_fold.parquet -> OutOfFoldValues,
       explanations/out_of_fold_importance.parquet -> Importance
       parts/explanations/, where the people are divided among jobs; goes when they are put together
"""


rule explain_part:
    """Explain some of the people, where they are divided among jobs."""
    input:
        bundle=rules.export_bundle.output.manifest,
        features=rules.harmonise_features.output.features,
        predictions=rules.predict_cohort.output.predictions,
    output:
        temp(directory(f"{RESULTS}/parts/explanations/{{scatteritem}}")),
    log:
        f"{LOGS}/explain_part/{{scatteritem}}.log",
    benchmark:
        f"{BENCHMARKS}/explain_part/{{scatteritem}}.tsv"
    params:
        folder=subpath(input.bundle, parent=True),
        part="{scatteritem}",
        seed=STUDY.seed,
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "models",
            "evaluate",
            "explain",
            "export",
            "cli/explain.py",
        ),
    shell:
        r"""
        nociomics explain part \
            --bundle {params.folder:q} \
            --features {input.features:q} \
            --predictions {input.predictions:q} \
            --seed {params.seed} \
            --part {params.part} \
            --output {output:q} \
            &>{log:q}
        """


rule explain_predictions:
    """Interventional Shapley values of the exported model, in outcome points, checked to add up; no rows behind a closed gate."""
    input:
        bundle=rules.export_bundle.output.manifest,
        features=rules.harmonise_features.output.features,
        predictions=rules.predict_cohort.output.predictions,
        parts=divided(gather.people(f"{RESULTS}/parts/explanations/{{scatteritem}}")),
    output:
        shap=f"{RESULTS}/explanations/shap.parquet",
        base=f"{RESULTS}/explanations/base.parquet",
        importance=f"{RESULTS}/explanations/importance.parquet",
        stability=f"{RESULTS}/explanations/stability.parquet",
        dependence=f"{RESULTS}/explanations/dependence.parquet",
    log:
        f"{LOGS}/explain_predictions.log",
    benchmark:
        f"{BENCHMARKS}/explain_predictions.tsv"
    params:
        folder=subpath(input.bundle, parent=True),
        parts=gathered,
        seed=STUDY.seed,
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "models",
            "evaluate",
            "explain",
            "export",
            "cli/explain.py",
        ),
    shell:
        r"""
        nociomics explain predictions {params.parts} \
            --bundle {params.folder:q} \
            --features {input.features:q} \
            --predictions {input.predictions:q} \
            --seed {params.seed} \
            --shap {output.shap:q} \
            --base {output.base:q} \
            --importance {output.importance:q} \
            --stability {output.stability:q} \
            --dependence {output.dependence:q} \
            &>{log:q}
        """


rule explain_out_of_fold:
    """Explanations by models that did not train on the person, as far as the gate lets them through."""
    input:
        explanations=rules.predict_out_of_fold.output.explanations,
        gate=rules.evaluate_response.output.gate,
        predictions=rules.predict_cohort.output.predictions,
    output:
        explanations=f"{RESULTS}/explanations/out_of_fold.parquet",
        importance=f"{RESULTS}/explanations/out_of_fold_importance.parquet",
    log:
        f"{LOGS}/explain_out_of_fold.log",
    benchmark:
        f"{BENCHMARKS}/explain_out_of_fold.tsv"
    params:
        code=code_digest("errors.py", "tables", "models", "explain", "cli/explain.py"),
    shell:
        r"""
        nociomics explain out-of-fold \
            --values {input.explanations:q} \
            --gate {input.gate:q} \
            --predictions {input.predictions:q} \
            --output {output.explanations:q} \
            --importance {output.importance:q} \
            &>{log:q}
        """
