"""Foreign files become contract tables; all problems of all tables are named at once.

READS  every file of the study
WRITES ingested/*.parquet -> tables/ingested.py, ingested/findings.parquet -> Findings
"""


rule ingest_tables:
    """Read and check every table of the study."""
    input:
        source_files(),
    output:
        ingested_tables(),
    log:
        f"{LOGS}/ingest_tables.log",
    benchmark:
        f"{BENCHMARKS}/ingest_tables.tsv"
    # a bad table is told before anything else is begun
    priority: 10
    params:
        study=study_without_settings(),
        data=data_root,
        folder=subpath(output[0], parent=True),
        code=code_digest("errors.py", "knowledge", "tables", "ingest", "cli/ingest.py"),
    shell:
        r"""
        nociomics ingest tables \
            --study {params.study:q} \
            --data {params.data:q} \
            --output {params.folder:q} \
            &>{log:q}
        """
