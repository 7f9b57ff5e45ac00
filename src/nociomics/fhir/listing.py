"""What of a message was not taken: counted by code and reason, never with a patient's value."""

from __future__ import annotations

import re
from collections import Counter

import polars as pl

from nociomics.tables.contract import Column, Contract

LISTING = Contract(
    "fhir_listing",
    (
        Column("resource", meaning="type of the resource"),
        Column("element", null=True, meaning="where in it"),
        Column("system", null=True, meaning="code system, as written"),
        Column("code", null=True, meaning="code or unit, as written; (not shown) when it does not look like one"),
        Column("problem", meaning="why it was not taken, or taken with a reserve"),
        Column("count", "integer", low=1, meaning="how often"),
    ),
    key=("resource", "element", "system", "code", "problem"),
    row="one reason for one code",
)

NOT_SHOWN = "(not shown)"
_CODE = re.compile(r"[A-Za-z0-9/\[{][A-Za-z0-9.,_:/^*%(){}\[\]+'-]{0,39}|%|\[[^\s\]]{1,39}\]")
_SYSTEM = re.compile(r"(?:https?://|urn:)[A-Za-z0-9.:/_#?=&|-]{1,150}")
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,40}")


class Listing:
    """Counts what could not be taken. A code is no patient's value, but free text may be: it is never kept."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str | None, str | None, str | None, str]] = Counter()

    def add(
        self,
        resource: str,
        problem: str,
        *,
        element: str | None = None,
        system: str | None = None,
        code: str | None = None,
        count: int = 1,
    ) -> None:
        """Count one thing that was not taken."""
        kind = resource if _TYPE.fullmatch(resource) else NOT_SHOWN
        key = (kind, element, _shown(system, _SYSTEM), _shown(code, _CODE), problem)
        self._counts[key] += count

    def frame(self) -> pl.DataFrame:
        """Return the list, most frequent first.

        Returns
        -------
        DataFrame
            As in `LISTING`.
        """
        words = ("resource", "element", "system", "code", "problem")
        schema: dict[str, pl.DataType] = {**dict.fromkeys(words, pl.String()), "count": pl.Int64()}
        rows = [(*key, count) for key, count in self._counts.items()]
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame.sort("count", *frame.columns[:-1], descending=[True, *[False] * 5])


def _shown(text: str | None, pattern: re.Pattern[str]) -> str | None:
    return text if text is None or pattern.fullmatch(text) else NOT_SHOWN
