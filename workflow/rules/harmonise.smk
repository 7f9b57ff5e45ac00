"""Contract tables become one row of features per person, and one row of the target.

READS  ingested/*.parquet, pgx/calls.parquet
WRITES harmonised/features.parquet -> Features, harmonised/feature_catalogue.parquet -> FeatureCatalogue,
       harmonised/target.parquet -> TargetRows, harmonised/cohort_flow.parquet -> CohortFlow
GIVES  TRAINING, the features and target of the people whom models learn from: everybody, or training/*.parquet
"""


rule harmonise_features:
    """Score questionnaires, convert units, and lay every feature out with its catalogue."""
    input:
        patients=ingested("patients"),
        tables=ingested_tables(),
        pgx=f"{RESULTS}/pgx/calls.parquet" if has("genotype", "diplotypes") else [],
        stores=genotype_manifests() if has("polygenic_scores") else [],
        instruments=own_instruments(),
    output:
        features=f"{RESULTS}/harmonised/features.parquet",
        catalogue=f"{RESULTS}/harmonised/feature_catalogue.parquet",
        target=f"{RESULTS}/harmonised/target.parquet",
        flow=f"{RESULTS}/harmonised/cohort_flow.parquet",
        scores=(
            [
                f"{RESULTS}/harmonised/score_{table}.parquet"
                for table in ("coverage", "matches")
            ]
            if has("polygenic_scores")
            else []
        ),
        safety_items=f"{RESULTS}/harmonised/safety_items.parquet",
        findings=f"{RESULTS}/harmonised/findings.parquet",
    log:
        f"{LOGS}/harmonise_features.log",
    benchmark:
        f"{BENCHMARKS}/harmonise_features.tsv"
    params:
        study=study_without_settings(),
        ingested=subpath(input.patients, parent=True),
        folder=subpath(output.features, parent=True),
        pgx=option(
            "--pgx-calls",
            *(
                [f"{RESULTS}/pgx/calls.parquet"]
                if has("genotype", "diplotypes")
                else []
            ),
        ),
        instruments=" ".join(option("--instrument", file) for file in own_instruments()),
        stores=option("--stores", *([STORES] if has("polygenic_scores") else [])),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "pharmacogenomics",
            "harmonise",
            "models/fitness.py",
            "models/outcome_copies.py",
            "preparation.py",
            "cli/harmonise.py",
        ),
    shell:
        r"""
        nociomics harmonise features \
            --study {params.study:q} \
            --ingested {params.ingested:q} \
            {params.pgx} \
            {params.instruments} {params.stores} \
            --output {params.folder:q} \
            &>{log:q}
        """


TRAINING = rules.harmonise_features.output

if STUDY.training_sample.people is not None:

    rule sample_people:
        """Draw the people whom models learn from, in a cohort that holds more than they need."""
        input:
            features=rules.harmonise_features.output.features,
            target=rules.harmonise_features.output.target,
        output:
            features=f"{RESULTS}/training/features.parquet",
            target=f"{RESULTS}/training/target.parquet",
        log:
            f"{LOGS}/sample_people.log",
        benchmark:
            f"{BENCHMARKS}/sample_people.tsv"
        params:
            people=STUDY.training_sample.people,
            seed=STUDY.seed,
            folder=subpath(output.features, parent=True),
            code=code_digest(
                "errors.py",
                "tables",
                "models/training_sample.py",
                "models/people_order.py",
                "cli/harmonise.py",
            ),
        shell:
            r"""
            nociomics harmonise sample \
                --features {input.features:q} \
                --target-rows {input.target:q} \
                --people {params.people} \
                --seed {params.seed} \
                --output {params.folder:q} \
                &>{log:q}
            """

    TRAINING = rules.sample_people.output
