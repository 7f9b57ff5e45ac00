"""What ingest hands to harmonise: the study's tables, read and checked, nothing converted."""

from __future__ import annotations

from nociomics.tables.contract import Column, Contract

HARM_WEIGHT = "harm_weight"
"""Column of patients with a person's own weight of harm; never a feature."""
_ID = Column("patient_id", meaning="the study's own id")

PATIENTS = Contract(
    "patients",
    (
        _ID,
        Column("age", "number", null=True, low=0, high=130, required=False, meaning="years"),
        Column(
            HARM_WEIGHT,
            "number",
            null=True,
            low=0,
            required=False,
            meaning="the person's own: benefit that one adverse event outweighs; never a feature",
        ),
    ),
    key=("patient_id",),
    open=True,
    row="one person; further columns are numbers or text",
)

COVARIATES = Contract(
    "covariates",
    (
        Column("column", meaning="column of patients"),
        Column("measured_at", meaning="baseline, or the word the study gives"),
    ),
    key=("column",),
    row="one covariate of patients",
)

DOSAGES = Contract(
    "dosages",
    (_ID,),
    key=("patient_id",),
    open=True,
    row="one genotyped person; one column per variant: copies of ALT (Int8, or Float64), null when not called",
)

VARIANTS = Contract(
    "variants",
    (
        Column("variant", meaning="column of dosages: rsID, or chrom_pos_ref_alt"),
        Column("chrom", null=True),
        Column("pos", "integer", null=True),
        Column("ref", null=True),
        Column("alt", null=True, meaning="the counted allele"),
        Column("call_rate", "number", low=0, high=1),
        Column("alt_frequency", "number", null=True, low=0, high=1),
    ),
    key=("variant",),
    row="one variant",
)

GENOTYPE_PEOPLE = Contract(
    "genotype_people",
    (
        _ID,
        Column("sample", meaning="as in the genotype file"),
        Column("store", meaning="folder below ingested/genotype that holds its calls"),
    ),
    key=("patient_id", "store"),
    row="one person of the study in one store of genotypes",
)

PHARMACOGENE_GENOTYPES = Contract(
    "pharmacogene_genotypes",
    (
        _ID,
        Column("gene"),
        Column("rsid", meaning="of knowledge/pgx/variants.csv or pain_variants.csv"),
        Column("build", allowed=("GRCh37", "GRCh38")),
        Column(
            "call_state",
            allowed=(
                "called",
                "no_call",
                "half_call",
                "filtered",
                "strand_flipped",
                "unknown_base",
                "strand_ambiguous",
            ),
        ),
        Column("base_1", null=True, meaning="base or sequence on the plus strand as in the table; null unless called"),
        Column("base_2", null=True, meaning="null too for a haploid call"),
        Column("phased", "boolean"),
        Column("phase_set", null=True, meaning="PS value; calls share phase only within one"),
    ),
    key=("patient_id", "rsid"),
    row="one person at one position of the pharmacogene tables; a position that the file lacks has no row",
)

DIPLOTYPES = Contract(
    "diplotypes",
    (_ID, Column("gene"), Column("diplotype", null=True, meaning="as written elsewhere, such as *1x2/*4")),
    key=("patient_id", "gene"),
    row="one outside call",
)

EXPRESSION = Contract(
    "expression",
    (_ID,),
    key=("patient_id",),
    open=True,
    row="one person's sample; one Float32 column per gene, as measured (counts, TPM or log2)",
)

EXPRESSION_REFERENCE = Contract(
    "expression_reference",
    (Column("gene"), Column("count", "number", low=0)),
    key=("gene",),
    row="one gene of the fixed profile that normalise: tmm compares every sample with",
)

EXPRESSION_SAMPLES = Contract(
    "expression_samples",
    (_ID, Column("batch", null=True), Column("collected_at", null=True, required=False)),
    key=("patient_id",),
    row="one person's sample",
)

BIOMARKERS = Contract(
    "biomarkers",
    (
        _ID,
        Column("analyte", meaning="id of knowledge/biomarkers.csv"),
        Column("value", "number", null=True, meaning="as reported; the limit for a non-detect"),
        Column("unit", meaning="as reported"),
        Column("below_lod", "boolean"),
        Column("lod", "number", null=True, meaning="in the reported unit"),
        Column("above_limit", "boolean", required=False, meaning="the value is the upper limit, as in >500"),
        Column("plate", null=True),
        Column("specimen", null=True),
        Column("collected_at", null=True),
        Column("standard", null=True, required=False, meaning="WHO standard that an IU value refers to"),
        Column("minutes_since_waking", "number", null=True, required=False),
    ),
    row="one measurement",
)

RESPONSES = Contract(
    "responses",
    (
        _ID,
        Column("visit"),
        Column("instrument", meaning="id of knowledge/instruments"),
        Column("item", meaning="item id of the instrument file"),
        Column("response", "number", null=True, meaning="on the item's own range, before any reversal"),
        Column("answered_at", "time", null=True, required=False),
    ),
    key=("patient_id", "visit", "instrument", "item"),
    row="one answer",
)

SCORES = Contract(
    "scores",
    (_ID, Column("visit"), Column("instrument"), Column("scale"), Column("score", "number", null=True)),
    key=("patient_id", "visit", "instrument", "scale"),
    row="one score that came scored",
)

TREATMENTS = Contract(
    "treatments",
    (
        _ID,
        Column("arm"),
        Column("assignment", allowed=("randomised", "observational")),
        Column("started_at", "time", null=True, required=False),
    ),
    key=("patient_id",),
    open=True,
    row="one treated person",
)

TREATMENT_HISTORY = Contract(
    "treatment_history",
    (
        _ID,
        Column("drug", meaning="as written, in lower case"),
        Column("dose", "number", null=True),
        Column("dose_unit", null=True),
        Column("route", null=True),
        Column("started_at", "time", null=True),
        Column("stopped_at", "time", null=True),
        Column("response", null=True, allowed=("none", "partial", "good"), meaning="what it did for the pain"),
        Column("adverse_event", null=True, meaning="as written"),
        Column("stopped_for_harm", "boolean", null=True),
    ),
    row="one earlier or present treatment of one person",
)

ORIGINS = Contract(
    "origins",
    (
        Column("table", meaning="contract table, or block_<name>"),
        Column("name", meaning="column, item (pcs/1), analyte, gene or variant of that table; * for all of them"),
        Column("file", meaning="as the study writes it"),
        Column("column", null=True, meaning="column of the file; null where names and file columns are the same"),
    ),
    row="where one part of a contract table came from",
)

READINGS = Contract(
    "readings",
    (
        Column("table"),
        Column("file", null=True),
        Column("step", meaning="what was done: read, matched, left out, combined, converted"),
        Column("rows_in", "integer", low=0),
        Column("rows_out", "integer", low=0),
        Column("rule", meaning="why, in words"),
    ),
    row="one step of reading one table",
)

OUTCOMES = Contract(
    "outcomes", (_ID,), key=("patient_id",), open=True, row="one person; one column per outcome, null = not observed"
)

BLOCK = Contract(
    "block",
    (_ID,),
    key=("patient_id",),
    open=True,
    row="one person; one Float64 column per feature (Float32 from files of 64 MB and more)",
)
