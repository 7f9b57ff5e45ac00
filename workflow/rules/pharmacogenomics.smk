"""Pharmacogene calls and drug advice.

READS  ingested/patients.parquet, and of these what the study has: ingested/pharmacogene_genotypes.parquet,
       ingested/diplotypes.parquet, ingested/treatment_history.parquet and treatments.parquet (for inhibitors)
WRITES pgx/calls.parquet -> PgxCalls, pgx/recommendations.parquet -> PgxRecommendations
"""


rule call_pharmacogenes:
    """Call every pharmacogene and look up the advice for every pain drug."""
    input:
        patients=ingested("patients"),
        genotypes=ingested("pharmacogene_genotypes") if TABLES.genotype else [],
        diplotypes=ingested("diplotypes") if TABLES.diplotypes else [],
        medications=[
            ingested(table)
            for table in ("treatment_history", "treatments")
            if TABLES.treatment_history and has(table)
        ],
    output:
        calls=f"{RESULTS}/pgx/calls.parquet",
        recommendations=f"{RESULTS}/pgx/recommendations.parquet",
    log:
        f"{LOGS}/call_pharmacogenes.log",
    benchmark:
        f"{BENCHMARKS}/call_pharmacogenes.tsv"
    params:
        genotypes=option(
            "--genotypes",
            *([ingested("pharmacogene_genotypes")] if TABLES.genotype else []),
        ),
        diplotypes=option(
            "--diplotypes", *([ingested("diplotypes")] if TABLES.diplotypes else [])
        ),
        history=option(
            "--treatment-history",
            *([ingested("treatment_history")] if TABLES.treatment_history else []),
        ),
        treatments=option(
            "--treatments",
            *(
                [ingested("treatments")]
                if TABLES.treatment_history and has("treatments")
                else []
            ),
        ),
        indication=option(
            "--indication", *([STUDY.indication] if STUDY.indication else [])
        ),
        code=code_digest(
            "errors.py",
            "knowledge",
            "tables",
            "pharmacogenomics",
            "preparation.py",
            "cli/pharmacogenes.py",
        ),
    shell:
        r"""
        nociomics pharmacogenes call \
            --patients {input.patients:q} \
            {params.genotypes} {params.diplotypes} \
            {params.history} {params.treatments} {params.indication} \
            --calls {output.calls:q} \
            --recommendations {output.recommendations:q} \
            &>{log:q}
        """
