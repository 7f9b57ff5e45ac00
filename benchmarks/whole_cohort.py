"""Time the way from raw files to features.parquet.

1,000 people x (500,000 variants, 20,000 genes, 12 analytes, 150 items):

    python benchmarks/whole_cohort.py DIR [--people 1000] [--variants 500000] [--genes 20000]

The files are made in DIR once (5 GB of VCF text, packed); the run is `nociomics run` up to harmonised/features.parquet,
on 2 cores. The aim is 60 s on the wall and 2 GB of memory for all its processes together.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl

_INSTRUMENTS = {"pcs": (13, 4), "bdi_ii": (21, 3), "bpi_int": (7, 10), "dn4": (10, 1), "phq_9": (9, 3), "gad_7": (7, 3)}
_MORE = {"csi": (25, 4), "cpaq_20": (20, 6), "pseq": (10, 6), "isi": (7, 4), "sf_mpq_2": (21, 10)}
_ANALYTES = ("il6", "tnf_alpha", "il1b", "il8", "il10", "crp", "ccl2", "acth", "vitd", "dheas", "cgrp", "ngf")


def make(folder: Path, people: int, variants: int, genes: int) -> None:
    """Write the raw files."""
    rng = np.random.default_rng(1)
    ids = [f"P{number:05d}" for number in range(people)]
    pl.DataFrame({"patient_id": ids, "age": rng.integers(20, 80, people)}).write_csv(folder / "patients.csv")
    _write_vcf(folder / "genotypes.vcf.gz", ids, variants, rng)
    counts = rng.negative_binomial(2, 0.01, (genes, people))
    pl.DataFrame({"gene": [f"ENSG{g:011d}" for g in range(genes)]}).hstack(
        pl.from_numpy(counts, schema=ids, orient="row")
    ).write_csv(folder / "counts.tsv", separator="\t")
    items = {
        f"{name}_{item + 1}": rng.integers(0, top + 1, people)
        for name, (number, top) in {**_INSTRUMENTS, **_MORE}.items()
        for item in range(number)
    }
    pl.DataFrame({"patient_id": ids, **items}).write_csv(folder / "answers.csv")
    rows = [
        (who, analyte, f"{value:.3f}")
        for analyte in _ANALYTES
        for who, value in zip(ids, rng.gamma(2, 2, people), strict=True)
    ]
    units = _units()
    pl.DataFrame(rows, schema=["patient_id", "analyte", "value"], orient="row").with_columns(
        unit=pl.col("analyte").replace_strict(units)
    ).write_csv(folder / "biomarkers.csv")
    (folder / "study.yaml").write_text(
        "study: whole\ntables:\n  patients: patients.csv\n  genotype: genotypes.vcf.gz\n"
        "  expression: {path: counts.tsv, values: counts}\n  questionnaires: answers.csv\n"
        "  biomarkers: biomarkers.csv\n"
    )


def _units() -> dict[str, str]:
    from nociomics.knowledge.biomarker import load_biomarkers

    known = load_biomarkers()
    return {name: known[name].base_unit for name in _ANALYTES}


def _write_vcf(path: Path, ids: list[str], variants: int, rng: np.random.Generator) -> None:
    """GT:DP:GQ; 4,000 lines of calls are drawn and used again at new places."""
    cells = np.array(
        [
            f"\t{gt}:{depth}:{quality}"
            for gt in ("0/0", "0/1", "1/1", "./.")
            for depth in (9, 23)
            for quality in (41, 99)
        ],
        dtype="S11",
    )
    tails = []
    for frequency in rng.uniform(0.02, 0.5, min(variants, 4000)):
        genotype = rng.binomial(2, frequency, len(ids))
        genotype[rng.random(len(ids)) < 0.01] = 3
        tails.append(b"".join(cells[genotype * 4 + rng.integers(0, 4, len(ids))].tolist()) + b"\n")
    pack = ["bgzip", "-c", "-@2"] if shutil.which("bgzip") else ["gzip", "-c", "-1"]
    with path.open("wb") as target, subprocess.Popen(pack, stdin=subprocess.PIPE, stdout=target) as packer:
        assert packer.stdin is not None
        header = "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=248956422>\n"
        header += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
        packer.stdin.write((header + "\t".join(ids) + "\n").encode())
        for number in range(variants):
            head = f"chr1\t{1000 + 400 * number}\trs{number + 10_000_000}\tA\tG\t.\tPASS\t.\tGT:DP:GQ"
            packer.stdin.write(head.encode() + tails[number % len(tails)])


class MemoryWatch(threading.Thread):
    """Adds up the memory of a process and all its children, twice a second, and keeps the highest."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.highest, self.over = root, 0.0, False

    def run(self) -> None:
        """Watch until ``over`` is set."""
        while not self.over:
            self.highest = max(self.highest, _tree_megabytes(self.root))
            time.sleep(0.5)


def _tree_megabytes(root: int) -> float:
    """Proportional memory (PSS), so that pages which processes share count once."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    waiting, total = [root], 0.0
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def main() -> None:
    """Make the files when they are not there, run, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    for name, number in (("people", 1000), ("variants", 500_000), ("genes", 20_000)):
        parser.add_argument(f"--{name}", type=int, default=number)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if not (asked.folder / "study.yaml").exists():
        make(asked.folder, asked.people, asked.variants, asked.genes)
    shutil.rmtree(asked.folder / "results", ignore_errors=True)
    began = time.perf_counter()
    goal = "results/whole/harmonised/features.parquet"
    command = ["nociomics", "run", "study.yaml", "--cores", "2", "--", goal]
    with subprocess.Popen(command, cwd=asked.folder) as process:
        watch = MemoryWatch(process.pid)
        watch.start()
        failed = process.wait()
    watch.over = True
    wall = time.perf_counter() - began
    print(f"wall {wall:.1f} s (aim 60), memory of all processes {watch.highest:.0f} MB (aim 2000)")
    for tsv in sorted((asked.folder / "results/whole/benchmarks").glob("*.tsv")):
        seconds, _, megabytes = tsv.read_text().splitlines()[1].split("\t")[:3]
        print(f"  {tsv.stem}: {seconds} s, {megabytes} MB")
    sys.exit(bool(failed) or wall > 60 or watch.highest > 2000)


if __name__ == "__main__":
    main()
