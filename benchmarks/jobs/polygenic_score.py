"""A polygenic score of 100,000 people by 1,000 variants with missing calls, against plink2 --score.

The start of Python and its imports are not counted on our side (a run scores in a process that is there already);
plink2's own start is, some hundredths of a second. The job polygenic_score_many_variants has ten times the variants, so
that neither start weighs much: there it is the two kernels that are compared.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.ma
import polars as pl
from benchmarks.jobs import Absent

from nociomics.harmonise.polygenic_scores import GenotypedPeople, polygenic_score
from nociomics.ingest.notes import Notes
from nociomics.ingest.score_weights import read_score_weights
from nociomics.tables.files import write_json, write_table
from nociomics.tables.genotype_store import FORMAT, STORE_SAMPLES, STORE_VARIANTS, CallsFile, GenotypeStore
from nociomics.tables.study import PolygenicScoreSource

PEOPLE, VARIANTS, MISSING = 100_000, 1_000, 0.02


def make(folder: Path, people: int = PEOPLE, variants: int = VARIANTS) -> None:
    """Write PLINK 1 files, the same calls as a store, and weights with the cohort's own frequencies."""
    random = np.random.default_rng(1)
    rates = random.beta(1, 2, variants).clip(0.02, 0.98)
    frequency = np.zeros(variants)
    with CallsFile(folder / "calls.bed") as calls:
        for number, rate in enumerate(rates):
            copies = random.binomial(2, rate, people).astype(np.int8)
            copies[random.random(people) < MISSING] = -1
            frequency[number] = copies[copies >= 0].mean() / 2
            calls.add(copies[None, :])
    names = [f"rs{number}" for number in range(variants)]
    sites = [("1", 1000 + 100 * number, "A", "G") for number in range(variants)]
    ids = [f"S{number}" for number in range(people)]
    shutil.copyfile(folder / "calls.bed", folder / "cohort.bed")
    with (folder / "cohort.bim").open("w") as bim:
        bim.writelines(
            f"{c}\t{name}\t0\t{pos}\t{alt}\t{ref}\n" for name, (c, pos, ref, alt) in zip(names, sites, strict=True)
        )
    (folder / "cohort.fam").write_text("".join(f"0 {one} 0 0 0 -9\n" for one in ids))
    samples = pl.DataFrame({"sample": ids, "sex": [None] * people}, schema={"sample": pl.String, "sex": pl.String})
    rows = [(name, name, *site, False) for name, site in zip(names, sites, strict=True)]
    sites_table = pl.DataFrame(rows, schema=["variant", "name", "chrom", "pos", "ref", "alt", "filtered"], orient="row")
    write_table(samples, STORE_SAMPLES, folder / "samples.parquet")
    write_table(sites_table, STORE_VARIANTS, folder / "variants.parquet")
    write_json({"format": FORMAT, "reference": "GRCh38"}, folder / "manifest.json")
    weights = random.normal(size=variants)
    with (folder / "weights.txt").open("w") as text:
        text.write("rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\tallelefrequency_effect\n")
        for name, (c, pos, ref, alt), weight, share in zip(names, sites, weights, frequency, strict=True):
            text.write(f"{name}\t{c}\t{pos}\t{alt}\t{ref}\t{float(weight)!r}\t{float(share)!r}\n")


def ours(folder: Path) -> Any:
    """Read the weights, align them, score everybody."""
    source = PolygenicScoreSource(path="weights.txt", name="invented", build="GRCh38")
    weights = read_score_weights(source, folder, Notes("polygenic_scores"))
    store = GenotypeStore(folder)
    people = store.samples.select("sample", patient_id="sample")
    found = polygenic_score([GenotypedPeople(store, people, "GRCh38")], weights, "invented", 0.9)
    return _check(found.part.frame["pgs_invented"])


def plink2(folder: Path) -> Any:
    """Score the same .bed; the frequencies are counted from the cohort, as the weights' own were."""
    if shutil.which("plink2") is None:
        raise Absent("plink2 is not on the path")
    where = folder / "plink"
    command = ["plink2", "--bfile", str(folder / "cohort"), "--threads", "1", "--out", str(where)]
    command += ["--score", str(folder / "weights.txt"), "1", "4", "6", "header", "cols=+scoresums", "--read-freq"]
    done = subprocess.run([*command, str(folder / "cohort.afreq")], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Absent(f"plink2 failed: {done.stdout[-300:]}{done.stderr[-300:]}")
    scores = pl.read_csv(f"{where}.sscore", separator="\t", columns=["SCORE1_SUM"])
    return _check(scores.to_series())


def prepare_plink2(folder: Path) -> None:
    """Count the frequencies beforehand (not timed): our weight file has them already."""
    if shutil.which("plink2") is None:
        raise Absent("plink2 is not on the path")
    command = ["plink2", "--bfile", str(folder / "cohort"), "--freq", "--threads", "1", "--out", str(folder / "cohort")]
    subprocess.run(command, capture_output=True, check=True)


def _check(scores: Any) -> dict[str, float]:
    """Mean square and some single scores; plink2 prints six digits."""
    single = {str(place): float(scores[place]) for place in (0, 1, len(scores) // 2, len(scores) - 1)}
    return {"mean square": float((scores * scores).mean()), **single}


MAKE: Callable[[Path], None] = make
CASES = {"ours": ours, "plink2 --score": plink2}
SETUP = {"plink2 --score": prepare_plink2}
OURS = "ours"
AIMS = {"plink2 --score": ("at_least", 5)}
TOLERANCE = 1e-4
