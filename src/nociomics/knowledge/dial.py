"""Which questionnaire scale moves which dial of the pain profile, as data with sources."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import BaseModel, ConfigDict

from nociomics.knowledge.instrument import Instrument, Scale, load_instrument


class DialScale(BaseModel):
    """One scale that one part of a dial may be read from.

    Attributes
    ----------
    dial, part : str
        Such as ``signal`` and ``severity``: a dial has one part or several.
    name, plain_name : str
        The part for the clinician, and for everybody.
    effect : str
        What the dial does to pain, as the project's board has it.
    board : str
        The word by which the instrument's own file names the dial.
    instrument, scale : str
        Ids of `knowledge/instruments/`. Rows of a part stand in the order in which they are preferred.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dial: Literal["signal", "catastrophising", "mood", "acceptance", "meaning", "social", "sleep"]
    part: str
    name: str
    plain_name: str
    effect: Literal["the pain itself", "turns pain up", "turns pain down", "either way"]
    board: str
    instrument: str
    scale: str
    status: Literal["checked", "general", "project_default"]
    source: str
    version: int

    @property
    def feature(self) -> str:
        """Name of the scale's feature."""
        return f"{self.definition.feature_prefix}_{self.scale}"

    @property
    def definition(self) -> Instrument:
        """The instrument that it belongs to."""
        return load_instrument(self.instrument)

    @property
    def scored(self) -> Scale:
        """Range, bands and cut-offs."""
        return self.definition.scales[self.scale]


@cache
def load_dials() -> tuple[DialScale, ...]:
    """Return the rows of `knowledge/dials.csv`, the preferred scale of each part first.

    Examples
    --------
    >>> [row.feature for row in load_dials() if row.dial == "acceptance"]
    ['cpaq_20_total', 'cpaq_8_total']
    """
    file = resources.files("nociomics.knowledge").joinpath("dials.csv")
    with file.open("r", encoding="utf-8") as handle:
        return tuple(DialScale.model_validate(row) for row in csv.DictReader(handle))
