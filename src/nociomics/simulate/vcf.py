"""Write genotypes as a block-gzipped VCF 4.2 file, which every genotype tool reads."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from nociomics.simulate.nature import CONTIGS
from nociomics.tables.files import written_whole

# The empty block that marks the end of a whole file (SAM specification, section 4.1.2).
END_OF_FILE = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_BLOCK = 0xFF00
_GENOTYPES = np.array([b"\t0/0", b"\t0/1", b"\t1/1", b"\t./."])
_NO_CALL = 3


def block_gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Compress bytes into BGZF blocks, the last one being the end-of-file mark.

    Examples
    --------
    >>> import gzip
    >>> gzip.decompress(b"".join(block_gzip([b"pa", b"in"])))
    b'pain'
    """
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= _BLOCK:
            yield _compressed(bytes(waiting[:_BLOCK]))
            del waiting[:_BLOCK]
    if waiting:
        yield _compressed(bytes(waiting))
    yield END_OF_FILE


def _compressed(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(data) + packer.flush()
    # A header of 18 bytes and a trailer of 8; the header tells the size of the whole block less one.
    head = END_OF_FILE[:16] + struct.pack("<H", len(body) + 18 + 8 - 1)
    return head + body + struct.pack("<2I", zlib.crc32(data), len(data))


def write_vcf(dosages: pl.DataFrame, variants: pl.DataFrame, path: Path) -> None:
    """Write unphased genotypes, sorted by position, whole or not at all.

    Parameters
    ----------
    dosages : DataFrame, one row per person
        ``patient_id`` and one column per variant: copies of ALT (0, 1, 2), null without a call.
    variants : DataFrame, one row per variant
        ``variant, chrom, pos, ref, alt`` on GRCh38.
    path : Path
        The ``.vcf.gz`` file.

    References
    ----------
    VCF 4.2 and SAM (BGZF) specifications of the GA4GH.
    """
    order = {chrom: number for number, chrom in enumerate(CONTIGS)}
    placed = variants.sort(pl.col("chrom").replace_strict(order, return_dtype=pl.Int64), "pos")
    with written_whole(path) as draft, draft.open("wb") as stream:
        for block in block_gzip(_lines(dosages, placed)):
            stream.write(block)


def _lines(dosages: pl.DataFrame, variants: pl.DataFrame) -> Iterator[bytes]:
    yield _header(dosages["patient_id"].to_list()).encode()
    for name, chrom, pos, ref, alt in variants.select("variant", "chrom", "pos", "ref", "alt").iter_rows():
        codes = dosages[name].fill_null(_NO_CALL).to_numpy()
        yield f"{chrom}\t{pos}\t{name}\t{ref}\t{alt}\t.\tPASS\t.\tGT".encode() + _GENOTYPES[codes].tobytes() + b"\n"


def _header(samples: list[str]) -> str:
    lines = [
        "##fileformat=VCFv4.2",
        "##source=nociomics simulate: invented people; the variants sim_snp_* do not exist",
        "##reference=GRCh38",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *(f"##contig=<ID={name},length={length},assembly=GRCh38>" for name, length in CONTIGS.items()),
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]),
    ]
    return "\n".join(lines) + "\n"
