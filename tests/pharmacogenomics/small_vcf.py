"""A small reader of the practice VCFs into `PHARMACOGENE_GENOTYPES`: bases, never 0/1; the build by vote of REF."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nociomics.knowledge.pharmacogene import load_positions

SCHEMA = {
    "patient_id": pl.String,
    "gene": pl.String,
    "rsid": pl.String,
    "build": pl.String,
    "call_state": pl.String,
    "base_1": pl.String,
    "base_2": pl.String,
    "phased": pl.Boolean,
    "phase_set": pl.String,
}


def read_small_vcf(path: Path) -> pl.DataFrame:
    """Read one plain-text VCF whose indels are written as in the tables."""
    samples, records = _records(path)
    build = vote_build(records)
    places = _places(build)
    rows = []
    for chrom, pos, ref, alts, keys, cells in records:
        known = places.get((chrom, pos))
        if known is None:
            continue
        for sample, cell in zip(samples, cells, strict=True):
            rows.append((sample, *known, build, *_genotype(cell, keys, [ref, *alts])))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def vote_build(records: list[tuple]) -> str:
    """Return the build whose reference bases more records carry."""
    votes = {}
    for build in ("GRCh37", "GRCh38"):
        end = build.lower()
        known = load_positions().select("chrom", f"pos_{end}", f"ref_{end}").rows()
        refs = {(chrom, pos): ref for chrom, pos, ref in known}
        votes[build] = sum(refs.get((chrom, pos)) == ref for chrom, pos, ref, *_ in records)
    low, high = sorted(votes, key=votes.__getitem__)
    assert votes[high] > votes[low], "the records do not show one build"
    return high


def _records(path: Path) -> tuple[list[str], list[tuple]]:
    samples: list[str] = []
    records = []
    for line in path.read_text().splitlines():
        fields = line.split("\t")
        if line.startswith("#CHROM"):
            samples = fields[9:]
        elif not line.startswith("#"):
            chrom = "chr" + fields[0].removeprefix("chr")
            records.append((chrom, int(fields[1]), fields[3], fields[4].split(","), fields[8].split(":"), fields[9:]))
    return samples, records


def _places(build: str) -> dict[tuple[str, int], tuple[str, str]]:
    rows = load_positions().select("chrom", f"pos_{build.lower()}", "gene", "rsid").rows()
    return {(chrom, pos): (gene, rsid) for chrom, pos, gene, rsid in rows}


def _genotype(cell: str, keys: list[str], bases: list[str]) -> tuple[str, str | None, str | None, bool, str | None]:
    values = dict(zip(keys, cell.split(":"), strict=False))
    codes = values["GT"].replace("|", "/").split("/")
    if codes == [".", "."]:
        return "no_call", None, None, False, None
    if "." in codes:
        return "half_call", None, None, False, None
    one, two = (bases[int(code)] for code in codes)
    return "called", one, two, "|" in values["GT"], values.get("PS")
