"""One item of a questionnaire: what may be answered, and what an answer is worth."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["checked", "general", "project_default"]

EMPTY_WORDS = frozenset(("", "na", "nan"))
BOOLEAN_WORDS = {"0": 0.0, "1": 1.0, "no": 0.0, "yes": 1.0, "n": 0.0, "y": 1.0, "false": 0.0, "true": 1.0}
CLOCK = r"(\d{1,2})[:.h](\d{2})(?::\d{2}(?:\.0+)?)?\s*([ap]\.?m\.?)?"


class Fact(BaseModel):
    """A frozen record of a knowledge file that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Code(Fact):
    """A LOINC code."""

    code: str
    status: Status


class Item(Fact):
    """One item: how it is answered and what an answer is worth.

    Attributes
    ----------
    id : str
        Number or neutral name, as in the instrument's file.
    kind : {"integer", "number", "boolean", "coded", "clock"}
        A clock answer is worth its hours since midnight.
    low, high : float
        Smallest and largest number of points, before any reversal.
    codes : dict of str to float
        Allowed answers of a coded item and their points.
    loinc : Code, optional
        LOINC code of the item itself.
    """

    id: str
    kind: Literal["integer", "number", "boolean", "coded", "clock"]
    low: float
    high: float
    codes: dict[str, float] = {}
    loinc: Code | None = None

    def points(self, text: str | float | None) -> float | None:
        """Return the points of an answer as written, None when it is empty.

        Raises
        ------
        ValueError
            When the answer is not allowed; its text does not show the answer.

        Examples
        --------
        >>> from nociomics.knowledge.instrument import load_instrument
        >>> sleep = load_instrument("bdi_ii").item("16")
        >>> sleep.points("2a"), sleep.points(" "), load_instrument("dn4").item("1").points("yes")
        (2.0, None, 1.0)
        """
        answer = "" if text is None else str(text).strip().casefold()
        if answer in EMPTY_WORDS:
            return None
        points = self._read(answer)
        if points is None or not self.low <= points <= self.high:
            raise ValueError(f'item "{self.id}" allows {self.allowed}')
        return points

    def _read(self, answer: str) -> float | None:
        if self.kind == "clock":
            return _hours(answer)
        if self.kind == "boolean" and answer in BOOLEAN_WORDS:
            return BOOLEAN_WORDS[answer]
        number = _number(answer)
        if self.kind == "coded":
            key = answer if number is None or number != int(number) else str(int(number))
            return self.codes.get(key)
        whole = number is not None and number == int(number)
        return number if whole or self.kind == "number" else None

    @property
    def allowed(self) -> str:
        """What may be answered, for a message."""
        if self.kind == "coded":
            return ", ".join(self.codes)
        if self.kind == "boolean":
            return "0, 1, yes, no, true, false"
        if self.kind == "clock":
            return "a clock time such as 23:15"
        return f"{'whole numbers ' if self.kind == 'integer' else ''}{self.low:g} to {self.high:g}"


def _number(answer: str) -> float | None:
    try:
        value = float(answer)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _hours(answer: str) -> float | None:
    match = re.fullmatch(CLOCK, answer)
    if match is None:
        return None
    hours, minutes, half = int(match[1]), int(match[2]), (match[3] or "").replace(".", "")
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half == "pm" else 0)
    return hours + minutes / 60 if hours < 24 and minutes < 60 else None
