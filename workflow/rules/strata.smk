"""Patient strata, found without outcome or treatment.

READS  harmonised/features.parquet, harmonised/feature_catalogue.parquet
WRITES strata/assignments.parquet -> Assignments, strata/summary.json, strata/model.json,
       strata/associations.parquet, concentrations.parquet, markers.parquet -> tables/results.py, strata/report.json,
       strata/scorecard.json, strata/pain_mechanisms.parquet, strata/mechanism_by_stratum.parquet,
       strata/challengers.parquet -> Challengers
       parts/refits/, where the refits are divided among jobs; goes when they are put together
"""


rule refit_strata:
    """Find strata again in some of the people, a part of the times, where the refits are divided among jobs."""
    input:
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
    output:
        temp(directory(f"{RESULTS}/parts/refits/{{scatteritem}}")),
    log:
        f"{LOGS}/refit_strata/{{scatteritem}}.log",
    benchmark:
        f"{BENCHMARKS}/refit_strata/{{scatteritem}}.tsv"
    params:
        settings=section("strata", without=("challengers", "subsamples")),
        blocks=section("blocks"),
        part="{scatteritem}",
        seed=STUDY.seed,
        code=code_digest(
            "errors.py",
            "tables",
            "models",
            "cli/strata.py",
            "cli/strata_description.py",
        ),
    shell:
        r"""
        nociomics strata refit \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --settings {params.settings:q} \
            --blocks {params.blocks:q} \
            --seed {params.seed} \
            --part {params.part} \
            --output {output:q} \
            &>{log:q}
        """


rule find_strata:
    """Reduce people to factor scores and see whether more than one stratum exists."""
    input:
        features=TRAINING.features,
        everybody=rules.harmonise_features.output.features,
        catalogue=rules.harmonise_features.output.catalogue,
        parts=divided(gather.refits(f"{RESULTS}/parts/refits/{{scatteritem}}")),
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
        settings=section("strata", without=("challengers", "subsamples")),
        blocks=section("blocks"),
        seed=STUDY.seed,
        folder=subpath(output.assignments, parent=True),
        parts=gathered,
        code=code_digest(
            "errors.py",
            "tables",
            "models",
            "cli/strata.py",
            "cli/strata_description.py",
        ),
    shell:
        r"""
        nociomics strata find {params.parts} \
            --features {input.features:q} \
            --everybody {input.everybody:q} \
            --catalogue {input.catalogue:q} \
            --settings {params.settings:q} \
            --blocks {params.blocks:q} \
            --seed {params.seed} \
            --output {params.folder:q} \
            &>{log:q}
        """


rule describe_strata:
    """Say what strata go with, what marks them, and what they are worth."""
    input:
        patients=ingested("patients"),
        tables=[
            ingested(table)
            for table, named in (
                ("biomarkers", "biomarkers"),
                ("expression_samples", "expression"),
            )
            if has(named)
        ],
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        target=TRAINING.target,
        assignments=rules.find_strata.output.assignments,
        scores=rules.find_strata.output.scores,
        summary=rules.find_strata.output.summary,
    output:
        associations=f"{RESULTS}/strata/associations.parquet",
        concentrations=f"{RESULTS}/strata/concentrations.parquet",
        markers=f"{RESULTS}/strata/markers.parquet",
        report=f"{RESULTS}/strata/report.json",
        scorecard=f"{RESULTS}/strata/scorecard.json",
    log:
        f"{LOGS}/describe_strata.log",
    benchmark:
        f"{BENCHMARKS}/describe_strata.tsv"
    params:
        study=study_without_settings(),
        ingested=subpath(input.patients, parent=True),
        settings=section("strata"),
        blocks=section("blocks"),
        seed=STUDY.seed,
        folder=subpath(output.report, parent=True),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "quality",
            "models",
            "evaluate",
            "cli/strata.py",
            "cli/strata_description.py",
        ),
    shell:
        r"""
        nociomics strata describe \
            --study {params.study:q} \
            --ingested {params.ingested:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --target-rows {input.target:q} \
            --assignments {input.assignments:q} \
            --scores {input.scores:q} \
            --summary {input.summary:q} \
            --settings {params.settings:q} \
            --blocks {params.blocks:q} \
            --seed {params.seed} \
            --output {params.folder:q} \
            &>{log:q}
        """


rule judge_pain_mechanisms:
    """Judge every person by published rules for kinds of pain, and cross them with the strata."""
    input:
        features=rules.harmonise_features.output.features,
        assignments=rules.find_strata.output.assignments,
    output:
        mechanisms=f"{RESULTS}/strata/pain_mechanisms.parquet",
        crossed=f"{RESULTS}/strata/mechanism_by_stratum.parquet",
    log:
        f"{LOGS}/judge_pain_mechanisms.log",
    benchmark:
        f"{BENCHMARKS}/judge_pain_mechanisms.tsv"
    params:
        folder=subpath(output.mechanisms, parent=True),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "harmonise/pain_mechanisms.py",
            "evaluate/strata_mechanisms.py",
            "cli/strata.py",
            "cli/strata_description.py",
        ),
    shell:
        r"""
        nociomics strata mechanisms \
            --features {input.features:q} \
            --assignments {input.assignments:q} \
            --output {params.folder:q} \
            &>{log:q}
        """


rule challenge_strata:
    """Group the same people in other ways and compare them with the strata."""
    input:
        features=TRAINING.features,
        catalogue=rules.harmonise_features.output.catalogue,
        model=rules.find_strata.output.model,
    output:
        challengers=f"{RESULTS}/strata/challengers.parquet",
    log:
        f"{LOGS}/challenge_strata.log",
    benchmark:
        f"{BENCHMARKS}/challenge_strata.tsv"
    params:
        settings=section("strata"),
        seed=STUDY.seed,
        code=code_digest(
            "errors.py",
            "tables",
            "models",
            "cli/strata.py",
            "cli/strata_description.py",
        ),
    shell:
        r"""
        nociomics strata challenge \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --model {input.model:q} \
            --settings {params.settings:q} \
            --seed {params.seed} \
            --output {output.challengers:q} \
            &>{log:q}
        """
