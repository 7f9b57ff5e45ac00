"""The reader of many lines at once gives what the reader of single records gives, whatever the file holds."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nociomics.ingest import line_stream
from nociomics.ingest.genotype_conversion import convert_vcf
from nociomics.ingest.notes import Notes
from nociomics.ingest.vcf_matrix import read_batches, record_batches
from nociomics.tables.files import read_table
from nociomics.tables.ingested import PHARMACOGENE_GENOTYPES
from tests.conftest import examples, shared

# Positions of the pharmacogene tables in both builds (rs4680, rs1799971), so that some records are looked for.
CHROMS = st.sampled_from(["1", "chr22", "22", "6", "X", "chrX", "", "0", "chrÜ", "c" * 120])
POSITIONS = st.sampled_from(["19963748", "19951271", "154039662", "7", "0", "x", "-5", "007", "9" * 30, ""])
# Words of 120 letters are longer than the part of a line in which its first tabs are looked for at once.
NAMES = st.sampled_from(
    ["rs1", "rs2", "rs1;rs2", ".", "", "rs4680", "own name", '"', "#", "NA", "n" * 120, "\x01", "\x0b"]
)
REFS = st.sampled_from(["A", "G", "g", "AT", "N", "M", "", "*", "ACGT" * 30])
ALTS = st.sampled_from(
    [
        *"C A . a C,G AT,<DEL> * C,* <NON_REF> <*> C,<NON_REF> G]17:9] 7 .,A C,<b,c> c,g,* .C".split(),
        "",
        ",".join("C" * n for n in range(1, 12)),
    ]
)
FILTERS = st.sampled_from(["PASS", ".", "", "q10", "PASX", "PASS;q10", "x"])
INFOS = st.sampled_from([".", "END=19963900", "AF=1;END=19963900", "END=x", "BEND=3"])
FORMATS = st.sampled_from(["GT", "GT:DP", "GT:PS", "DP:GT", "DP", "GTX", "", "G"])
CELLS = st.sampled_from(
    [
        *"0/0 0|1 1/1 ./. ./1 . 0 1 2|1 0/10 11/1 0/1/1 0/ /1 x 1|0:7 0:3 .:. 0/0:9:9 0\\1 1/1: 00/1 0|. :".split(),
        "",
        "0/0\r",
        "0\r/1",
    ]
)
ORDINARY = st.sampled_from(["0/0", "0|1", "1/1", "./.", "0/1:12", "1|1:5"])


@st.composite
def line(draw: st.DrawFn, samples: int) -> str:
    """One line; most are sound, some have one odd field."""
    fields = [
        "chr22",
        str(draw(st.integers(1, 9))),
        "rs" + str(draw(st.integers(1, 4))),
        "A",
        "C",
        ".",
        "PASS",
        ".",
        "GT",
    ]
    odd = draw(st.integers(0, 3)) == 0
    for place, choice in enumerate([CHROMS, POSITIONS, NAMES, REFS, ALTS, None, FILTERS, INFOS, FORMATS]):
        if choice is not None and odd and draw(st.integers(0, 2)) == 0:
            fields[place] = draw(choice)
    cells = [draw(CELLS if odd and draw(st.booleans()) else ORDINARY) for _ in range(samples)]
    if odd and draw(st.integers(0, 5)) == 0:
        cells = cells[:-1] if draw(st.booleans()) else [*cells, "0/0"]
    return "\t".join(fields + cells)


@st.composite
def vcf_bytes(draw: st.DrawFn) -> bytes:
    """Write a VCF with odd lines, blank lines and any line ends."""
    samples = draw(st.integers(1, 6))
    names = [f"S{number}" for number in range(samples)]
    fixed = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    header = ["##fileformat=VCFv4.2", "##contig=<ID=chr22,length=50818468>", "\t".join([*fixed, *names])]
    lines = draw(st.lists(st.one_of(line(samples), line(samples), st.just("")), max_size=12))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\n\r\n"]))
    return ("\n".join(header) + "\n" + end.join(lines) + draw(st.sampled_from([end, ""]))).encode()


def stored(path: Path, folder: Path, fast: bool) -> tuple[object, ...]:
    """Everything that a conversion gives."""
    notes = Notes("genotype")
    store = convert_vcf(path, path.name, folder, notes, batches=read_batches if fast else record_batches)
    if store is None:
        return (notes.findings,)
    bases = read_table(folder / "pharmacogene_genotypes.parquet", PHARMACOGENE_GENOTYPES)
    return notes.findings, store.manifest, store.variants.rows(), np.array(store.rows).tolist(), bases.rows()


@settings(max_examples=examples(60), deadline=None)
@given(content=vcf_bytes(), piece=st.sampled_from([40, 300, 1 << 20]))
def test_both_readers_give_the_same_store(content: bytes, piece: int) -> None:
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        (folder / "g.vcf").write_bytes(content)
        patch.setattr(line_stream, "_PIECE", piece)
        fast = stored(folder / "g.vcf", folder / "fast", fast=True)
        assert fast == stored(folder / "g.vcf", folder / "slow", fast=False)


def test_both_readers_give_the_same_store_of_real_files(tmp_path: Path) -> None:
    names = ("chr7-sub.vcf.gz", "cyvcf2_test.vcf.gz", "hail_x-chromosome.vcf", "cyvcf2_test-hemi.vcf", "structural.vcf")
    for name in names:
        path = shared("data/genotype-ingest/vcf") / name
        assert stored(path, tmp_path / f"{name} fast", True) == stored(path, tmp_path / f"{name} slow", False), name


PEAK = """
import resource, sys
from pathlib import Path
from nociomics.ingest.genotype_conversion import convert_genotypes
from nociomics.ingest.notes import Notes
assert convert_genotypes(Path(sys.argv[1]), "g.vcf", Path(sys.argv[2]), Notes("genotype")) is not None
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_three_times_the_records_take_no_more_memory(tmp_path: Path) -> None:
    head = "##fileformat=VCFv4.2\n" + "\t".join(
        [
            "#CHROM",
            "POS",
            "ID",
            "REF",
            "ALT",
            "QUAL",
            "FILTER",
            "INFO",
            "FORMAT",
            *(f"S{number}" for number in range(400)),
        ]
    )
    cells = "\t".join(["0/0:31:99", "0/1:7:40", "1|1:12:9", "./.:.:."] * 100)
    peaks = []
    for records in (6_000, 18_000):
        path = tmp_path / f"{records}.vcf"
        with path.open("w") as out:
            print(head, file=out)
            for number in range(records):
                print(f"1\t{number + 1}\trs{number + 1}\tA\tC\t.\tPASS\t.\tGT:DP:GQ\t{cells}", file=out)
        words = [sys.executable, "-c", PEAK, str(path), str(tmp_path / f"store {records}")]
        peaks.append(int(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] < 1.2 * peaks[0]


def test_a_cut_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    from nociomics.ingest.genotype_conversion import convert_genotypes

    text = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n"
    text += b"".join(b"1\t%d\t.\tA\tC\t.\t.\t.\tGT\t0/1\n" % number for number in range(1, 90_000))
    (tmp_path / "g.vcf.gz").write_bytes(gzip.compress(text)[:-5000])
    notes = Notes("genotype")
    assert convert_genotypes(tmp_path / "g.vcf.gz", "g.vcf.gz", tmp_path / "store", notes) is None
    assert [finding.severity for finding in notes.findings] == ["fatal"]
    assert "truncated or damaged" in notes.findings[0].message
    assert [path.name for path in tmp_path.iterdir()] == ["g.vcf.gz"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t5\t.\tA\tC\t.\t.\t.\n", "sites only"),
        ("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n", "no records"),
        ("##fileformat=VCFv4.2\n##contig=<ID=1>\n", "no header line"),
    ],
)
def test_a_file_without_genotypes_is_named(tmp_path: Path, text: str, words: str) -> None:
    from nociomics.ingest.genotype_conversion import convert_genotypes

    (tmp_path / "g.vcf").write_text(text)
    notes = Notes("genotype")
    assert convert_genotypes(tmp_path / "g.vcf", "g.vcf", tmp_path / "store", notes) is None
    (finding,) = [finding for finding in notes.findings if finding.severity == "fatal"]
    assert words in finding.message and not (tmp_path / "store").exists()
