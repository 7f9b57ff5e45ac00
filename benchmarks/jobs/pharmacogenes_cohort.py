"""2,500 invented people with every position of every gene, some calls missing, and fewer and more: cost by size.

No peer does this in minutes, so the cases are our own: the same people, a quarter and a half of them, four times as
many. Each is `nociomics pgx` as a whole process. The check value is that of the first 500 people, who are in every
file: what others there are must never change their calls or advice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.jobs.pharmacogenes import run_pgx

SIZES = (625, 1_250, 2_500, 10_000)
CHECKED = 500
MISSING = 0.003
_NONE = "./."


def make(folder: Path) -> None:
    """Write one VCF per size; the first people are the same in all of them."""
    from nociomics.knowledge.pharmacogene import load_positions

    random = np.random.default_rng(1)
    most = max(SIZES)
    sites = load_positions().select("chrom", "pos_grch38", "rsid", "ref_grch38", "alts_grch38").rows()
    sites = sorted(sites, key=lambda s: (int(s[0].removeprefix("chr")), s[1]))
    head = ["##fileformat=VCFv4.2", '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">']
    head += [f"##contig=<ID=chr{n}>" for n in range(1, 23)]
    names = [f"S{i:05}" for i in range(most)]
    files = {size: (folder / f"people_{size}.vcf").open("w") for size in SIZES}
    for size, file in files.items():
        fixed = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split()
        file.write("\n".join([*head, "\t".join([*fixed, *names[:size]])]) + "\n")
    words = np.array(["0/0", "0/1", "1/1", _NONE])
    for chrom, pos, rsid, ref, alts in sites:
        # One site in eight is common, as in the tables' genes; the rest is rare.
        share = random.beta(1, 4) if random.random() < 0.125 else random.beta(0.3, 300)
        copies = random.binomial(2, share, most)
        copies[random.random(most) < MISSING] = 3
        cells = words[copies]
        start = "\t".join([chrom, str(pos), rsid, ref, alts, ".", "PASS", ".", "GT"])
        for size, file in files.items():
            file.write(start + "\t" + "\t".join(cells[:size]) + "\n")
    for file in files.values():
        file.close()


def of_size(size: int) -> Callable[[Path], Any]:
    """Return the case of a size."""

    def case(folder: Path) -> Any:
        calls = run_pgx(folder / f"people_{size}.vcf", folder / f"pgx_{size}")
        digests = {}
        for name in ("calls", "recommendations"):
            frame = pl.read_parquet(calls.parent / f"{name}.parquet")
            first = frame.filter(pl.col("sample") < f"S{CHECKED:05}").sort(pl.all())
            digests[name] = hashlib.sha256(first.write_csv().encode()).hexdigest()
        return digests

    return case


MAKE = make
CASES = {f"nociomics pgx, {size} people": of_size(size) for size in sorted(SIZES)}
OURS = "nociomics pgx, 10000 people"
# Linear: what the largest file costs, against a smaller one, is at most a tenth more than its size says.
AIMS = {f"nociomics pgx, {size} people": ("at_most", 1.1 * 10_000 / size) for size in SIZES if size < 10_000}
