"""Findings become a table that keeps its contract."""

from __future__ import annotations

from nociomics.tables.finding import FINDINGS, Finding, findings_frame


def test_findings_keep_their_order_and_contract() -> None:
    found = [
        Finding("biomarkers", "unit", "fatal", 14, '14 rows (first: line 27) have an unknown unit. Known: "pg/mL".'),
        Finding("patients", None, "info", 2, "2 people have no row."),
    ]
    frame = FINDINGS.check(findings_frame(found))
    assert frame.rows() == [
        ("biomarkers", "unit", "fatal", 14, '14 rows (first: line 27) have an unknown unit. Known: "pg/mL".'),
        ("patients", None, "info", 2, "2 people have no row."),
    ]


def test_no_finding_is_a_table_without_rows_and_with_every_column() -> None:
    frame = FINDINGS.check(findings_frame([]))
    assert frame.height == 0
    assert frame.columns == [column.name for column in FINDINGS.columns]
