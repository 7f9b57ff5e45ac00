"""Published rules that turn one person's scores and analytes into evidence for a kind of pain."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict

Mechanism = Literal["neuropathic", "inflammatory", "nociplastic"]
Evidence = Literal["likely", "possible", "unlikely", "not shown"]


class EvidenceBand(BaseModel):
    """What one stretch of one value says about one mechanism.

    Cytokines have no rule here: their levels differ between assays by a factor of two and more, so that no limit
    holds outside the study in which it was found.

    Attributes
    ----------
    rule : str
        Bands of one rule share it, and do not overlap.
    feature : str
        Column of the features that is judged.
    at_least, above, below, at_most : float or None
        Limits of the band, in the feature's unit; None is open.
    evidence : str
        ``not shown``: such a value can say nothing.
    stands_in_for : str or None
        Rule that is asked first: this one speaks only where that one was not measured.
    says : str
        The band in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    mechanism: Mechanism
    feature: str
    at_least: float | None
    above: float | None
    below: float | None
    at_most: float | None
    evidence: Evidence
    stands_in_for: str | None
    says: str
    status: Literal["checked", "general", "project_default"]
    source: str
    version: int

    def holds(self, value: float) -> bool:
        """Whether a value lies in the band.

        Examples
        --------
        >>> [band.evidence for band in load_evidence_bands() if band.rule == "paindetect" and band.holds(18)]
        ['possible']
        """
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.at_most is None or value <= self.at_most)
        )


@cache
def load_evidence_bands() -> tuple[EvidenceBand, ...]:
    """Return the bands of `knowledge/pain_mechanisms.csv`, in the order of the file."""
    file = resources.files("nociomics.knowledge").joinpath("pain_mechanisms.csv")
    with file.open("r", encoding="utf-8") as handle:
        rows = [{key: value or None for key, value in row.items()} for row in csv.DictReader(handle)]
    return tuple(EvidenceBand.model_validate(row) for row in rows)
