"""Star alleles, phenotypes and drug advice of 187 invented people and five genes: `nociomics pgx` as a whole process.

Beside it PyPGx 0.27.0, which needs phased data (or a reference panel), a fresh environment with an older pandas, and
Java for nothing here. It gets the first 20 people only: all 187 take it minutes. Both are counted as whole processes,
from the start of Python to the last file. The check value is the diplotype of every one of these 20 people in every
gene.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.jobs import Absent

GENES = ("CYP2B6", "CYP2C19", "CYP2C9", "CYP3A5", "UGT1A1")
PEOPLE, PEER_PEOPLE = 187, 20
# Shares of alleles as found in people of European descent, rounded; what is left is the first.
SHARES = {
    "CYP2B6": {"*1": 0, "*6": 0.23, "*5": 0.11, "*4": 0.04, "*18": 0.01},
    "CYP2C19": {"*1": 0, "*2": 0.15, "*17": 0.22, "*3": 0.01, "*38": 0.02},
    "CYP2C9": {"*1": 0, "*2": 0.13, "*3": 0.08, "*8": 0.01},
    "CYP3A5": {"*3": 0, "*1": 0.07, "*6": 0.01},
    "UGT1A1": {"*1": 0, "*80+*28": 0.3, "*6": 0.01},
}
VERSION = "0.27.0"
_COMMAND = "from nociomics.cli import main; main()"


def make(folder: Path) -> None:
    """Write all people phased with every position of the five genes, and the first of them alone, bgzipped."""
    random = np.random.default_rng(1)
    drawn = {gene: random.choice(list(shares), (PEOPLE, 2), p=_shares(shares)) for gene, shares in SHARES.items()}
    write_people(folder / "people.vcf", drawn, PEOPLE)
    write_people(folder / "first.vcf", drawn, PEER_PEOPLE)


def _shares(shares: dict[str, float]) -> list[float]:
    first, *others = shares.values()
    return [first or 1 - sum(others), *others]


def write_people(path: Path, drawn: dict[str, np.ndarray], people: int, phased: bool = True) -> None:
    """Write a VCF of GRCh38 with every position of the genes."""
    from nociomics.knowledge.pharmacogene import load_allele_definitions, load_variants

    bases: dict[tuple[str, str], dict[str, str]] = {}
    for gene, allele, rsid, text in load_allele_definitions().select("gene", "allele", "rsid", "allele_bases").rows():
        bases.setdefault((gene, allele), {})[rsid] = (text or "").split("|")[0]
    lines = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    lines += [f"##contig=<ID=chr{n}>" for n in range(1, 23)]
    lines.append(
        "\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split() + [f"S{i:05}" for i in range(people)])
    )
    sites = [row for row in load_variants().iter_rows(named=True) if row["gene"] in drawn]
    for site in sorted(sites, key=lambda s: (int(s["chrom"][3:]), s["pos_grch38"])):
        alleles = [site["ref_grch38"], *site["alts_grch38"].split(",")]
        code = {
            name: str(alleles.index(bases[site["gene"], name].get(site["rsid"], alleles[0])))
            for name in set(drawn[site["gene"]][:people].ravel())
        }
        cells = [("|" if phased else "/").join(code[n] for n in pair) for pair in drawn[site["gene"]][:people]]
        fixed = [site["chrom"], str(site["pos_grch38"]), site["rsid"], alleles[0], ",".join(alleles[1:])]
        lines.append("\t".join([*fixed, ".", "PASS", ".", "GT", *cells]))
    path.write_text("\n".join(lines) + "\n")


def run_pgx(genotypes: Path, output: Path) -> Path:
    """Run the command in a process of its own and return its calls."""
    command = [sys.executable, "-c", _COMMAND, "pgx", str(genotypes), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return output / "calls.csv"


def ours(folder: Path) -> Any:
    """Read, call, advise and write all 187 people, five genes and all others besides."""
    calls = run_pgx(folder / "people.vcf", folder / "ours")
    found: dict[str, list[str]] = {}
    with calls.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            if row["gene"] in GENES and int(row["sample"][1:]) < PEER_PEOPLE:
                found.setdefault(row["gene"], []).append(_ordered(row["diplotype_top"]))
    return found


def _ordered(diplotype: str) -> str:
    return "|".join(sorted("/".join(sorted(pair.split("/"))) for pair in diplotype.split("|")))


_PROGRAM = """
import json, sys, zipfile, io, resource
from pypgx.api import pipeline
folder, genes = sys.argv[1], sys.argv[2].split(",")
import warnings; warnings.simplefilter("ignore")
began = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
found = {}
for gene in genes:
    out = f"{folder}/pypgx_{gene}"
    pipeline.run_ngs_pipeline(gene, out, variants=f"{folder}/first.vcf.gz", assembly="GRCh38", force=True)
    packed = zipfile.ZipFile(f"{out}/results.zip")
    name = [n for n in packed.namelist() if n.endswith("data.tsv")][0]
    lines = packed.read(name).decode().splitlines()
    column = lines[0].split("\\t").index("Genotype")
    rows = sorted(line.split("\\t") for line in lines[1:])
    found[gene] = [row[column] for row in rows]
json.dump(found, open(f"{folder}/pypgx.json", "w"))
"""


def prepare_pypgx(folder: Path) -> None:
    """Make the throw-away environment and the indexed file that PyPGx wants; not timed."""
    if shutil.which("uv") is None or shutil.which("bgzip") is None or shutil.which("tabix") is None:
        raise Absent("uv, bgzip or tabix is not on the path")
    environment = folder / "environment"
    if not (environment / "bin/python").exists():
        for command in (
            ["uv", "venv", "-q", "--python", "3.11", str(environment)],
            [
                "uv",
                "pip",
                "install",
                "-q",
                "--python",
                str(environment / "bin/python"),
                f"pypgx=={VERSION}",
                "pandas<3",
            ],
        ):
            if subprocess.run(command, capture_output=True, check=False).returncode:
                raise Absent(f"PyPGx {VERSION} could not be installed")
    subprocess.run(["bgzip", "-kf", str(folder / "first.vcf")], check=True)
    subprocess.run(["tabix", "-f", "-p", "vcf", str(folder / "first.vcf.gz")], check=True)


def pypgx(folder: Path) -> Any:
    """Run its pipeline for phased variants, gene by gene."""
    python = folder / "environment/bin/python"
    if not python.exists():
        raise Absent(f"PyPGx {VERSION} is not installed")
    command = [str(python), "-c", _PROGRAM, str(folder), ",".join(GENES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"PyPGx failed: {done.stderr[-300:]}")
    found = json.loads((folder / "pypgx.json").read_text())
    return {gene: [_ordered(pair) for pair in pairs] for gene, pairs in found.items()}


MAKE: Callable[[Path], None] = make
CASES = {"nociomics pgx, 187 people": ours, f"PyPGx {VERSION}, 20 of them": pypgx}
SETUP = {f"PyPGx {VERSION}, 20 of them": prepare_pypgx}
OURS = "nociomics pgx, 187 people"
AIMS = {f"PyPGx {VERSION}, 20 of them": ("at_least", 5)}
