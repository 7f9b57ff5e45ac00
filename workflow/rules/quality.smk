"""How good the data are; figures that change no value, and the page that a data manager acts on.

READS  ingested/*, harmonised/features.parquet, feature_catalogue.parquet, target.parquet
WRITES quality/genotypes/*.parquet -> tables/genotype_quality.py, quality/*.parquet -> tables/data_quality.py,
       quality/findings.parquet -> Findings, quality/report.html
"""

QUALITY_FIGURES = (
    "distributions",
    "histograms",
    "missingness",
    "missing_patterns",
    "missing_items",
    "batches",
    "batch_shares",
    "components",
    "cross_tables",
    "associations",
    "identical_people",
    "genotype_counts",
)
READINGS = [ingested("readings")]
GENOTYPE_FIGURES = (
    {
        table: f"{RESULTS}/quality/genotypes/{table}.parquet"
        for table in ("variants", "samples", "related", "same_people")
    }
    if has("genotype")
    else {}
)


rule measure_genotypes:
    """Measure genotypes by variant, by person and by pair of people."""
    input:
        genotypes=genotype_manifests(),
        patients=ingested("patients"),
        samples=ingested("genotype_people"),
        responses=ingested("responses") if has("questionnaires") else [],
    output:
        variants=f"{RESULTS}/quality/genotypes/variants.parquet",
        samples=f"{RESULTS}/quality/genotypes/samples.parquet",
        related=f"{RESULTS}/quality/genotypes/related.parquet",
        same_people=f"{RESULTS}/quality/genotypes/same_people.parquet",
        findings=f"{RESULTS}/quality/genotypes/findings.parquet",
    log:
        f"{LOGS}/measure_genotypes.log",
    benchmark:
        f"{BENCHMARKS}/measure_genotypes.tsv"
    params:
        stores=folder_of_stores,
        responses=option(
            "--responses", *([ingested("responses")] if has("questionnaires") else [])
        ),
        folder=subpath(output.findings, parent=True),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "quality",
            "cli/quality.py",
            "cli/quality_figures.py",
        ),
    shell:
        r"""
        nociomics quality genotypes \
            --stores {params.stores:q} \
            --patients {input.patients:q} \
            --samples {input.samples:q} \
            {params.responses} \
            --output {params.folder:q} \
            &>{log:q}
        """


rule measure_quality:
    """Measure distributions, what is missing, batches and duplicates; no value is changed."""
    input:
        patients=ingested("patients"),
        tables=ingested_tables(),
        features=rules.harmonise_features.output.features,
        catalogue=rules.harmonise_features.output.catalogue,
        target=rules.harmonise_features.output.target,
        genotypes=list(GENOTYPE_FIGURES.values()),
    output:
        [f"{RESULTS}/quality/{table}.parquet" for table in QUALITY_FIGURES],
        findings=f"{RESULTS}/quality/measured_findings.parquet",
    log:
        f"{LOGS}/measure_quality.log",
    benchmark:
        f"{BENCHMARKS}/measure_quality.tsv"
    params:
        study=study_without_settings(),
        ingested=subpath(input.patients, parent=True),
        folder=subpath(output.findings, parent=True),
        genotypes=" ".join(
            option(f"--{table.replace('_', '-')}", file)
            for table, file in GENOTYPE_FIGURES.items()
        ),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "quality",
            "cli/quality.py",
            "cli/quality_figures.py",
        ),
    shell:
        r"""
        nociomics quality measure \
            --study {params.study:q} \
            --ingested {params.ingested:q} \
            --features {input.features:q} \
            --catalogue {input.catalogue:q} \
            --target-rows {input.target:q} \
            {params.genotypes} \
            --output {params.folder:q} \
            &>{log:q}
        """


rule report_quality:
    """Gather the findings of all stages into one table and one page."""
    input:
        ingested=ingested("findings"),
        harmonised=f"{RESULTS}/harmonised/findings.parquet",
        measured=rules.measure_quality.output.findings,
        genotypes=(rules.measure_genotypes.output.findings if GENOTYPE_FIGURES else []),
        figures=[f"{RESULTS}/quality/{table}.parquet" for table in QUALITY_FIGURES],
        readings=READINGS,
        safety=rules.harmonise_features.output.safety_items,
        flow=f"{RESULTS}/harmonised/cohort_flow.parquet",
        catalogue=f"{RESULTS}/harmonised/feature_catalogue.parquet",
    output:
        findings=f"{RESULTS}/quality/findings.parquet",
        page=f"{RESULTS}/quality/report.html",
    log:
        f"{LOGS}/report_quality.log",
    benchmark:
        f"{BENCHMARKS}/report_quality.tsv"
    params:
        study=STUDY.study,
        figures=subpath(input.measured, parent=True),
        readings=option("--readings", *READINGS),
        safety=option(
            "--safety",
            *(
                [f"{RESULTS}/harmonised/safety_items.parquet"]
                if has("questionnaires")
                else []
            ),
        ),
        genotypes=option(
            "--findings",
            *(
                [f"{RESULTS}/quality/genotypes/findings.parquet"]
                if GENOTYPE_FIGURES
                else []
            ),
        ),
        code=code_digest("errors.py", "knowledge", "tables", "report", "cli/report.py"),
    shell:
        r"""
        nociomics report quality \
            --study {params.study:q} \
            --findings {input.ingested:q} \
            --findings {input.harmonised:q} \
            --findings {input.measured:q} \
            {params.genotypes} \
            --figures {params.figures:q} \
            {params.readings} \
            {params.safety} \
            --flow {input.flow:q} \
            --catalogue {input.catalogue:q} \
            --table {output.findings:q} \
            --page {output.page:q} \
            &>{log:q}
        """
