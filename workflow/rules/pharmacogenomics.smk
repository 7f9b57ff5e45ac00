"""Pharmacogene calls and drug advice.

READS  ingested/pharmacogene_genotypes.parquet, ingested/diplotypes.parquet
WRITES pgx/calls.parquet -> PgxCalls, pgx/recommendations.parquet -> PgxRecommendations
"""


rule call_pharmacogenes:
    """Call every pharmacogene and look up the advice for every pain drug."""
    input:
        patients=ingested("patients"),
        genotypes=ingested("pharmacogene_genotypes") if TABLES.genotype else [],
        diplotypes=ingested("diplotypes") if TABLES.diplotypes else [],
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
            --calls {output.calls:q} \
            --recommendations {output.recommendations:q} \
            &>{log:q}
        """
