from __future__ import annotations

import gzip
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nociomics.simulate.cohort import Cohort
from nociomics.simulate.nature import CONTIGS
from nociomics.simulate.vcf import END_OF_FILE, block_gzip, write_vcf

_GENOTYPES = {"0/0": 0, "0/1": 1, "1/1": 2, "./.": None}


def _read_blocks(data: bytes) -> list[bytes]:
    """Read BGZF as its specification writes it: sizes, extra field, checksum and length of every block."""
    blocks, start = [], 0
    while start < len(data):
        head = struct.unpack_from("<4BI2BH2BHH", data, start)
        assert head[:4] == (31, 139, 8, 4)
        assert head[4] == 0, "a time stamp would change the bytes"
        assert head[7:11] == (6, 66, 67, 2)
        end = start + head[11] + 1
        text = zlib.decompress(data[start + 18 : end - 8], wbits=-15)
        assert struct.unpack_from("<2I", data, end - 8) == (zlib.crc32(text), len(text))
        assert len(text) <= 65536
        blocks.append(text)
        start = end
    assert start == len(data)
    return blocks


@pytest.fixture(scope="module")
def vcf(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vcf") / "genotypes.vcf.gz"
    write_vcf(cohort.genotypes, cohort.variants, path)
    return path


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(0, 3))
def test_blocks_hold_what_was_given(chunks: list[bytes], large: int) -> None:
    chunks = [*chunks, b"x" * 65280 * large]
    written = b"".join(block_gzip(chunks))
    assert b"".join(_read_blocks(written)) == b"".join(chunks) == gzip.decompress(written)


def test_incompressible_blocks_fit_their_size_field() -> None:
    noise = bytes(zlib.crc32(struct.pack("<I", number)) & 0xFF for number in range(140_000))
    assert b"".join(_read_blocks(b"".join(block_gzip([noise])))) == noise


def test_the_file_ends_with_the_end_of_file_block(vcf: Path) -> None:
    data = vcf.read_bytes()
    assert data.endswith(END_OF_FILE)
    blocks = _read_blocks(data)
    assert blocks[-1] == b""
    assert all(blocks[:-1])


def test_a_strict_reader_gets_every_genotype_back(vcf: Path, cohort: Cohort) -> None:
    lines = b"".join(_read_blocks(vcf.read_bytes())).decode("ascii").removesuffix("\n").split("\n")
    header = [line for line in lines if line.startswith("#")]
    assert lines[: len(header)] == header
    assert header[0] == "##fileformat=VCFv4.2"
    assert [line for line in header if line.startswith("##contig")] == [
        f"##contig=<ID={name},length={length},assembly=GRCh38>" for name, length in CONTIGS.items()
    ]
    samples = header[-1].split("\t")
    assert samples[:9] == ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    assert samples[9:] == cohort.genotypes["patient_id"].to_list()
    variants = {row[0]: row[1:] for row in cohort.variants.iter_rows()}
    places = []
    for line in lines[len(header) :]:
        chrom, pos, name, ref, alt, qual, status, info, form, *calls = line.split("\t")
        assert (chrom, int(pos), ref, alt) == variants.pop(name)
        assert (qual, status, info, form) == (".", "PASS", ".", "GT")
        assert 1 <= int(pos) <= CONTIGS[chrom]
        assert [_GENOTYPES[call] for call in calls] == cohort.genotypes[name].to_list()
        places.append((list(CONTIGS).index(chrom), int(pos)))
    assert not variants
    assert places == sorted(set(places))


def test_a_cohort_without_genotypes_still_gives_a_valid_file(cohort: Cohort, tmp_path: Path) -> None:
    path = tmp_path / "empty.vcf.gz"
    write_vcf(cohort.genotypes.clear(), cohort.variants, path)
    lines = b"".join(_read_blocks(path.read_bytes())).decode().splitlines()
    assert sum(not line.startswith("#") for line in lines) == cohort.variants.height


def test_bcftools_accepts_it(vcf: Path) -> None:
    if shutil.which("bcftools") is None:
        pytest.skip("bcftools is not on PATH")
    done = subprocess.run(["bcftools", "view", "-H", str(vcf)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 309


def test_polars_nulls_are_no_calls(tmp_path: Path) -> None:
    dosages = pl.DataFrame({"patient_id": ["A", "B"], "v": pl.Series([None, 2], dtype=pl.Int8)})
    variants = pl.DataFrame({"variant": ["v"], "chrom": ["chr2"], "pos": [7], "ref": ["A"], "alt": ["G"]})
    write_vcf(dosages, variants, tmp_path / "v.vcf.gz")
    last = gzip.decompress((tmp_path / "v.vcf.gz").read_bytes()).decode().splitlines()[-1]
    assert last == "chr2\t7\tv\tA\tG\t.\tPASS\t.\tGT\t./.\t1/1"
