"""2,000 samples x 20,000 variants of a BGZF file (GT:DP:GQ) to calls that can be opened: 40 million genotypes.

Ours makes the whole store (sites, names, calls of two bits, counts, pharmacogene positions); the peers read the calls.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.jobs import Absent

SAMPLES, VARIANTS = 2_000, 20_000
_CALLS = (b"0/0", b"0/1", b"1/1", b"./.")
_FILE = "cohort.vcf.gz"

OURS = "nociomics"
IMPORTS = {
    OURS: ("nociomics.ingest.genotype_conversion", "nociomics.ingest.vcf_matrix", "nociomics.ingest.store_writer"),
    "cyvcf2 genotype.array()": ("cyvcf2",),
    "plink2 --make-pgen": ("pgenlib",),
}
AIMS = {
    "cyvcf2 genotype.array()": ("at_least", 4.0),
    "bcftools query to NumPy": ("at_least", 2.0),
    "plink2 --make-pgen": ("at_least", 1.0),
}


def make_file(folder: Path, samples: int, variants: int) -> None:
    """Write an invented file: frequencies from 0.01 to 0.5, one call in a hundred missing."""
    generator = np.random.default_rng(1)
    header = ["##fileformat=VCFv4.2", '##FILTER=<ID=PASS,Description="All filters passed">', "##contig=<ID=chr1>"]
    for key, kind in (("GT", "String"), ("DP", "Integer"), ("GQ", "Integer")):
        header.append(f'##FORMAT=<ID={key},Number=1,Type={kind},Description="{key}">')
    names = [f"S{number:05}" for number in range(samples)]
    header.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names]))
    tails = [f":{depth}:{quality}".encode() for depth in range(5, 55) for quality in (9, 40, 73, 99)]
    cells = np.array([call + tail for call in _CALLS for tail in tails], dtype=object)
    with (folder / _FILE).open("wb") as out:
        zipping = subprocess.Popen(["bgzip", "-c"], stdin=subprocess.PIPE, stdout=out)
        assert zipping.stdin is not None
        zipping.stdin.write(("\n".join(header) + "\n").encode())
        for line in _lines(generator, samples, variants, cells, len(tails)):
            zipping.stdin.write(line)
        zipping.stdin.close()
        if zipping.wait():
            raise RuntimeError("bgzip failed")


def _lines(
    generator: np.random.Generator, samples: int, variants: int, cells: np.ndarray, tails: int
) -> Iterator[bytes]:
    for number in range(variants):
        frequency = generator.uniform(0.01, 0.5)
        calls = generator.binomial(2, frequency, samples)
        calls[generator.random(samples) < 0.01] = 3
        text = b"\t".join(cells[calls * tails + generator.integers(0, tails, samples)].tolist())
        yield b"chr1\t%d\trs%d\tA\tG\t50\tPASS\tAC=1;AN=2\tGT:DP:GQ\t%s\n" % (1000 + 7 * number, number + 1, text)


def make(folder: Path) -> None:
    """Write the file of this job."""
    make_file(folder, SAMPLES, VARIANTS)


def nociomics(folder: Path) -> list[int]:
    """Convert the file, then count from the store."""
    from nociomics.ingest.genotype_conversion import convert_genotypes
    from nociomics.ingest.notes import Notes

    store = convert_genotypes(folder / _FILE, _FILE, folder / "store", Notes("genotype"))
    if store is None:
        raise RuntimeError("the file was refused")
    copies = missing = 0
    for _, calls in store.chunks():
        counted, absent = _counted(calls)
        copies, missing = copies + counted, missing + absent
    return [copies, missing]


def _counted(calls: np.ndarray) -> tuple[int, int]:
    """Count copies and missing calls, by comparisons that cost next to nothing."""
    copies = np.count_nonzero(calls == 1) + 2 * np.count_nonzero(calls == 2)
    return int(copies), int(np.count_nonzero(calls < 0))


def _cyvcf2(folder: Path) -> list[int]:
    try:
        from cyvcf2 import VCF
    except ImportError as error:
        raise Absent("cyvcf2") from error
    copies = missing = 0
    for record in VCF(str(folder / _FILE)):
        alleles = record.genotype.array()[:, :2]
        copies += int((alleles > 0).sum())
        missing += int((alleles < 0).any(axis=1).sum())
    return [copies, missing]


def _bcftools(folder: Path) -> list[int]:
    command = ["bcftools", "query", "-f", r"[%GT\t]\n", str(folder / _FILE)]
    copies = missing = 0
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
    except FileNotFoundError as error:
        raise Absent("bcftools") from error
    assert process.stdout is not None
    for line in process.stdout:
        letters = np.frombuffer(line, np.uint8)[:-1].reshape(-1, 4)
        copies += int(np.count_nonzero(letters[:, 0] == 49) + np.count_nonzero(letters[:, 2] == 49))
        missing += int(np.count_nonzero((letters[:, 0] == 46) | (letters[:, 2] == 46)))
    if process.wait():
        raise RuntimeError("bcftools failed")
    return [copies, missing]


def _plink2(folder: Path) -> list[int]:
    """Make a .pgen; the counts for the check are read from it, which takes it about a fiftieth longer."""
    try:
        import pgenlib
    except ImportError as error:
        raise Absent("pgenlib") from error
    words = ["plink2", "--vcf", str(folder / _FILE), "--make-pgen", "--out", str(folder / "made"), "--threads", "1"]
    try:
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise Absent("plink2") from error
    copies = missing = 0
    with pgenlib.PgenReader(str(folder / "made.pgen").encode()) as reader:
        calls = np.empty((512, reader.get_raw_sample_ct()), np.int8)
        for start in range(0, reader.get_variant_ct(), 512):
            stop = min(start + 512, reader.get_variant_ct())
            reader.read_range(start, stop, calls[: stop - start])
            counted, absent = _counted(calls[: stop - start])
            copies, missing = copies + counted, missing + absent
    return [copies, missing]


MAKE = make
CASES = {
    OURS: nociomics,
    "cyvcf2 genotype.array()": _cyvcf2,
    "bcftools query to NumPy": _bcftools,
    "plink2 --make-pgen": _plink2,
}
