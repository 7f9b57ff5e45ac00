"""Response to each treatment: folds, predictions out of fold, the final model.

READS  harmonised/{features,feature_catalogue,target}.parquet, ingested/{dosages,expression}.parquet
WRITES response/splits.parquet -> Splits, response/out_of_fold.parquet -> OutOfFold,
       response/out_of_fold_values.parquet -> OutOfFoldValues (kept for explain_out_of_fold, which asks the gate first),
       response/comparators/{variant}.parquet -> OutOfFold,
       parts/out_of_fold/, parts/comparators/, where the folds are divided among jobs; go when they are put together,
       response/propensities.parquet -> Propensities, response/observation.parquet -> Observation, response/propensity.json, response/model/
"""


rule make_splits:
    """Divide people into folds once, with near-duplicate people kept together."""
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        dosages=ingested("dosages") if TABLES.genotype else [],
        same_people=GENOTYPE_FIGURES.get("same_people", []),
        given=str(DATA / STUDY.splits) if STUDY.splits else [],
    output:
        splits=f"{RESULTS}/response/splits.parquet",
        duplicates=f"{RESULTS}/response/duplicates.parquet",
        group_splits=f"{RESULTS}/response/group_splits.parquet",
    log:
        f"{LOGS}/make_splits.log",
    benchmark:
        f"{BENCHMARKS}/make_splits.tsv"
    params:
        dosages=option("--dosages", *([ingested("dosages")] if TABLES.genotype else [])),
        same_people=(
            option("--same-people", GENOTYPE_FIGURES["same_people"])
            if GENOTYPE_FIGURES
            else ""
        ),
        given=option("--given", *([DATA / STUDY.splits] if STUDY.splits else [])),
        target=section("target"),
        settings=section("folds"),
        seed=STUDY.seed,
        code=code_digest("errors.py", "tables", "models", "cli/response.py"),
    shell:
        r"""
        nociomics response splits \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --target {params.target:q} \
            {params.dosages} {params.same_people} {params.given} \
            --settings {params.settings:q} \
            --seed {params.seed} \
            --splits {output.splits:q} \
            --duplicates {output.duplicates:q} \
            --group-splits {output.group_splits:q} \
            &>{log:q}
        """


rule predict_folds:
    """Predict and explain the people of some outer folds, where the folds are divided among jobs."""
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        candidates=CANDIDATES,
        splits=rules.make_splits.output.splits,
    output:
        temp(directory(f"{RESULTS}/parts/out_of_fold/{{scatteritem}}")),
    log:
        f"{LOGS}/predict_folds/{{scatteritem}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_folds/{{scatteritem}}.tsv"
    params:
        variant="full",
        skip="",
        explanations="--explain",
        part="{scatteritem}",
        target=section("target"),
        blocks=section("blocks"),
        settings=section("response"),
        seed=STUDY.seed,
        code=code_digest(
            "errors.py",
            "tables",
            "models",
            "explain/__init__.py",
            "explain/explanation_tables.py",
            "explain/global_view.py",
            "explain/out_of_fold.py",
            "explain/probability_values.py",
            "explain/shap_values.py",
            "explain/tree_leaves.py",
            "explain/tree_tables.py",
            "cli/response.py",
        ),
    shell:
        r"""
        nociomics response cross-validate-folds \
            --variant {params.variant:q} {params.skip} {params.explanations} \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --splits {input.splits:q} \
            --target {params.target:q} \
            --blocks {params.blocks:q} \
            --settings {params.settings:q} \
            --seed {params.seed} \
            --part {params.part} \
            --output {output:q} \
            &>{log:q}
        """


use rule predict_folds as compare_folds with:
    output:
        temp(directory(f"{RESULTS}/parts/comparators/{{variant}}/{{scatteritem}}")),
    log:
        f"{LOGS}/compare_folds/{{variant}}/{{scatteritem}}.log",
    benchmark:
        f"{BENCHMARKS}/compare_folds/{{variant}}/{{scatteritem}}.tsv"
    params:
        variant="{variant}",
        skip=first_repeat_alone,
        explanations="",


rule predict_out_of_fold:
    """Predict everybody under every treatment by models that never saw that person, and explain by the same models."""
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        candidates=CANDIDATES,
        splits=rules.make_splits.output.splits,
        parts=divided(gather.folds(f"{RESULTS}/parts/out_of_fold/{{scatteritem}}")),
    output:
        predictions=f"{RESULTS}/response/out_of_fold.parquet",
        # goes when explain_out_of_fold has read it: whether people may be explained is known only behind the evaluation
        explanations=temp(f"{RESULTS}/response/out_of_fold_values.parquet"),
    log:
        f"{LOGS}/predict_out_of_fold.log",
    benchmark:
        f"{BENCHMARKS}/predict_out_of_fold.tsv"
    params:
        variant="full",
        skip="",
        parts=gathered,
        explanations=option(
            "--values", f"{RESULTS}/response/out_of_fold_values.parquet"
        ),
        target=section("target"),
        blocks=section("blocks"),
        settings=section("response"),
        seed=STUDY.seed,
        code=code_digest(
            "errors.py",
            "tables",
            "models",
            "explain/__init__.py",
            "explain/explanation_tables.py",
            "explain/global_view.py",
            "explain/out_of_fold.py",
            "explain/probability_values.py",
            "explain/shap_values.py",
            "explain/tree_leaves.py",
            "explain/tree_tables.py",
            "cli/response.py",
        ),
    shell:
        r"""
        nociomics response cross-validate {params.parts} \
            --variant {params.variant:q} {params.skip} {params.explanations} \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --splits {input.splits:q} \
            --target {params.target:q} \
            --blocks {params.blocks:q} \
            --settings {params.settings:q} \
            --seed {params.seed} \
            --output {output.predictions:q} \
            &>{log:q}
        """


use rule predict_out_of_fold as compare_out_of_fold with:
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        candidates=CANDIDATES,
        splits=rules.make_splits.output.splits,
        parts=lambda wildcards: divided(
            gather.folds(
                f"{RESULTS}/parts/comparators/{{variant}}/{{scatteritem}}",
                variant=wildcards.variant,
            )
        ),
    output:
        predictions=f"{RESULTS}/response/comparators/{{variant}}.parquet",
    log:
        f"{LOGS}/compare_out_of_fold/{{variant}}.log",
    benchmark:
        f"{BENCHMARKS}/compare_out_of_fold/{{variant}}.tsv"
    params:
        variant="{variant}",
        skip=first_repeat_alone,
        explanations="",


use rule predict_out_of_fold as hold_out_groups with:
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        candidates=CANDIDATES,
        splits=rules.make_splits.output.group_splits,
    output:
        predictions=f"{RESULTS}/response/held_out_groups.parquet",
    log:
        f"{LOGS}/hold_out_groups.log",
    benchmark:
        f"{BENCHMARKS}/hold_out_groups.tsv"
    params:
        skip="--skip-unlearnable",
        explanations="",


rule estimate_propensities:
    """Estimate who gets which treatment where nobody was randomised, and whose outcome is observed, out of fold."""
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        splits=rules.make_splits.output.splits,
    output:
        propensities=f"{RESULTS}/response/propensities.parquet",
        observation=f"{RESULTS}/response/observation.parquet",
        model=f"{RESULTS}/response/propensity.json",
    log:
        f"{LOGS}/estimate_propensities.log",
    benchmark:
        f"{BENCHMARKS}/estimate_propensities.tsv"
    params:
        target=section("target"),
        blocks=section("blocks"),
        code=code_digest("errors.py", "tables", "models", "cli/propensity.py"),
    shell:
        r"""
        nociomics propensity estimate \
            --target-rows {input.target:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --splits {input.splits:q} \
            --target {params.target:q} \
            --blocks {params.blocks:q} \
            --propensities {output.propensities:q} \
            --observation {output.observation:q} \
            --model {output.model:q} \
            &>{log:q}
        """


rule fit_response:
    """Fit the final model on everybody with an outcome."""
    input:
        target=TRAINING.target,
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        candidates=CANDIDATES,
        splits=rules.make_splits.output.splits,
    output:
        directory(f"{RESULTS}/response/model"),
    log:
        f"{LOGS}/fit_response.log",
    benchmark:
        f"{BENCHMARKS}/fit_response.tsv"
    params:
        target=section("target"),
        blocks=section("blocks"),
        settings=section("response"),
        seed=STUDY.seed,
        code=code_digest("errors.py", "tables", "models", "cli/response.py"),
    shell:
        r"""
        nociomics response fit \
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
