"""The whole pipeline again: on outcomes dealt out anew, and on fewer people. One job per part, so a cluster takes them.

READS  harmonised/{features,feature_catalogue,target}.parquet, response/splits.parquet
WRITES response/permutations/{number}.parquet -> Permutations, response/learning/{share}.parquet -> OutOfFold
"""


rule permute_outcomes:
    """Measure what the pipeline finds where there is nothing to find; the first part holds the real outcomes too."""
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        candidates=CANDIDATES,
        splits=rules.make_splits.output.splits,
    output:
        f"{RESULTS}/response/permutations/{{number}}.parquet",
    log:
        f"{LOGS}/permute_outcomes/{{number}}.log",
    benchmark:
        f"{BENCHMARKS}/permute_outcomes/{{number}}.tsv"
    params:
        first=lambda wildcards: wildcards.number,
        count_=lambda wildcards: permutation_parts()[int(wildcards.number)],
        target=section("target"),
        blocks=section("blocks"),
        settings=section("response"),
        seed=STUDY.seed,
        code=code_digest(
            "errors.py", "tables", "models", "evaluate", "cli/resampling.py"
        ),
    shell:
        r"""
        nociomics resampling permute \
            --first {params.first} \
            --count {params.count_} \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --splits {input.splits:q} \
            --target {params.target:q} \
            --blocks {params.blocks:q} \
            --settings {params.settings:q} \
            --seed {params.seed} \
            --output {output:q} \
            &>{log:q}
        """


rule learn_from_fewer:
    """Predict out of fold from a share of each training part: one point of the learning curve."""
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        candidates=CANDIDATES,
        splits=rules.make_splits.output.splits,
    output:
        f"{RESULTS}/response/learning/{{share}}.parquet",
    log:
        f"{LOGS}/learn_from_fewer/{{share}}.log",
    benchmark:
        f"{BENCHMARKS}/learn_from_fewer/{{share}}.tsv"
    params:
        share=lambda wildcards: wildcards.share,
        target=section("target"),
        blocks=section("blocks"),
        settings=section("response"),
        seed=STUDY.seed,
        code=code_digest("errors.py", "tables", "models", "cli/resampling.py"),
    shell:
        r"""
        nociomics resampling learn-from-fewer \
            --share {params.share} \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --splits {input.splits:q} \
            --target {params.target:q} \
            --blocks {params.blocks:q} \
            --settings {params.settings:q} \
            --seed {params.seed} \
            --output {output:q} \
            &>{log:q}
        """
