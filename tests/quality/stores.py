"""Small stores of genotypes for tests, and PLINK 1 files turned into stores bit by bit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import which

import numpy as np
import polars as pl
import pytest

from nociomics.tables.files import write_json, write_table
from nociomics.tables.genotype_store import FORMAT, STORE_SAMPLES, STORE_VARIANTS, CallsFile, GenotypeStore


def a_store(
    folder: Path,
    copies: np.ndarray,
    chrom: str | Sequence[str | None] = "1",
    *,
    samples: Sequence[str] | None = None,
    sex: Sequence[str | None] | None = None,
    reference: str | None = "GRCh38",
    **columns: Sequence[object],
) -> GenotypeStore:
    """Write a store; alleles are A and G, positions count up from 3,000,001 in steps of 1,000."""
    folder.mkdir(parents=True)
    variants, people = copies.shape
    names = list(samples) if samples is not None else [f"S{number}" for number in range(people)]
    numbers = range(variants)
    frame = {
        "variant": [f"rs{number + 1}" for number in numbers],
        "name": [f"rs{number + 1}" for number in numbers],
        "chrom": [chrom] * variants if isinstance(chrom, str) else list(chrom),
        "pos": [3_000_001 + 1_000 * number for number in numbers],
        "ref": ["A"] * variants,
        "alt": ["G"] * variants,
        "filtered": [False] * variants,
    }
    kinds = {"pos": pl.Int64, "filtered": pl.Boolean}
    schema = {name: kinds.get(name, pl.String) for name in frame}
    samples_frame = pl.DataFrame({"sample": names, "sex": sex or [None] * people}, schema_overrides={"sex": pl.String})
    write_table(samples_frame, STORE_SAMPLES, folder / "samples.parquet")
    write_table(pl.DataFrame(frame | columns, schema=schema), STORE_VARIANTS, folder / "variants.parquet")
    with CallsFile(folder / "calls.bed") as calls:
        calls.add(copies.astype(np.int8))
    write_json({"format": FORMAT, "reference": reference}, folder / "manifest.json")
    return GenotypeStore(folder)


def store_of_plink(prefix: Path, folder: Path) -> GenotypeStore:
    """Turn a .bed into a store: the calls are the same bytes."""
    folder.mkdir(parents=True)
    fam = [line.split() for line in prefix.with_suffix(".fam").read_text().splitlines()]
    bim = [line.split() for line in prefix.with_suffix(".bim").read_text().splitlines()]
    sexes = [{"1": "M", "2": "F"}.get(row[4]) for row in fam]
    samples = pl.DataFrame({"sample": [row[1] for row in fam], "sex": sexes}, schema_overrides={"sex": pl.String})
    rows = [(row[1], row[1], row[0], int(row[3]), row[5], row[4], False) for row in bim]
    names = [column.name for column in STORE_VARIANTS.columns]
    write_table(samples, STORE_SAMPLES, folder / "samples.parquet")
    write_table(pl.DataFrame(rows, schema=names, orient="row"), STORE_VARIANTS, folder / "variants.parquet")
    (folder / "calls.bed").write_bytes(prefix.with_suffix(".bed").read_bytes())
    write_json({"format": FORMAT, "reference": None}, folder / "manifest.json")
    return GenotypeStore(folder)


def plink2(*words: str | Path, out: Path) -> None:
    """Run plink2, or skip the test where there is none."""
    if which("plink2") is None:
        pytest.skip("plink2 is not on the path")
    command = ["plink2", *map(str, words), "--threads", "1", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def drawn(seed: int, variants: int, people: int, low: float = 0.1, missing: float = 0.0) -> np.ndarray:
    """Draw strangers' copies at frequencies from ``low`` to 1 - ``low``: int8 of shape (variants, people)."""
    random = np.random.default_rng(seed)
    rates = random.uniform(low, 1 - low, (variants, 1))
    copies = (random.random((variants, people)) < rates).astype(np.int8)
    copies += random.random((variants, people)) < rates
    copies[random.random(copies.shape) < missing] = -1
    return copies


def child_of(random: np.random.Generator, mother: np.ndarray, father: np.ndarray) -> np.ndarray:
    """Pass one allele of each parent on."""
    given = [(random.random(len(parent)) < parent / 2).astype(np.int8) for parent in (mother, father)]
    return given[0] + given[1]
