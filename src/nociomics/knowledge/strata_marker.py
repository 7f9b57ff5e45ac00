"""Measurements that may name a stratum from biology, fixed before any stratum is looked at."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict


class StrataMarker(BaseModel):
    """One pre-specified marker of a mechanism, by the name of its feature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mechanism: Literal["inflammatory", "neuropathic", "psychosocial", "nociplastic"]
    feature: str
    direction: Literal["higher", "lower"]
    status: Literal["checked", "general", "project_default"]
    source: str
    version: int


@cache
def load_strata_markers() -> Mapping[str, StrataMarker]:
    """Return the markers of `knowledge/strata_markers.csv` by feature.

    Examples
    --------
    >>> load_strata_markers()["crp_mg_per_l"].mechanism
    'inflammatory'
    """
    file = resources.files("nociomics.knowledge").joinpath("strata_markers.csv")
    with file.open("r", encoding="utf-8") as handle:
        rows = [StrataMarker.model_validate(row) for row in csv.DictReader(handle)]
    return MappingProxyType({row.feature: row for row in rows})
