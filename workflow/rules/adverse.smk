"""Harm beside benefit: the adverse event that the study names, modelled on the same folds as the response.

READS  harmonised/{features,feature_catalogue,target}.parquet, response/splits.parquet
WRITES response/adverse_out_of_fold.parquet -> OutOfFold, response/adverse_model/ (model.json when there were enough events, status.json always)
"""


rule predict_adverse_out_of_fold:
    """Predict the adverse event under every treatment, out of fold and finally, or say why it cannot be."""
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        splits=rules.make_splits.output.splits,
    output:
        out_of_fold=f"{RESULTS}/response/adverse_out_of_fold.parquet",
        model=directory(f"{RESULTS}/response/adverse_model"),
    log:
        f"{LOGS}/predict_adverse_out_of_fold.log",
    benchmark:
        f"{BENCHMARKS}/predict_adverse_out_of_fold.tsv"
    params:
        target=section("target"),
        blocks=section("blocks"),
        settings=section("response"),
        seed=STUDY.seed,
        code=code_digest("errors.py", "tables", "models", "cli/adverse.py"),
    shell:
        r"""
        nociomics adverse fit \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --splits {input.splits:q} \
            --target {params.target:q} \
            --blocks {params.blocks:q} \
            --settings {params.settings:q} \
            --seed {params.seed} \
            --out-of-fold {output.out_of_fold:q} \
            --model {output.model:q} \
            &>{log:q}
        """
