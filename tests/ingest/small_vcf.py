"""Small VCFs written in words, and their bases at the pharmacogene positions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from nociomics.ingest.notes import Notes
from nociomics.ingest.pharmacogene_file import PharmacogeneFile, as_text, read_pharmacogene_file
from nociomics.knowledge.pharmacogene import load_positions

LENGTHS = {"GRCh37": ("10", 135534747), "GRCh38": ("chr10", 133797422)}


def vcf_text(rows: Sequence[str], *, samples: Sequence[str] = "ABCD", build: str | None = "GRCh38") -> str:
    """Return a VCF of rows "CHROM POS REF ALT CALLS..."; words with "=" before the calls set FILTER, INFO or FORMAT."""
    header = ["##fileformat=VCFv4.2"]
    if build is not None:
        name, length = LENGTHS[build]
        header.append(f"##contig=<ID={name},length={length}>")
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
    return "\n".join([*header, "\t".join(columns), *(_line(row) for row in rows), ""])


def _line(row: str) -> str:
    chrom, pos, ref, alt, *rest = row.split()
    said = {"FILTER": "PASS", "INFO": ".", "FORMAT": "GT"}
    while rest and rest[0].partition("=")[0] in said:
        key, _, value = rest.pop(0).partition("=")
        said[key] = value
    return "\t".join([chrom, pos, ".", ref, alt, ".", said["FILTER"], said["INFO"], said["FORMAT"], *rest])


def written(folder: Path, text: str, name: str = "g.vcf") -> Path:
    """Write a text into a folder."""
    (folder / name).write_text(text)
    return folder / name


def read_file(path: Path, build: str = "auto") -> tuple[PharmacogeneFile | None, Notes]:
    """Read a file and keep what was remarked."""
    notes = Notes("genotype")
    return read_pharmacogene_file(path, build, notes), notes  # type: ignore[arg-type]


def rows_of(path: Path, build: str = "auto") -> pl.DataFrame:
    """Return the rows of a file as text; nothing may be fatal."""
    found, notes = read_file(path, build)
    assert found is not None, notes.findings
    return as_text(found.rows)


def told(rows: pl.DataFrame, rsid: str) -> str:
    """One word per sample, in the file's order: bases where called (sorted unless phased), else the state."""
    words = []
    for state, one, two, phased in (
        rows.filter(rsid=rsid).select("call_state", "base_1", "base_2", "phased").iter_rows()
    ):
        bases = [base for base in (one, two) if base is not None]
        text = "|".join(bases) if phased else "/".join(sorted(bases))
        words.append({"called": text, "strand_flipped": f"~{text}"}.get(state, f"{state}:{text}" if text else state))
    return " ".join(words)


def position(rsid: str, build: str = "GRCh38") -> tuple[str, int, str, list[str]]:
    """Return chromosome, position, reference base and alternatives of a position."""
    end = build.lower()
    row = load_positions().filter(rsid=rsid).row(0, named=True)
    return row["chrom"], row[f"pos_{end}"], row[f"ref_{end}"], row[f"alts_{end}"].split(",")
