"""A polygenic score of 100,000 people by 10,000 variants, against plink2 --score: the kernels, and hardly any start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.jobs import polygenic_score

VARIANTS = 10 * polygenic_score.VARIANTS


def make(folder: Path) -> None:
    """Write what `polygenic_score.make` does, with ten times the variants (500 MB)."""
    polygenic_score.make(folder, variants=VARIANTS)


MAKE: Callable[[Path], None] = make
CASES, SETUP, OURS = polygenic_score.CASES, polygenic_score.SETUP, polygenic_score.OURS
AIMS, TOLERANCE = polygenic_score.AIMS, polygenic_score.TOLERANCE
