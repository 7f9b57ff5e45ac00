"""Paths and digests that the rules share; no science.

READS  the merged config -> STUDY (nociomics.config.Config)
GIVES  RESULTS, LOGS, section(), code_digest(), has(), divided(), final_results()
"""

import functools
import hashlib
import json
import shlex
from pathlib import Path

from nociomics.config import SECTIONS, code_digest, data_folder, workflow_study

STUDY, STUDY_FOLDER = workflow_study(
    config, [Path(str(p)) for p in workflow.overwrite_configfiles]
)
DATA = data_folder(STUDY, STUDY_FOLDER)
RESULTS = f"results/{STUDY.study}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
BUNDLE = f"{RESULTS}/export/model"
STORES = f"{RESULTS}/ingested/genotype"
ROOT = Path(str(workflow.current_basedir)).parents[1]
CANDIDATES = f"{ROOT}/config/models/candidates.csv"
TABLES = STUDY.tables
TARGET = STUDY.target
HAS_GROUPS = TARGET is not None and TARGET.groups is not None
HAS_ADVERSE = TARGET is not None and TARGET.adverse_event is not None
HAS_TREATMENTS = TARGET is not None and TARGET.treatment is not None
OMICS = [
    *(["genotype"] if TABLES.genotype else []),
    *(["pgx"] if TABLES.genotype or TABLES.diplotypes else []),
    *(name for name in ("expression", "biomarkers") if getattr(TABLES, name)),
    *sorted({block.name for block in TABLES.blocks}),
]
BLOCK_GAINS = (
    [f"without_{name}" for name in OMICS] if STUDY.resampling.block_gains else []
)
COMPARATORS = [
    *(["treatment_only", "without_treatment"] if HAS_TREATMENTS else []),
    "clinical_only",
    *BLOCK_GAINS,
]


# How many jobs share one step: --set-scatter folds=5 refits=4 people=7, or `set-scatter` in a profile. A matter of the
# engine, not of the study: no result depends on it.
scattergather:
    folds=1,
    refits=1,
    people=1,


wildcard_constraints:
    variant="|".join(COMPARATORS),
    number=r"\d+",


def section(name, without=()):
    """One section of the study as JSON: a rule re-runs when its own section changes, and only then.

    Keys that a rule does not read are left out for it. How harm is weighed is left out of the target, since no model
    learns from it, so nothing is learned anew for it.
    """
    value = getattr(STUDY, name)
    dumped = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
    if name == "target" and dumped is not None:
        dumped.pop("harm_weight")
    for key in without:
        dumped.pop(key)
    return json.dumps(dumped, sort_keys=True)


def harm_weight():
    """The study's weight of harm, as an option for the one command that uses it."""
    given = None if TARGET is None else TARGET.harm_weight
    return "" if given is None else f"--harm-weight {given!r}"


def study_without_settings():
    """The study's own keys as JSON, for the one command that reads its tables."""
    left_out = {**dict.fromkeys(SECTIONS, True), "target": {"harm_weight"}}
    return json.dumps(STUDY.model_dump(mode="json", exclude=left_out), sort_keys=True)


def has(*tables):
    """Whether the study names any of these tables."""
    return any(getattr(TABLES, table) for table in tables)


def data_root(wildcards):
    """The folder that the study's own paths start from; no input tells it, since they may lie anywhere below."""
    return str(DATA)


def source_files():
    """Every file that the study names, so that a change in one re-runs its reading."""
    files = []
    for table in type(TABLES).model_fields:
        for source in getattr(TABLES, table):
            files += [DATA / file for file in source.files]
    files += [Path(path) for path in own_instruments()]
    if STUDY.splits:
        files.append(DATA / STUDY.splits)
    return sorted({str(file) for file in files})


@functools.cache
def mark(path):
    """What tells a file's content: its checksum, or of a large one (as in the profiles) its size and time.

    Snakemake looks only at files that are newer than the results. A file of another content may be dated before them,
    copied with its own time or written by a wrong clock.
    """
    file = Path(path)
    if not file.is_file():
        return None
    stat = file.stat()
    if stat.st_size > 100_000_000:
        return [stat.st_size, stat.st_mtime_ns]
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def source_marks(wildcards):
    return [mark(file) for file in source_files()]


def genotype_marks(wildcards):
    return [mark(file) for file in genotype_files(wildcards)]


def own_instruments():
    """Definitions of the study's own questionnaires."""
    return [str(DATA / path) for path in STUDY.instruments]


PLINK_COMPANIONS = {
    ".bed": (".bim", ".fam"),
    ".pgen": (".pvar", ".pvar.zst", ".psam"),
}


def genotype_path(wildcards):
    """One genotype file, as the study writes it."""
    return TABLES.genotype[int(wildcards.number) - 1].path


def genotype_build(wildcards):
    """Its genome build, as the study says."""
    return TABLES.genotype[int(wildcards.number) - 1].build


def genotype_files(wildcards):
    """One genotype file, and the files of its PLINK set that are there: the command names those that are not."""
    path = DATA / genotype_path(wildcards)
    others = [path.with_suffix(end) for end in PLINK_COMPANIONS.get(path.suffix, ())]
    return [str(path), *(str(other) for other in others if other.is_file())]


def genotype_manifests():
    """The manifests of the converted genotype files, in the study's order."""
    numbers = range(1, len(TABLES.genotype) + 1)
    return [f"{STORES}/{number}/manifest.json" for number in numbers]


def folder_of_stores(wildcards, input):
    """The folder that holds one store per genotype file; where they would lie in a study without genotypes."""
    return str(Path(input.genotypes[0]).parents[1]) if input.genotypes else STORES


def ingested(table):
    return f"{RESULTS}/ingested/{table}.parquet"


def ingested_tables():
    """The contract tables that reading this study gives."""
    made = ["patients", "covariates", "flow", "findings", "origins", "readings"]
    if TABLES.genotype:
        made += ["dosages", "variants", "pharmacogene_genotypes", "genotype_people"]
    made += ["score_weights"] if TABLES.polygenic_scores else []
    made += ["expression", "expression_samples"] if TABLES.expression else []
    tmm = any(source.normalise == "tmm" for source in TABLES.expression)
    made += ["expression_reference"] if tmm else []
    made += ["responses", "scores"] if TABLES.questionnaires else []
    made += [
        table
        for table in (
            "diplotypes",
            "biomarkers",
            "treatments",
            "treatment_history",
            "outcomes",
        )
        if has(table)
    ]
    made += sorted({f"block_{block.name}" for block in TABLES.blocks})
    return [ingested(table) for table in made]


def divided(folders):
    """What the parts of a step write; nothing where one job does the whole step, as it does unless asked otherwise."""
    return folders if len(folders) > 1 else []


def gathered(wildcards, input):
    """The parts of a step, as options for the command that puts them together."""
    return " ".join(option("--gather", part) for part in input.get("parts", []))


def first_repeat_alone(wildcards):
    """What one block adds is told by the first repeat of the folds: another cross-validation for each block."""
    return "--first-repeat" if wildcards.variant in BLOCK_GAINS else ""


def permutation_parts():
    """First permutation -> how many, of every job; number 0 is the outcomes as they are."""
    wanted, at_once = (
        STUDY.resampling.permutations,
        STUDY.resampling.permutations_per_job,
    )
    last = wanted + 1 if wanted else 0
    return {first: min(at_once, last - first) for first in range(0, last, at_once)}


def permutation_results():
    return [
        f"{RESULTS}/response/permutations/{first}.parquet"
        for first in permutation_parts()
    ]


def learning_results():
    shares = STUDY.resampling.learning_shares
    return [f"{RESULTS}/response/learning/{share:g}.parquet" for share in shares]


def final_results():
    """What `rule all` asks for."""
    made = [
        f"{RESULTS}/inputs.json",
        f"{RESULTS}/quality/report.html",
        f"{RESULTS}/strata/assignments.parquet",
        f"{RESULTS}/strata/report.html",
        f"{RESULTS}/strata/report.json",
        f"{RESULTS}/strata/challengers.parquet",
        f"{RESULTS}/strata/mechanism_by_stratum.parquet",
        f"{RESULTS}/report.html",
    ]
    if has("genotype", "diplotypes"):
        made += [
            f"{RESULTS}/pgx/calls.parquet",
            f"{RESULTS}/pgx/recommendations.parquet",
            f"{RESULTS}/pgx/cards",
        ]
    if TARGET is not None:
        made += [
            f"{RESULTS}/explanations/shap.parquet",
            f"{RESULTS}/explanations/out_of_fold.parquet",
            f"{BUNDLE}/manifest.json",
            f"{RESULTS}/profiles",
            f"{RESULTS}/evaluation/tripod.html",
        ]
        made += [f"{RESULTS}/tracking.json"] if STUDY.tracking.enabled else []
    made += [f"{RESULTS}/strata/tracking.json"] if STUDY.tracking.enabled else []
    return made


def option(flag, *files):
    """A command-line option for files that a study may lack; nothing when it does."""
    return " ".join(f"{flag} {shlex.quote(str(file))}" for file in files)
