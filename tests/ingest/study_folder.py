"""A small sound study in a folder, for tests that break one thing of it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from nociomics.ingest.study_tables import IngestedStudy, read_study
from nociomics.tables.finding import Finding
from nociomics.tables.study import Study

PEOPLE = [f"SECRET-{number:03d}" for number in range(60)]
STUDY: dict[str, Any] = {
    "study": "small",
    "tables": {
        "patients": "patients.csv",
        "genotype": "genotypes.vcf",
        "diplotypes": "diplotypes.csv",
        "expression": {"path": "expression.csv", "samples": "samples.csv"},
        "biomarkers": "biomarkers.csv",
        "questionnaires": "questionnaires.csv",
        "treatments": "treatments.csv",
        "outcomes": "outcomes.csv",
        "blocks": [{"name": "proteins", "path": "proteins.csv"}],
    },
    "target": {"kind": "change", "outcome": "pain_week12", "baseline": "pain", "treatment": "arm"},
}


def csv_text(header: str, rows: list[str]) -> str:
    """One header line and the rows."""
    return "\n".join([header, *rows]) + "\n"


def sound_files() -> dict[str, str]:
    """Every table of the small study, without a problem."""
    people = list(enumerate(PEOPLE))
    vcf = ["##fileformat=VCFv4.2", "##contig=<ID=chr22,length=50818468>"]
    vcf.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *PEOPLE]))
    calls = ["0/0" if i % 3 else "0/1" for i, _ in people]
    vcf.append("\t".join(["chr22", "19963748", "rs4680", "G", "A", ".", "PASS", ".", "GT", *calls]))
    return {
        "patients.csv": csv_text(
            "patient_id,age,sex,pain,site", [f"{p},{30 + i % 40},{'FM'[i % 2]},{i % 10},s{i % 3}" for i, p in people]
        ),
        "genotypes.vcf": "\n".join(vcf) + "\n",
        "diplotypes.csv": csv_text("patient_id,cyp2d6_diplotype", [f"{p},*1/*4" for p in PEOPLE]),
        "expression.csv": csv_text("patient_id,COMT,OPRM1", [f"{p},{i},{2 * i}" for i, p in people]),
        "samples.csv": csv_text("patient_id,batch,collected_at", [f"{p},b{i % 2},2024-01-01" for i, p in people]),
        "biomarkers.csv": csv_text(
            "patient_id,analyte,value,unit,collected_at", [f"{p},IL-6,{i % 7}.5,pg/mL,2024-01-01" for i, p in people]
        ),
        "questionnaires.csv": csv_text("patient_id,pcs_1,pcs_2", [f"{p},{i % 5},{i % 4}" for i, p in people]),
        "treatments.csv": csv_text(
            "patient_id,arm,assignment,started_at",
            [f"{p},{('drug', 'placebo')[i % 2]},randomised,2024-01-10" for i, p in people],
        ),
        "outcomes.csv": csv_text("patient_id,pain_week12", [f"{p},{i % 9}" for i, p in people]),
        "proteins.csv": csv_text("patient_id,p1,p2", [f"{p},{i / 10},{i / 7:.3f}" for i, p in people]),
    }


def study_of(**changes: Any) -> dict[str, Any]:
    """The small study's description, with tables replaced by name (``target`` and ``include`` too)."""
    study = deepcopy(STUDY)
    for name, value in changes.items():
        place = study if name in ("target", "include") else study["tables"]
        place[name] = value
    return study


def read_in(folder: Path, files: dict[str, str | bytes | None], study: dict[str, Any] | None = None) -> IngestedStudy:
    """Write the sound study with some files replaced (None removes one), and read it."""
    for name, content in {**sound_files(), **files}.items():
        if content is not None:
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_study(Study.model_validate(study or STUDY), folder)


def fatal(read: IngestedStudy) -> list[Finding]:
    """The findings that stop the run."""
    return [finding for finding in read.findings if finding.severity == "fatal"]


def only_fatal(read: IngestedStudy) -> str:
    """The message of the only fatal finding; no finding at all shows a patient's id."""
    found = fatal(read)
    assert len(found) == 1, [finding.message for finding in found]
    assert not any("SECRET" in finding.message for finding in read.findings)
    return found[0].message
