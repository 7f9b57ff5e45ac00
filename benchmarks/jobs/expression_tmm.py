"""TMM factors of 20,000 genes x 300 samples.

Of 300 samples, since rnanorm holds several matrices in double precision. Its factors take a ``fit`` and a second pass,
so half of its time is what one pass takes. Importing is not part of the figure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.jobs import Absent

from nociomics.harmonise.tmm import tmm_factors

try:
    from rnanorm import TMM
except ImportError:
    TMM = None

GENES, SAMPLES = 20_000, 300
_FILE = "counts.npy"


def MAKE(folder: Path) -> None:
    """Write samples in rows, genes in columns, libraries of different sizes."""
    random = np.random.default_rng(1)
    sizes = random.uniform(0.3, 3, SAMPLES)
    levels = random.lognormal(3.5, 2, GENES)
    columns = [random.negative_binomial(2, 2 / (2 + level * sizes)) for level in levels]
    np.save(folder / _FILE, np.stack(columns, axis=1).astype(np.float32))


def ours(folder: Path) -> list[float]:
    """Factors against the middle sample."""
    factors: list[float] = tmm_factors(np.load(folder / _FILE)).tolist()
    return factors


def with_rnanorm(folder: Path) -> Any:
    """Factors by rnanorm, equal to edgeR's by its own account."""
    if TMM is None:
        raise Absent("rnanorm")
    counts = np.load(folder / _FILE).astype(np.float64)
    return TMM().fit(counts).get_norm_factors(counts).tolist()


CASES = {"nociomics": ours, "rnanorm": with_rnanorm}
OURS = "nociomics"
AIMS = {"rnanorm": ("at_least", 3)}
