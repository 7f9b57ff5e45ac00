"""Read 200 positions of an indexed VCF of 200 samples and 200,000 records.

Our modules are imported before the clock runs: a panel is read within a program that has them already. The start of
bcftools is part of its figure.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
from benchmarks.jobs import Absent

from nociomics.ingest.indexed_panel import read_panel
from nociomics.ingest.notes import Notes
from nociomics.ingest.vcf import NO_CALL, VcfReading

SAMPLES, RECORDS, STEP, PANEL = 200, 200_000, 1_200, 200
_TEXT, _FILE, _REGIONS = "plain.vcf", "cohort.vcf.gz", "panel.tsv"
_CELLS = np.array([b"0/0:31:99", b"0/1:24:80", b"1/1:15:51", b"./.:0:0"], dtype=object)
_CALL_SHARES = (0.6, 0.28, 0.1, 0.02)


def MAKE(folder: Path) -> None:
    """Write an invented VCF, compressed in blocks by bgzip, and a panel of positions spread over it."""
    random = np.random.default_rng(3)
    with (folder / _TEXT).open("wb") as file:
        file.write(b"##fileformat=VCFv4.2\n##contig=<ID=1,length=248956422>\n")
        for key in (b"GT,Number=1,Type=String", b"DP,Number=1,Type=Integer", b"GQ,Number=1,Type=Integer"):
            file.write(b"##FORMAT=<ID=" + key + b',Description="invented">\n')
        names = b"\t".join(b"S%d" % number for number in range(SAMPLES))
        file.write(b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t" + names + b"\n")
        for record in range(RECORDS):
            calls = _CELLS[random.choice(len(_CELLS), SAMPLES, p=_CALL_SHARES)]
            site = b"1\t%d\trs%d\tA\tG\t50\tPASS\t.\tGT:DP:GQ\t" % (1 + STEP * record, record)
            file.write(site + b"\t".join(calls.tolist()) + b"\n")
    picked = np.sort(random.choice(RECORDS, PANEL, replace=False))
    (folder / _REGIONS).write_text("".join(f"1\t{1 + STEP * row}\t{1 + STEP * row}\n" for row in picked))


def _index(folder: Path) -> None:
    if (folder / f"{_FILE}.tbi").is_file():
        return
    for tool in ("bgzip", "bcftools"):
        if shutil.which(tool) is None:
            raise Absent(f"{tool} is not on the path")
    with (folder / _FILE).open("wb") as file:
        subprocess.run(["bgzip", "-c", folder / _TEXT], stdout=file, check=True)
    (folder / _TEXT).unlink()
    subprocess.run(["bcftools", "index", "-t", folder / _FILE], check=True)


def _panel(folder: Path) -> list[tuple[str, int, int]]:
    rows = [line.split("\t") for line in (folder / _REGIONS).read_text().splitlines()]
    return [(chrom, int(first), int(last)) for chrom, first, last in rows]


def ours(folder: Path) -> dict[str, int]:
    """Read the blocks that the index names."""
    records = list(read_panel(folder / _FILE, _panel(folder), VcfReading(_FILE), Notes("genotype")))
    first, second = np.stack([r.first for r in records]), np.stack([r.second for r in records])
    alternatives, missing = int((first == 1).sum() + (second == 1).sum()), int((first == NO_CALL).sum())
    return {"records": len(records), "alt": alternatives, "missing": missing}


def cyvcf2_regions(folder: Path) -> dict[str, int]:
    """Ask cyvcf2 for one region after the other."""
    try:
        from cyvcf2 import VCF
    except ImportError as error:
        raise Absent("cyvcf2 is not installed") from error
    variants = VCF(str(folder / _FILE))
    calls = [v.genotype.array() for c, a, b in _panel(folder) for v in variants(f"{c}:{a}-{b}")]
    whole = np.stack(calls)[:, :, :2]
    return {"records": len(calls), "alt": int((whole == 1).sum()), "missing": int((whole[:, :, 0] == -1).sum())}


def bcftools_query(folder: Path) -> dict[str, int]:
    """Let bcftools print the genotypes."""
    if shutil.which("bcftools") is None:
        raise Absent("bcftools is not on the path")
    command = ["bcftools", "query", "-R", str(folder / _REGIONS), "-f", "[%GT\t]\n", str(folder / _FILE)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {"records": text.count("\n"), "alt": text.count("1"), "missing": text.count("./.")}


CASES = {"nociomics": ours, "bcftools query -R": bcftools_query, "cyvcf2": cyvcf2_regions}
SETUP = dict.fromkeys(CASES, _index)
OURS = "nociomics"
AIMS = {"bcftools query -R": ("at_most", 1.3)}
