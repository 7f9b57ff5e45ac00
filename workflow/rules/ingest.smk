"""Foreign files become contract tables; all problems of all tables are named at once.

READS  every file of the study
WRITES ingested/genotype/<number>/ -> tables/genotype_store.py, one store per genotype file
       ingested/*.parquet -> tables/ingested.py, ingested/findings.parquet -> Findings
       inputs.json, the SHA-256 of every file of the study
"""


rule convert_genotypes:
    """Convert one genotype file, once: a change in another table does not read it again."""
    input:
        genotype_files,
    output:
        manifest=f"{STORES}/{{number}}/manifest.json",
    log:
        f"{LOGS}/convert_genotypes/{{number}}.log",
    benchmark:
        f"{BENCHMARKS}/convert_genotypes/{{number}}.tsv"
    priority: 10
    params:
        source=genotype_path,
        build=genotype_build,
        data=data_root,
        files=genotype_marks,
        folder=subpath(output.manifest, parent=True),
        code=code_digest("errors.py", "knowledge", "tables", "ingest", "cli/ingest.py"),
    shell:
        r"""
        nociomics ingest genotypes \
            --source {params.source:q} \
            --build {params.build} \
            --data {params.data:q} \
            --output {params.folder:q} \
            &>{log:q}
        """


rule ingest_tables:
    """Read and check every table of the study."""
    input:
        source_files(),
        genotypes=genotype_manifests(),
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
        files=source_marks,
        folder=subpath(output[0], parent=True),
        stores=folder_of_stores,
        code=code_digest("errors.py", "knowledge", "tables", "ingest", "cli/ingest.py"),
    shell:
        r"""
        nociomics ingest tables \
            --study {params.study:q} \
            --data {params.data:q} \
            --stores {params.stores:q} \
            --output {params.folder:q} \
            &>{log:q}
        """


rule digest_inputs:
    """Note the checksum of every file of the study, by which a run can be reproduced."""
    input:
        source_files(),
        genotypes=genotype_manifests(),  # whose files are more than the study names
    output:
        f"{RESULTS}/inputs.json",
    log:
        f"{LOGS}/digest_inputs.log",
    benchmark:
        f"{BENCHMARKS}/digest_inputs.tsv"
    params:
        study=study_without_settings(),
        data=data_root,
        files=source_marks,
        code=code_digest(
            "errors.py",
            "tables",
            "ingest/__init__.py",
            "ingest/input_digests.py",
            "cli/ingest.py",
        ),
    shell:
        r"""
        nociomics ingest inputs \
            --study {params.study:q} \
            --data {params.data:q} \
            --output {output:q} \
            &>{log:q}
        """
