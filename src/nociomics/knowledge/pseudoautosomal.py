"""Where chromosome X is the same as Y, so that men have two copies too."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Region:
    """A closed range of positions of chromosome X, counted from 1."""

    build: str
    region: str
    start: int
    end: int
    source: str


@cache
def load_pseudoautosomal_regions() -> tuple[Region, ...]:
    """Load PAR1 and PAR2 of both builds."""
    text = (files("nociomics.knowledge") / "pseudoautosomal_regions.csv").read_text(encoding="utf-8")
    return tuple(
        Region(row["build"], row["region"], int(row["start"]), int(row["end"]), row["source"])
        for row in csv.DictReader(text.splitlines())
    )
