"""The bundle that services load, and the cohort's own predictions made with it.

READS  response/model, response/propensity.json, response/out_of_fold.parquet, strata/model.json, evaluation/{metrics,gate}.json
WRITES export/model/ (its manifest.json, written last, stands for the whole folder), response/predictions.parquet -> Predictions, response/effects.parquet -> Effects
       parts/predictions/, where the people are divided among jobs; goes when they are put together
"""


rule export_bundle:
    """Gather model, strata, gate, intervals, schema and golden rows into one folder with hashes."""
    input:
        model=rules.fit_response.output,
        adverse=rules.predict_adverse_out_of_fold.output.model if HAS_ADVERSE else [],
        strata=rules.find_strata.output.model,
        out_of_fold=rules.predict_out_of_fold.output.predictions,
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        metrics=rules.evaluate_response.output.metrics,
        gate=rules.evaluate_response.output.gate,
        propensity=rules.estimate_propensities.output.model,
    output:
        manifest=f"{RESULTS}/export/model/manifest.json",
    log:
        f"{LOGS}/export_bundle.log",
    benchmark:
        f"{BENCHMARKS}/export_bundle.tsv"
    params:
        study=STUDY.study,
        adverse=option(
            "--adverse",
            *([f"{RESULTS}/response/adverse_model"] if HAS_ADVERSE else []),
        ),
        folder=subpath(output.manifest, parent=True),
        level=STUDY.response.level,
        background=STUDY.response.background_people,
        seed=STUDY.seed,
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "models",
            "evaluate",
            "explain",
            "export",
            "cli/export.py",
        ),
    shell:
        r"""
        nociomics export bundle \
            --study {params.study:q} \
            --model {input.model:q} \
            --strata {input.strata:q} {params.adverse} \
            --out-of-fold {input.out_of_fold:q} \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --metrics {input.metrics:q} \
            --gate {input.gate:q} \
            --propensity {input.propensity:q} \
            --level {params.level} \
            --background {params.background} \
            --seed {params.seed} \
            --output {params.folder:q} \
            &>{log:q}
        """


rule predict_part:
    """Predict some of the people, where they are divided among jobs."""
    input:
        bundle=rules.export_bundle.output.manifest,
        features=rules.harmonise_features.output.features,
        target=rules.harmonise_features.output.target,
    output:
        temp(directory(f"{RESULTS}/parts/predictions/{{scatteritem}}")),
    log:
        f"{LOGS}/predict_part/{{scatteritem}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_part/{{scatteritem}}.tsv"
    params:
        folder=subpath(input.bundle, parent=True),
        part="{scatteritem}",
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "models",
            "evaluate",
            "explain",
            "export",
            "cli/export.py",
        ),
    shell:
        r"""
        nociomics export predict-part \
            --bundle {params.folder:q} \
            --features {input.features:q} \
            --target-rows {input.target:q} \
            --part {params.part} \
            --output {output:q} \
            &>{log:q}
        """


rule predict_cohort:
    """Predict everyone in the study with the exported bundle, as any service would."""
    input:
        bundle=rules.export_bundle.output.manifest,
        features=rules.harmonise_features.output.features,
        target=rules.harmonise_features.output.target,
        patients=ingested("patients"),
        parts=divided(gather.people(f"{RESULTS}/parts/predictions/{{scatteritem}}")),
    output:
        predictions=f"{RESULTS}/response/predictions.parquet",
        effects=f"{RESULTS}/response/effects.parquet",
    log:
        f"{LOGS}/predict_cohort.log",
    benchmark:
        f"{BENCHMARKS}/predict_cohort.tsv"
    params:
        folder=subpath(input.bundle, parent=True),
        harm_weight=harm_weight(),
        parts=gathered,
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "models",
            "evaluate",
            "explain",
            "export",
            "cli/export.py",
        ),
    shell:
        r"""
        nociomics export predict {params.parts} \
            --bundle {params.folder:q} \
            --features {input.features:q} \
            --target-rows {input.target:q} \
            --patients {input.patients:q} {params.harm_weight} \
            --predictions {output.predictions:q} \
            --effects {output.effects:q} \
            &>{log:q}
        """
