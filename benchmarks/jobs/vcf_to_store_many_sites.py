"""The same as `vcf_to_store` with few samples and many variants: 200 x 200,000, so what is done per site shows."""

from __future__ import annotations

from pathlib import Path

from benchmarks.jobs import vcf_to_store

OURS, AIMS, CASES = vcf_to_store.OURS, vcf_to_store.AIMS, vcf_to_store.CASES
IMPORTS = vcf_to_store.IMPORTS


def make(folder: Path) -> None:
    """Write the file of this job."""
    vcf_to_store.make_file(folder, 200, 200_000)


MAKE = make
