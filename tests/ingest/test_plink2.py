"""PLINK 2 files against the VCF they were made of, and files of every layout that PLINK 2 allows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nociomics.errors import NociomicsError
from nociomics.ingest.genotype_conversion import convert_vcf
from nociomics.ingest.notes import Notes
from nociomics.ingest.plink2 import convert_plink2
from nociomics.tables.files import read_table
from nociomics.tables.genotype_store import GenotypeStore
from nociomics.tables.ingested import PHARMACOGENE_GENOTYPES
from tests.conftest import shared

pgenlib = pytest.importorskip("pgenlib", reason="the extra genetics is not installed")

PVAR = (
    "##fileformat=VCFv4.2",
    "##contig=<ID=1,length=249250621>",
    "#CHROM\tPOS\tID\tREF\tALT\tFILTER",
    "1\t100\trs1\tA\tG\tPASS",
    "1\t200\t.\tC\tT,CA\tq10",
    "X\t300\trs3\tG\t.\tPASS",
)
PSAM = ("#FID\tIID\tSEX", "f1\tA\t1", "f1\tB\t2", "f2\tC\tNA")
# allele numbers of both chromosomes, three samples; -9 is missing
ALLELES = np.array([[0, 0, 0, 1, 1, 1], [0, 2, 1, 2, -9, -9], [0, 0, 0, 0, 0, 0]], dtype=np.int32)
COPIES = [[0, 1, 2], [0, 1, -1], [1, 1, -1]]


def write(
    folder: Path, pvar: tuple[str, ...] = PVAR, psam: tuple[str, ...] = PSAM, end: str = "\n", *, phased: bool = False
) -> Path:
    """Write a set g.pgen, g.pvar, g.psam with `ALLELES`."""
    path = folder / "g.pgen"
    path.unlink(missing_ok=True)
    with pgenlib.PgenWriter(
        str(path).encode(), 3, variant_ct=3, nonref_flags=False, allele_ct_limit=3, hardcall_phase_present=phased
    ) as writer:
        for row, count in zip(ALLELES, (2, 3, 2), strict=True):
            writer.append_alleles(row, all_phased=phased, allele_ct=count)
    (folder / "g.pvar").write_bytes("".join(line + end for line in pvar).encode())
    (folder / "g.psam").write_bytes("".join(line + end for line in psam).encode())
    return path


def convert(path: Path) -> tuple[GenotypeStore, Notes]:
    notes = Notes("genotype")
    store = convert_plink2(path, path.name, path.parent / "store", notes)
    assert store is not None, notes.findings
    return store, notes


def problems(path: Path) -> list[str]:
    notes = Notes("genotype")
    assert convert_plink2(path, path.name, path.parent / "store", notes) is None
    assert not (path.parent / "store").exists()
    return [finding.message for finding in notes.findings if finding.severity == "fatal"]


def test_every_alt_gets_a_row(tmp_path: Path) -> None:
    store, _ = convert(write(tmp_path))
    assert store.copies(slice(None)).tolist() == COPIES
    assert store.variants.select("variant", "ref", "alt", "filtered").rows() == [
        ("rs1", "A", "G", False),
        ("1_200_C_T", "C", "T", True),
        ("1_200_C_CA", "C", "CA", True),
    ]
    assert store.samples.rows() == [("A", "M"), ("B", "F"), ("C", None)]
    counted = {"records": 3, "samples": 3, "gt_calls": 9, "missing_gt": 1, "multiallelic": 1, "with_indel": 1}
    counted |= {"chroms": ["1", "X"], "reference": "GRCh37"}
    assert {name: store.manifest[name] for name in counted} == counted


WAYS: dict[str, dict[str, object]] = {
    "only IID": {"psam": ("#IID", "A", "B", "C")},
    "a .fam by another name": {"psam": ("f1 A 0 0 1 -9", "f1 B 0 0 2 -9", "f2 C 0 0 0 -9")},
    "further columns and remarks": {"psam": ("##by hand", "#IID SID SEX age", "A 1 M 7", "B 1 f 8", "C 1 0 NA")},
    "CRLF": {"end": "\r\n"},
    "spaces": {"pvar": tuple(line.replace("\t", " ") for line in PVAR)},
    "no remarks": {"pvar": PVAR[2:]},
    "more columns": {"pvar": ("#CHROM POS ID REF ALT QUAL FILTER INFO CM", *(f"{x} . 1" for x in
        ("1 100 rs1 A G . PASS", "1 200 . C T,CA 3 q10", "X 300 rs3 G . 9 .")))},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_other_ways_of_writing_give_the_same(tmp_path: Path, way: dict[str, object]) -> None:
    expected = convert(write(tmp_path))[0].variants
    store, _ = convert(write(tmp_path, **way))  # type: ignore[arg-type]
    assert store.variants.equals(expected) and store.copies(slice(None)).tolist() == COPIES
    assert store.samples["sample"].to_list() == ["A", "B", "C"]


def test_no_header_means_the_columns_of_a_bim(tmp_path: Path) -> None:
    path = write(tmp_path, ("1 rs1 0 100 G A", "1 rs2 0 200 T C", "23 rs3 0 300 0 G"))
    with pgenlib.PgenWriter(str(path).encode(), 3, variant_ct=3, nonref_flags=True) as writer:
        for row in ([0, 1, 2], [2, -9, 0], [0, 0, 0]):
            writer.append_biallelic(np.array(row, np.int8))
    store, notes = convert(path)
    assert store.copies(slice(None)).tolist() == [[0, 1, 2], [2, -1, 0]]
    assert store.variants.select("chrom", "ref", "alt").rows() == [("1", "A", "G"), ("1", "C", "T")]
    assert any("REF need not be the base" in finding.message for finding in notes.findings)


def test_a_set_whose_ref_is_provisional_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, (PVAR[2], *("22\t19951207\trs4818\tC\tG\tPASS", "1\t5\t.\tA\tC\t.", "1\t6\t.\tA\tC\t.")))
    for provisional in (False, True):
        path.unlink()
        with pgenlib.PgenWriter(str(path).encode(), 3, variant_ct=3, nonref_flags=provisional) as writer:
            for _ in range(3):
                writer.append_biallelic(np.array([0, 1, 2], np.int8))
        store, notes = convert(path)
        calls = read_table(store.folder / "pharmacogene_genotypes.parquet", PHARMACOGENE_GENOTYPES)
        # an ambiguous position is called only where REF is surely the reference base
        assert calls["call_state"].to_list() == (["strand_ambiguous"] if provisional else ["called"]) * 3
        assert any("REF need not be" in finding.message for finding in notes.findings) == provisional


def test_phase_is_kept_where_it_is_present(tmp_path: Path) -> None:
    line = "22\t19951271\trs4680\tG\tA\tPASS"
    for phased in (True, False):
        store, _ = convert(write(tmp_path, (PVAR[2], line, *PVAR[4:]), phased=phased))
        calls = read_table(store.folder / "pharmacogene_genotypes.parquet", PHARMACOGENE_GENOTYPES)
        assert calls.select("base_1", "base_2").rows() == [("G", "G"), ("G", "A"), ("A", "A")]
        assert calls["phased"].to_list() == [phased] * 3


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"psam": ("#FID\tSEX", "f\t1")}, ["g.psam: line 1, the header, names no column IID"]),
        ({"psam": (*PSAM, "f9\tZ\t1")}, ["holds 3 samples, but the file of samples beside it names 4"]),
        ({"psam": (*PSAM[:3], "f1\tB\t1")}, ["g.psam: 1 line (first: line 4) repeat the FID and IID"]),
        ({"psam": (*PSAM[:3], "f1\tD")}, ["g.psam: 1 line (first: line 4) do not have the 3 fields"]),
        ({"pvar": PVAR[:-1]}, ["holds 3 variants, but the file of variants beside it names 2"]),
        ({"pvar": PVAR[:3]}, ["g.pvar: holds no variants"]),
        ({"pvar": ("#CHROM\tID\tREF", *PVAR[3:])}, ["line 1, the header, lacks POS, ALT"]),
        ({"pvar": (*PVAR[:4], "1\tx\t.\tM\t7\tPASS", PVAR[5])}, ["line 5) have no whole", "5) have a REF", "an ALT"]),
    ],
)
def test_problems_are_named_with_their_line(
    tmp_path: Path, broken: dict[str, tuple[str, ...]], words: list[str]
) -> None:
    found = problems(write(tmp_path, **broken))  # type: ignore[arg-type]
    assert len(found) == len(words) and all(word in line for word, line in zip(words, found, strict=True)), found


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x6c\x1b\x11" + bytes(20), "index lies in a file of its own"),
        (b"\x6c\x1b\x77" + bytes(20), "storage mode 119"),
        (b"abcdefghijklmn", "does not begin with the bytes"),
        (None, "cannot be read"),
    ],
)
def test_a_broken_pgen_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-6] if content is None else content)
    (found,) = problems(path)
    assert words in found and "g.pgen" in found


def test_missing_and_compressed_companions_are_named(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "g.pvar").rename(tmp_path / "g.pvar.zst")
    (tmp_path / "g.psam").unlink()
    one, other = problems(path)
    assert "g.pvar.zst" in one and "zstd -d g.pvar.zst" in one and "g.psam: is missing" in other


def test_without_pgenlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pgenlib", None)
    with pytest.raises(NociomicsError, match=r"pip install 'nociomics\[genetics\]'"):
        convert_plink2(write(tmp_path), "g.pgen", tmp_path / "store", Notes("genotype"))


@pytest.mark.parametrize("name", ["vcf/hapmap_exome_chr22.vcf.gz", "vcf/cyvcf2_test.vcf.gz", "vcf/hail_split_test.vcf"])
def test_plink2_made_from_a_vcf_gives_what_the_vcf_gives(tmp_path: Path, name: str) -> None:
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not on the path")
    source = shared("data/genotype-ingest") / name
    command = ["plink2", "--vcf", source, "--double-id", "--make-pgen", "--out", tmp_path / "made", "--threads", "1"]
    subprocess.run([*command, "--vcf-half-call", "missing"], check=True, capture_output=True)
    store, _ = convert(tmp_path / "made.pgen")
    expected = convert_vcf(source, name, tmp_path / "vcf", Notes("genotype"))
    assert expected is not None and store.variants.equals(expected.variants)
    assert np.array_equal(store.copies(slice(None)), expected.copies(slice(None)))
    keys = ("records", "samples", "multiallelic", "with_indel", "gt_calls", "missing_gt", "chroms")
    assert [store.manifest[key] for key in keys] == [expected.manifest[key] for key in keys]


def test_pharmacogenes_are_those_of_the_vcf(tmp_path: Path) -> None:
    if shutil.which("plink2") is None:
        pytest.skip("plink2 is not on the path")
    source = shared("data/pgx/vcf/full_phased_grch38.vcf")
    command = ["plink2", "--vcf", source, "--make-pgen", "--out", tmp_path / "made", "--threads", "1"]
    subprocess.run(command, check=True, capture_output=True)
    stores = (convert(tmp_path / "made.pgen")[0], convert_vcf(source, "v", tmp_path / "vcf", Notes("genotype")))
    tables = [pl.read_parquet(store.folder / "pharmacogene_genotypes.parquet") for store in stores if store is not None]
    assert len(tables) == 2 and tables[0].height > 3000 and tables[0].equals(tables[1])
