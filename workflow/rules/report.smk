"""Pages that people read without a network.

READS  every result of the study
WRITES report.html, figures/<category>/<figure>.svg and .csv, strata/report.html, evaluation/tripod.html, profiles/<patient_id>.html, pgx/cards/<patient_id>.html,
       parts/profiles/, where the people are divided among jobs; goes when they are put together
"""


rule report_cohort:
    """One page: who was in, what was harmonised, how good, which strata, what drives predictions."""
    input:
        final=[
            ingested("patients"),
            rules.report_quality.output.findings,
            rules.harmonise_features.output.flow,
            rules.harmonise_features.output.catalogue,
            rules.find_strata.output.summary,
            rules.find_strata.output.assignments,
            rules.describe_strata.output.associations,
        ],
        predicted=(
            [
                rules.evaluate_response.output.metrics,
                rules.evaluate_response.output.gate,
                rules.evaluate_response.output.curves,
                rules.evaluate_response.output.arms,
                rules.predict_cohort.output.predictions,
                rules.predict_cohort.output.effects,
                rules.explain_predictions.output.importance,
                rules.explain_predictions.output.stability,
                rules.explain_predictions.output.dependence,
            ]
            if TARGET is not None
            else []
        ),
        features=rules.harmonise_features.output.features,
    output:
        page=report(
            f"{RESULTS}/report.html",
            caption="../report/cohort.rst",
            category="Cohort",
            labels={"study": STUDY.study, "figure": "the whole report"},
        ),
        figures=report(
            directory(f"{RESULTS}/figures"),
            patterns=["{category}/{figure}.svg"],
            caption="../report/figures.rst",
            category="{category}",
            labels={"study": STUDY.study, "figure": "{figure}"},
        ),
    log:
        f"{LOGS}/report_cohort.log",
    benchmark:
        f"{BENCHMARKS}/report_cohort.tsv"
    params:
        study=json.dumps(STUDY.model_dump(mode="json"), sort_keys=True),
        results=subpath(output.page, parent=True),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "models/settings.py",
            "config.py",
            "report",
            "cli/report.py",
            "cli/strata_data.py",
        ),
    shell:
        r"""
        nociomics report cohort \
            --study {params.study:q} \
            --results {params.results:q} \
            --output {output.page:q} \
            --figures {output.figures:q} \
            &>{log:q}
        """


rule report_tripod:
    """The TRIPOD+AI checklist, filled with what the run knows."""
    input:
        flow=rules.harmonise_features.output.flow,
        catalogue=rules.harmonise_features.output.catalogue,
        target=rules.harmonise_features.output.target,
        findings=rules.report_quality.output.findings,
        splits=rules.make_splits.output.splits,
        metrics=rules.evaluate_response.output.metrics,
        gate=rules.evaluate_response.output.gate,
        curves=rules.evaluate_response.output.curves,
        arms=rules.evaluate_response.output.arms,
        model=rules.fit_response.output,
    output:
        report(
            f"{RESULTS}/evaluation/tripod.html",
            caption="../report/tripod.rst",
            category="Cohort",
            labels={"study": STUDY.study, "figure": "TRIPOD+AI checklist"},
        ),
    log:
        f"{LOGS}/report_tripod.log",
    benchmark:
        f"{BENCHMARKS}/report_tripod.tsv"
    params:
        study=json.dumps(STUDY.model_dump(mode="json"), sort_keys=True),
        results=subpath(output[0], ancestor=2),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "pharmacogenomics",
            "models/settings.py",
            "config.py",
            "report",
            "cli/checklist.py",
        ),
    shell:
        r"""
        nociomics checklist tripod \
            --study {params.study:q} \
            --results {params.results:q} \
            --output {output:q} \
            &>{log:q}
        """


rule report_strata:
    """One page on strata: evidence, pictures, markers, what they go with, the rules beside them, other ways of grouping."""
    input:
        patients=ingested("patients"),
        features=rules.harmonise_features.output.features,
        training=TRAINING.features,
        found=rules.find_strata.output,
        described=rules.describe_strata.output,
        judged=rules.judge_pain_mechanisms.output,
        challengers=rules.challenge_strata.output.challengers,
    output:
        report(
            f"{RESULTS}/strata/report.html",
            caption="../report/strata.rst",
            category="Strata",
            labels={"study": STUDY.study, "figure": "the strata page"},
        ),
    log:
        f"{LOGS}/report_strata.log",
    benchmark:
        f"{BENCHMARKS}/report_strata.tsv"
    params:
        study=json.dumps(STUDY.model_dump(mode="json"), sort_keys=True),
        results=subpath(output[0], ancestor=2),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "quality",
            "models",
            "config.py",
            "report",
            "cli/report.py",
            "cli/strata_data.py",
        ),
    shell:
        r"""
        nociomics report strata \
            --study {params.study:q} \
            --results {params.results:q} \
            --output {output:q} \
            &>{log:q}
        """


rule report_profiles:
    """One page per patient."""
    input:
        features=rules.harmonise_features.output.features,
        catalogue=rules.harmonise_features.output.catalogue,
        safety=rules.harmonise_features.output.safety_items,
        strata=rules.find_strata.output,
        associations=rules.describe_strata.output.associations,
        mechanisms=rules.judge_pain_mechanisms.output.mechanisms,
        pgx=f"{RESULTS}/pgx/calls.parquet" if has("genotype", "diplotypes") else [],
        metrics=rules.evaluate_response.output.metrics,
        gate=rules.evaluate_response.output.gate,
        arms=rules.evaluate_response.output.arms,
        predictions=rules.predict_cohort.output.predictions,
        effects=rules.predict_cohort.output.effects,
        shap=rules.explain_predictions.output.shap,
        base=rules.explain_predictions.output.base,
        stability=rules.explain_predictions.output.stability,
        dates=[
            *([ingested("responses")] if has("questionnaires") else []),
            *([ingested("biomarkers")] if has("biomarkers") else []),
        ],
        # a part has none itself
        parts=lambda wildcards: (
            []
            if hasattr(wildcards, "scatteritem")
            else divided(gather.people(f"{RESULTS}/parts/profiles/{{scatteritem}}"))
        ),
    output:
        directory(f"{RESULTS}/profiles"),
    log:
        f"{LOGS}/report_profiles.log",
    benchmark:
        f"{BENCHMARKS}/report_profiles.tsv"
    params:
        study=json.dumps(STUDY.model_dump(mode="json"), sort_keys=True),
        results=subpath(output[0], parent=True),
        part="",
        parts=gathered,
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "config.py",
            "report",
            "models",
            "cli/report.py",
            "cli/profile_data.py",
            "cli/profile_folder.py",
            "cli/strata_data.py",
        ),
    shell:
        r"""
        nociomics report profiles {params.part} {params.parts} \
            --study {params.study:q} \
            --results {params.results:q} \
            --output {output:q} \
            &>{log:q}
        """


use rule report_profiles as report_profile_part with:
    output:
        temp(directory(f"{RESULTS}/parts/profiles/{{scatteritem}}")),
    log:
        f"{LOGS}/report_profile_part/{{scatteritem}}.log",
    benchmark:
        f"{BENCHMARKS}/report_profile_part/{{scatteritem}}.tsv"
    params:
        results=subpath(output[0], ancestor=3),
        part="--part {scatteritem}",


rule report_pgx_cards:
    """One pharmacogenomic card per patient."""
    input:
        calls=f"{RESULTS}/pgx/calls.parquet",
        recommendations=f"{RESULTS}/pgx/recommendations.parquet",
    output:
        directory(f"{RESULTS}/pgx/cards"),
    log:
        f"{LOGS}/report_pgx_cards.log",
    benchmark:
        f"{BENCHMARKS}/report_pgx_cards.tsv"
    params:
        study=STUDY.study,
        people=option(
            "--people",
            *([STUDY.profiles.people] if STUDY.profiles.people is not None else []),
        ),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "report",
            "cli/report.py",
        ),
    shell:
        r"""
        nociomics report pgx-cards \
            --calls {input.calls:q} \
            --recommendations {input.recommendations:q} \
            --study {params.study:q} {params.people} \
            --output {output:q} \
            &>{log:q}
        """
