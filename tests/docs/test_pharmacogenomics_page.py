"""docs/pharmacogenomics.md: its commands run word by word on a small file, and it names every column."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from nociomics.knowledge.pharmacogene import load_variants

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "pharmacogenomics.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.S)


def _vcf() -> str:
    """Two invented people: CYP2C19 *1/*1 (G at rs3758581, where the reference is that of *38) and *1/*17."""
    rows = load_variants().filter(pl.col("gene").is_in(["CYP2C9", "CYP2C19"]), ~pl.col("indel")).sort("pos_grch38")
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr10,length=133797422>"]
    lines.append("\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT P1 P2".split()))
    for row in rows.unique("pos_grch38", maintain_order=True).iter_rows(named=True):
        seventeen = row["rsid"] == "rs12248560"
        calls = f"0/0\t0/{row['alts_grch38'].split(',').index('T') + 1}" if seventeen else "0/0\t0/0"
        calls = "1/1\t1/1" if row["rsid"] == "rs3758581" else calls
        fixed = [row["chrom"], row["pos_grch38"], row["rsid"], row["ref_grch38"], row["alts_grch38"]]
        lines.append("\t".join([*map(str, fixed), ".", "PASS", ".", "GT", calls]))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pgx")
    (folder / "cohort.vcf").write_text(_vcf(), encoding="utf-8")
    for name, text in zip(("called_elsewhere.csv", "medications.csv"), _blocks("csv"), strict=True):
        (folder / name).write_text(text, encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in _blocks("sh")[0].splitlines():
        done = subprocess.run(
            shlex.split(line), cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    return folder


def test_the_commands_leave_what_the_page_says(ran: Path) -> None:
    calls = pl.read_parquet(ran / "pgx" / "calls.parquet")
    found = calls.filter(gene="CYP2C19").select("call_state", "diplotype_top").rows()
    assert found == [("called", "*1/*1"), ("called", "*1/*17")]
    assert sorted(path.name for path in (ran / "cards").iterdir()) == ["P1.html", "P2.html"]
    assert "invented" in (ran / "codeine.html").read_text(encoding="utf-8")
    drugs = pl.read_csv(ran / "pgx_opioids" / "recommendations.csv")["drug"].unique().sort().to_list()
    assert drugs == ["amitriptyline", "codeine", "tramadol"]
    inhibited = pl.read_parquet(ran / "pgx_with_inhibitors" / "calls.parquet").filter(gene="CYP2D6", sample="P1")
    assert inhibited["phenotype_with_inhibitors"].to_list() == ["Poor Metabolizer"]


def test_the_page_names_every_column_and_no_other(ran: Path) -> None:
    text = _PAGE.read_text(encoding="utf-8")
    first = {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }
    written: set[str] = set()
    for table in ("calls", "recommendations"):
        written |= set(pl.read_parquet(ran / "pgx" / f"{table}.parquet").columns)
    assert first == written
