"""Patient strata, found without outcome or treatment.

READS  harmonised/features.parquet, harmonised/feature_catalogue.parquet
WRITES strata/assignments.parquet -> Assignments, strata/summary.json, strata/model.json
"""


rule find_strata:
    """Reduce people to factor scores and see whether more than one stratum exists."""
    input:
        features=rules.harmonise_features.output.features,
        catalogue=rules.harmonise_features.output.catalogue,
    output:
        assignments=f"{RESULTS}/strata/assignments.parquet",
        summary=f"{RESULTS}/strata/summary.json",
        scores=f"{RESULTS}/strata/factor_scores.parquet",
        model=f"{RESULTS}/strata/model.json",
    log:
        f"{LOGS}/find_strata.log",
    benchmark:
        f"{BENCHMARKS}/find_strata.tsv"
    params:
        settings=section("strata"),
        blocks=section("blocks"),
        seed=STUDY.seed,
        folder=subpath(output.assignments, parent=True),
        code=code_digest("errors.py", "tables", "models", "cli/strata.py"),
    shell:
        r"""
        nociomics strata find \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --settings {params.settings:q} \
            --blocks {params.blocks:q} \
            --seed {params.seed} \
            --output {params.folder:q} \
            &>{log:q}
        """
