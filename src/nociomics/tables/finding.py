"""A problem or remark about a table, told without a patient's value."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from nociomics.tables.contract import Column, Contract

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

FINDINGS = Contract(
    "findings",
    (
        Column("table", meaning="table of the study"),
        Column("column", null=True, meaning="its column, empty when the whole table is meant"),
        Column("severity", allowed=("fatal", "warning", "info"), meaning="fatal stops the run"),
        Column("count", "integer", low=0, meaning="rows, columns or people concerned"),
        Column("message", meaning="what, where, what is allowed, what to do"),
    ),
    row="one finding",
)


@dataclass(frozen=True)
class Finding:
    """One row of `FINDINGS`."""

    table: str
    column: str | None
    severity: Literal["fatal", "warning", "info"]
    count: int
    message: str


def findings_frame(findings: Sequence[Finding]) -> pl.DataFrame:
    """Lay findings out as a table, in their order.

    Returns
    -------
    DataFrame, one row per finding
        Columns of `FINDINGS`; no rows when there are none.
    """
    import polars as pl

    schema = {"table": pl.String, "column": pl.String, "severity": pl.String, "count": pl.Int64, "message": pl.String}
    return pl.DataFrame([asdict(finding) for finding in findings], schema=schema)
