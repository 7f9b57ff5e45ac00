"""A BCF gives what the VCF of the same content gives: variants, calls, counts, pharmacogenes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nociomics.errors import NociomicsError
from nociomics.ingest.bcf import convert_bcf
from nociomics.ingest.content import UnreadableTable
from nociomics.ingest.genotype_conversion import convert_vcf
from nociomics.ingest.notes import Notes
from tests.conftest import shared

pytest.importorskip("cyvcf2", reason="the extra genetics is not installed")

HEADER = """##fileformat=VCFv4.2
##contig=<ID=chr22,length=50818468>
##contig=<ID=chrX,length=156040895>
##FILTER=<ID=q10,Description="x">
##INFO=<ID=END,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=GT,Number=1,Type=String,Description="x">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="x">
##FORMAT=<ID=PS,Number=1,Type=String,Description="x">
#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT A B C D
"""
LINES = """chr22 100 rs1 A C . PASS . GT 0/0 0|1 1/1 ./.
chr22 200 rs2 A C,G . . . GT:DP 1/2:3 2/2:. ./1:4 0/0:5
chr22 250 . ACG A,<DEL>,* . q10 . GT 0/1 0/2 0/3 .|.
chr22 260 . A . . PASS . GT 0/0 0/0 0/0 ./.
chr22 270 . A C . PASS . DP 1 2 3 4
chr22 280 . a C,G,T,AA,AC,AG,AT,CC,CG,CT,TT . PASS . GT 0/11 10|9 0/0 1/1
chr22 19963700 . T <NON_REF> . PASS END=19963800 GT 0/0 0/0 ./. 0/0
chr22 19963900 rs9 G A . PASS . GT:PS 0|1:77 1|0:. 0/1:5 0|0:.
chrX 300 . G T . PASS . GT 0 1 . 1
chrX 400 . G T . PASS . GT 0/1 1 . 0/0
chrX 500 . G T . PASS . GT 0/1/1 1 . 0/0
""".replace("19963900 rs9", "19963748 rs4680")


def bcf_of(folder: Path, vcf: Path) -> Path:
    if shutil.which("bcftools") is None:
        pytest.skip("bcftools is not on the path")
    made = subprocess.run(["bcftools", "view", "-Ob", "-o", folder / "made.bcf", vcf], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("bcftools cannot write this file as BCF: its header lacks contigs")
    return folder / "made.bcf"


def small(folder: Path, lines: str = LINES) -> Path:
    rows = (HEADER + lines).splitlines()
    (folder / "g.vcf").write_text("\n".join(x if x.startswith("##") else x.replace(" ", "\t") for x in rows) + "\n")
    return folder / "g.vcf"


def assert_the_same(folder: Path, vcf: Path) -> None:
    bcf, (one, other) = bcf_of(folder, vcf), (Notes("genotype"), Notes("genotype"))
    ours = convert_bcf(bcf, "g", folder / "bcf", one)
    expected = convert_vcf(vcf, "g", folder / "vcf", other)
    told = [[(f.severity, f.count) for f in notes.findings] for notes in (one, other)]
    assert told[0] == told[1]
    assert (ours is None) == (expected is None)
    if ours is None or expected is None:
        return
    assert ours.variants.equals(expected.variants) and ours.samples.equals(expected.samples)
    assert np.array_equal(ours.copies(slice(None)), expected.copies(slice(None)))
    assert {k: v for k, v in ours.manifest.items() if k != "files"} == {
        k: v for k, v in expected.manifest.items() if k != "files"
    }
    name = "pharmacogene_genotypes.parquet"
    assert pl.read_parquet(ours.folder / name).equals(pl.read_parquet(expected.folder / name))


@pytest.mark.parametrize("cut", [10, 11], ids=["all that is sound", "with a triploid call, which is refused"])
def test_invented_records_of_every_kind(tmp_path: Path, cut: int) -> None:
    assert_the_same(tmp_path, small(tmp_path, "\n".join(LINES.splitlines()[:cut]) + "\n"))


REAL = [
    *(f"genotype-ingest/vcf/{name}" for name in ("chr22.vcf.gz", "chr7-sub.vcf.gz", "cyvcf2_test.vcf.gz", "ex2.vcf")),
    *(f"genotype-ingest/vcf/cyvcf2_test{name}.vcf" for name in ("-genotypes", "-hemi", ".mnp")),
    *(f"genotype-ingest/vcf/hail_{name}.vcf" for name in ("ex", "split_test", "split_test_b", "x-chromosome")),
    *("genotype-ingest/vcf/hapmap_exome_chr22.vcf.gz", "genotype-ingest/vcf/hail_bad_flag_number.vcf"),
    *(f"pgx/vcf/full_{name}.vcf" for name in ("phased_grch38", "unphased_grch37_nochr")),
]


@pytest.mark.parametrize("name", REAL)
def test_real_files(tmp_path: Path, name: str) -> None:
    assert_the_same(tmp_path, shared("data") / name)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = bcf_of(tmp_path, small(tmp_path, "".join(LINES.splitlines(keepends=True)[:9])))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UnreadableTable, match="truncated"):
        convert_bcf(path, "g.bcf", tmp_path / "store", Notes("genotype"))
    assert not (tmp_path / "store").exists()


def test_without_cyvcf2_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cyvcf2", None)
    with pytest.raises(NociomicsError, match=r"pip install 'nociomics\[genetics\]'"):
        convert_bcf(tmp_path / "g.bcf", "g.bcf", tmp_path / "store", Notes("genotype"))
