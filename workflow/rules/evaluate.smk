"""How good the predictions are, beside simpler ones, and what may therefore be said.

READS  response/out_of_fold.parquet, response/comparators/*.parquet, harmonised/target.parquet
WRITES evaluation/metrics.json, evaluation/gate.json, evaluation/curves.json, evaluation/arms.parquet
"""


rule evaluate_response:
    """Measure discrimination, calibration, benefit and heterogeneity out of fold, with intervals."""
    input:
        out_of_fold=rules.predict_out_of_fold.output,
        comparators=expand(
            f"{RESULTS}/response/comparators/{{variant}}.parquet", variant=COMPARATORS
        ),
        held_out=f"{RESULTS}/response/held_out_groups.parquet" if HAS_GROUPS else [],
        target=rules.harmonise_features.output.target,
        features=rules.harmonise_features.output.features,
        catalogue=rules.harmonise_features.output.catalogue,
        splits=rules.make_splits.output.splits,
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
        seed=STUDY.seed,
        folder=subpath(output.metrics, parent=True),
        code=code_digest("errors.py", "tables", "evaluate", "cli/evaluate.py"),
    shell:
        r"""
        nociomics evaluate response \
            --out-of-fold {input.out_of_fold:q} \
            {params.comparators} {params.held_out} \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --splits {input.splits:q} \
            --target {params.target:q} \
            --seed {params.seed} \
            --output {params.folder:q} \
            &>{log:q}
        """
