"""The items of the TRIPOD+AI checklist, in our own words, and which of them a run can answer."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

AUTHORS = "authors"


class TripodItem(BaseModel):
    """One item: ``answer`` names what a run tells of it, or is ``authors`` where no program can know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: str
    section: str
    topic: str
    asks: str
    answer: str
    left_to_authors: str
    source: str


@cache
def load_tripod() -> tuple[TripodItem, ...]:
    """Return the items in the order of the checklist.

    References
    ----------
    Collins et al., BMJ 2024;385:e078378.
    """
    file = resources.files("nociomics.knowledge").joinpath("tripod_ai.csv")
    with file.open("r", encoding="utf-8") as handle:
        return tuple(TripodItem.model_validate(row) for row in csv.DictReader(handle))
