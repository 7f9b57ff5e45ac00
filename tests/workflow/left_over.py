"""What a run that was stopped must not leave behind."""

from __future__ import annotations

from pathlib import Path

import polars as pl


def half_written(folder: Path) -> list[str]:
    """Drafts, which begin with a dot, and tables that cannot be read."""
    results = folder / "results"
    # a mark that Snakemake leaves in folders that are finished
    bad = [path.name for path in results.rglob(".*") if path.name != ".snakemake_timestamp"]
    for path in results.rglob("*.parquet"):
        try:
            pl.read_parquet(path)
        except pl.exceptions.PolarsError:
            bad.append(path.name)
    return bad
