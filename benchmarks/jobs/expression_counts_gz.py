"""Read counts of 20,000 genes x 2,000 samples from a gzipped TSV."""

from __future__ import annotations

from pathlib import Path

from benchmarks.jobs import expression_counts
from isal import igzip

GENES, SAMPLES = 20_000, 2_000
_FILE = "counts.tsv.gz"


def MAKE(folder: Path) -> None:
    """Write the counts once, and compress them."""
    plain = folder / "counts.tsv"
    expression_counts.write_counts(plain, GENES, SAMPLES)
    with igzip.open(folder / _FILE, "wb") as file, plain.open("rb") as text:
        while piece := text.read(1 << 24):
            file.write(piece)
    plain.unlink()


CASES = {
    "nociomics": lambda folder: expression_counts.read_ours(folder / _FILE),
    "pandas": lambda folder: expression_counts.read_pandas(folder / _FILE),
    "polars": lambda folder: expression_counts.read_polars(folder / _FILE),
}
OURS = "nociomics"
IMPORTS = expression_counts.IMPORTS
AIMS = {"pandas": ("at_most", 0.7)}
