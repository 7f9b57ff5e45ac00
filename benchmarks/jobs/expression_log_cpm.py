"""Bring counts of 20,000 genes x 20,000 samples to log2 counts per million (500 samples, forty times over).

The same 500 samples ten times over keep the reading of the input out of the figure. Importing is not part of it either.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.jobs import Absent, expression_counts

from nociomics.harmonise.expression import log_counts

try:
    import pandas as pd
except ImportError:
    pd = None

GENES, SAMPLES, TIMES = 20_000, 500, 40
TOLERANCE = 1e-5  # single against double precision
_FILE = "counts.npy"


def MAKE(folder: Path) -> None:
    """Write samples in rows, genes in columns."""
    random = np.random.default_rng(1)
    levels = random.lognormal(3.5, 2, GENES)
    counts = np.stack([expression_counts.counts_of(random, level, SAMPLES) for level in levels], axis=1)
    np.save(folder / _FILE, counts.astype(np.float32))


def _checks(logged: np.ndarray) -> dict[str, Any]:
    return {"mean": float(logged[:, ::37].mean(dtype=np.float64)), "some": [float(x) for x in logged[3, 5:10]]}


def ours(folder: Path) -> dict[str, Any]:
    """Work in place, in single precision, as the program does; the fresh copy each time counts too."""
    counts = np.load(folder / _FILE)
    logged = np.empty_like(counts)
    for _ in range(TIMES):
        np.copyto(logged, counts)
        log_counts(logged)
    return _checks(logged)


def with_pandas(folder: Path) -> dict[str, Any]:
    """Write the formula on a frame of whole numbers, as ``read_csv`` gives it."""
    if pd is None:
        raise Absent("pandas")
    frame = pd.DataFrame(np.load(folder / _FILE).astype(np.int64))
    for _ in range(TIMES):
        logged = np.log2((frame + 0.5).div(frame.sum(axis=1) + 1, axis=0) * 1e6)
    return _checks(logged.to_numpy())


CASES = {"nociomics": ours, "pandas": with_pandas}
OURS = "nociomics"
AIMS = {"pandas": ("at_least", 6)}
