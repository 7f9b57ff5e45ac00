"""Read counts of 20,000 genes x 5,000 samples from a TSV: 100 million numbers, 300 MB of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.jobs import Absent

GENES, SAMPLES = 20_000, 5_000
_FILE = "counts.tsv"


def counts_of(random: np.random.Generator, level: float, samples: int) -> np.ndarray:
    """Invent the counts of one gene: overdispersed, as sequencing gives them."""
    return random.negative_binomial(2, 2 / (2 + level), samples)


def write_counts(path: Path, genes: int, samples: int) -> None:
    """Write genes in rows, people in columns."""
    random = np.random.default_rng(1)
    levels = random.lognormal(3.5, 2, genes)
    with path.open("w") as file:
        file.write("gene\t" + "\t".join(f"P{number}" for number in range(samples)) + "\n")
        for gene, level in enumerate(levels):
            file.write(f"ENSG{gene:011d}\t" + "\t".join(map(str, counts_of(random, level, samples).tolist())) + "\n")


def MAKE(folder: Path) -> None:
    """Write the counts once."""
    write_counts(folder / _FILE, GENES, SAMPLES)


def checks(values: np.ndarray, names: list[str]) -> dict[str, Any]:
    """Give what every reader must agree on."""
    places = [int(place) for place in np.linspace(0, values.size - 1, 7)]
    some = [float(values[place // values.shape[1], place % values.shape[1]]) for place in places]
    return {"shape": list(values.shape), "last": names[-1], "sum": float(values.sum(dtype=np.float64)), "some": some}


def read_ours(path: Path) -> dict[str, Any]:
    """Read the matrix as the study's reader does."""
    from nociomics.ingest.matrix import read_matrix
    from nociomics.tables.study import TableSource

    matrix = read_matrix(path, TableSource.model_validate({"path": path.name}), lambda name: name == "gene")
    assert matrix is not None
    return checks(matrix.values, matrix.names)


def read_pandas(path: Path) -> dict[str, Any]:
    """Read with ``pandas.read_csv``, the genes as index."""
    try:
        import pandas as pd
    except ImportError as error:
        raise Absent("pandas") from error
    frame = pd.read_csv(path, sep="\t", index_col=0)
    return checks(frame.to_numpy(), [str(name) for name in frame.columns])


def read_polars(path: Path) -> dict[str, Any]:
    """Read with ``polars.read_csv``, types found out."""
    frame = pl.read_csv(path, separator="\t").drop("gene")
    return checks(frame.to_numpy(), frame.columns)


CASES = {
    "nociomics": lambda folder: read_ours(folder / _FILE),
    "pandas": lambda folder: read_pandas(folder / _FILE),
    "polars": lambda folder: read_polars(folder / _FILE),
}
OURS = "nociomics"
IMPORTS = {"nociomics": ("nociomics.ingest.matrix",), "pandas": ("pandas",), "polars": ("polars",)}
AIMS = {"pandas": ("at_most", 0.7)}
