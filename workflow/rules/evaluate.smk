"""How good the predictions are, beside simpler ones, and what may therefore be said.

READS  response/out_of_fold.parquet, response/adverse_out_of_fold.parquet, response/comparators/*.parquet, harmonised/target.parquet,
       response/permutations/*.parquet, response/learning/*.parquet, response/propensities.parquet, response/observation.parquet, response/propensity.json
WRITES evaluation/metrics.json, evaluation/gate.json, evaluation/curves.json, evaluation/arms.parquet
"""


rule evaluate_response:
    """Measure discrimination, calibration, benefit and heterogeneity out of fold, with intervals."""
    input:
        out_of_fold=rules.predict_out_of_fold.output.predictions,
        comparators=expand(
            f"{RESULTS}/response/comparators/{{variant}}.parquet", variant=COMPARATORS
        ),
        held_out=f"{RESULTS}/response/held_out_groups.parquet" if HAS_GROUPS else [],
        permutations=permutation_results(),
        learning=learning_results(),
        adverse=(
            rules.predict_adverse_out_of_fold.output.out_of_fold if HAS_ADVERSE else []
        ),
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        splits=rules.make_splits.output.splits,
        propensity=rules.estimate_propensities.output.propensities,
        propensity_model=rules.estimate_propensities.output.model,
        observation=rules.estimate_propensities.output.observation,
    output:
        metrics=f"{RESULTS}/evaluation/metrics.json",
        gate=f"{RESULTS}/evaluation/gate.json",
        curves=f"{RESULTS}/evaluation/curves.json",
        arms=f"{RESULTS}/evaluation/arms.parquet",
    log:
        f"{LOGS}/evaluate_response.log",
    benchmark:
        f"{BENCHMARKS}/evaluate_response.tsv"
    params:
        comparators=option(
            "--comparator",
            *[
                f"{RESULTS}/response/comparators/{variant}.parquet"
                for variant in COMPARATORS
            ],
        ),
        target=section("target"),
        held_out=option(
            "--held-out-groups",
            *([f"{RESULTS}/response/held_out_groups.parquet"] if HAS_GROUPS else []),
        ),
        adverse=option(
            "--adverse",
            *(
                [f"{RESULTS}/response/adverse_out_of_fold.parquet"]
                if HAS_ADVERSE
                else []
            ),
        ),
        permutations=option("--permutations", *permutation_results()),
        learning=option("--learning", *learning_results()),
        seed=STUDY.seed,
        folder=subpath(output.metrics, parent=True),
        code=code_digest(
            "errors.py",
            "tables",
            "models",
            "evaluate",
            "cli/evaluate.py",
        ),
    shell:
        r"""
        nociomics evaluate response \
            --out-of-fold {input.out_of_fold:q} \
            {params.comparators} {params.held_out} {params.adverse} \
            {params.permutations} {params.learning} \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --splits {input.splits:q} \
            --propensity {input.propensity:q} \
            --propensity-model {input.propensity_model:q} \
            --observation {input.observation:q} \
            --target {params.target:q} \
            --seed {params.seed} \
            --output {params.folder:q} \
            &>{log:q}
        """
