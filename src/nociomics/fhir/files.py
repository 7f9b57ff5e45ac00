"""Write the tables of a message as a folder that `check`, `run` and `predict` read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl
import yaml

from nociomics.fhir.incoming import FhirTables
from nociomics.tables.files import store_parquet, write_text, written_whole

LISTING_FILE = "fhir_not_taken.csv"
_ASIDE = ("phenotypes", "scores")  # no table of a study file of its own


def write_folder(found: FhirTables, folder: Path, study: str, format: Literal["csv", "parquet"] = "csv") -> None:
    """Write every table, the list of what was not taken, and a study file that names the tables.

    Parameters
    ----------
    study : str
        Name for the study file.
    """
    for name, frame in found.tables.items():
        _write(frame, folder / f"{name}.{format}", format)
    _write(found.listing, folder / LISTING_FILE, "csv")
    write_text(_study(found, study, format), folder / "study.yaml")


def _write(frame: pl.DataFrame, path: Path, format: str) -> None:
    with written_whole(path) as draft:
        if format == "csv":
            frame.write_csv(draft)
        else:
            store_parquet(frame, draft)


def _study(found: FhirTables, study: str, format: str) -> str:
    """Return a study file without target: outcomes are not in such messages."""
    tables: dict[str, str | list[str]] = {name: f"{name}.{format}" for name in found.tables if name not in _ASIDE}
    if "scores" in found.tables:
        tables["questionnaires"] = [f"{name}.{format}" for name in ("questionnaires", "scores") if name in found.tables]
    head = (
        "# Written by nociomics fhir import. What was not taken stands in "
        f"{LISTING_FILE}.\n# For nociomics predict nothing is lacking; to train, add outcomes and a target.\n"
    )
    return head + yaml.safe_dump({"study": study, "tables": tables}, sort_keys=False, allow_unicode=True)
