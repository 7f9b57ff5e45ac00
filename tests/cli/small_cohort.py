"""A small sound study with every table, of which the tests break one thing each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nociomics.cli.options import study_section
from nociomics.tables.study import Study

PEOPLE = [f"SECRET-{number:03d}" for number in range(60)]
Files = dict[str, str | bytes | None]
Break = Callable[[Files, dict[str, Any]], None]


def csv(header: str, rows: list[str]) -> str:
    """A header line and the rows."""
    return "\n".join([header, *rows]) + "\n"


def files() -> Files:
    """Every table, without a problem."""
    people = list(enumerate(PEOPLE))
    calls = ["0/1" if number % 3 else "0/0" for number, _ in people]
    return {
        "patients.csv": csv(
            "patient_id,age,sex,site,bpi_severity",
            [f"{p},{30 + i % 40},{'FM'[i % 2]},s{i % 3},{3 + i % 6}" for i, p in people],
        ),
        "genotypes.vcf": "\n".join(
            [
                "##fileformat=VCFv4.2",
                "##contig=<ID=chr22,length=50818468>",
                "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *PEOPLE]),
                "\t".join(["chr22", "19963748", "rs4680", "G", "A", ".", "PASS", ".", "GT", *calls]),
            ]
        )
        + "\n",
        "cytokines.csv": csv("patient_id,analyte,value,unit", [f"{p},IL-6,{1 + i % 7}.5,pg/mL" for i, p in people]),
        "questionnaires.csv": csv("patient_id,pcs_1,pcs_2", [f"{p},{i % 5},{i % 4}" for i, p in people]),
        "treatments.csv": csv(
            "patient_id,arm,assignment", [f"{p},{('drug', 'placebo')[i % 2]},randomised" for i, p in people]
        ),
        "outcomes.csv": csv("patient_id,pain_week12,well", [f"{p},{i % 9},{i % 2}" for i, p in people]),
        "proteins.csv": csv("patient_id,p1,p2", [f"{p},{i / 10},{i / 7:.3f}" for i, p in people]),
    }


def study() -> dict[str, Any]:
    """The study file as a mapping."""
    return {
        "study": "small",
        "tracking": {"enabled": False},
        "tables": {
            "patients": "patients.csv",
            "genotype": "genotypes.vcf",
            "biomarkers": "cytokines.csv",
            "questionnaires": "questionnaires.csv",
            "treatments": "treatments.csv",
            "outcomes": "outcomes.csv",
            "blocks": [{"name": "proteins", "path": "proteins.csv"}],
        },
        "target": {"kind": "change", "outcome": "pain_week12", "baseline": "bpi_severity", "treatment": "arm"},
    }


def field(file: str, row: int, column: int, value: str) -> Break:
    """Replace one field of a file; row 1 is the first after the header."""

    def change(tables: Files, _: dict[str, Any]) -> None:
        text = tables[file]
        assert isinstance(text, str)
        lines = text.splitlines()
        fields = lines[row].split(",")
        fields[column] = value
        lines[row] = ",".join(fields)
        tables[file] = "\n".join(lines) + "\n"

    return change


def content(file: str, text: str | bytes | None) -> Break:
    """Replace a whole file, or leave it out."""

    def change(tables: Files, _: dict[str, Any]) -> None:
        tables[file] = text

    return change


def replaced(file: str, old: str, new: str) -> Break:
    """Replace some text of a file."""

    def change(tables: Files, _: dict[str, Any]) -> None:
        text = tables[file]
        assert isinstance(text, str) and old in text
        tables[file] = text.replace(old, new)

    return change


def target(**keys: Any) -> Break:
    """Change keys of the target; None leaves a key out."""

    def change(_: Files, asked: dict[str, Any]) -> None:
        asked["target"] = {key: value for key, value in {**asked["target"], **keys}.items() if value is not None}

    return change


@dataclass(frozen=True)
class Folder:
    """A study written to disk."""

    path: Path

    @property
    def study(self) -> Path:
        """The study file."""
        return self.path / "study.yaml"

    @property
    def study_json(self) -> str:
        """What the workflow hands to the stage commands."""
        asked = yaml.safe_load(self.study.read_text(encoding="utf-8"))
        return study_section(
            json.dumps({name: asked[name] for name in Study.model_fields if name in asked})
        ).model_dump_json()


def written(folder: Path, *breaks: Break) -> Folder:
    """Write the study with these breaks."""
    tables, asked = files(), study()
    for change in breaks:
        change(tables, asked)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "study.yaml").write_text(yaml.safe_dump(asked, sort_keys=False), encoding="utf-8")
    return Folder(folder)
