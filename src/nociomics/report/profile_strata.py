"""One person's stratum, place on the dimensions and evidence for pain mechanisms, for the patient profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from nociomics.report.formats import NOT_MEASURED, is_null, number, quantity, share
from nociomics.report.plots import percentile_strip, share_strip

_MECHANISMS = ("neuropathic", "inflammatory", "nociplastic", "mixed")
_TOGETHER = "together"


@dataclass(frozen=True)
class Dimension:
    """A person's place on one factor.

    Parameters
    ----------
    name : str
        Such as "factor 1".
    loads_on : sequence of str
        Measurements that rise with it, the strongest first; a minus marks those that fall.
    percentile : float or None
        Within the cohort, 0 to 100; None when nothing of the person was measured.
    """

    name: str
    loads_on: Sequence[str]
    percentile: float | None


def stratum_view(assignment: Mapping[str, Any] | None, cluster: str | None = None) -> dict[str, Any] | None:
    """Membership of one person with its doubt; None when strata were not looked for.

    Parameters
    ----------
    assignment : mapping or None
        The person's row of `ASSIGNMENTS`.
    cluster : str or None
        The sentence that names the groups found a cluster of a batch, a site or of what was measured: then no person
        is given one.
    """
    if assignment is None:
        return None
    shares = {
        name.removeprefix("p_"): float(value)
        for name, value in assignment.items()
        if name.startswith("p_") and not is_null(value)
    }
    rows = [
        {"stratum": name, "text": share(value), "strip": share_strip(value, f"{name}: {share(value)}")}
        for name, value in shares.items()
    ]
    return {
        "name": assignment.get("stratum"),
        "single": sum(name.startswith("p_") for name in assignment) == 1,
        "cluster": cluster,
        "rows": rows,
        "entropy": number(assignment.get("entropy")),
        "between": bool(assignment.get("between")),
        "atypical": bool(assignment.get("atypical")),
    }


def dimension_rows(dimensions: Sequence[Dimension]) -> list[dict[str, Any]]:
    """Write a person's percentile on each dimension beside what loads on it."""
    return [_dimension_row(one) for one in dimensions]


def _dimension_row(one: Dimension) -> dict[str, Any]:
    known = not is_null(one.percentile)
    text = number(one.percentile, 0)
    label = f"{one.name}: percentile {text}"
    strip = percentile_strip(one.percentile, label) if known else ""
    return {"name": one.name, "loads_on": ", ".join(one.loads_on), "percentile": text, "strip": strip}


def mechanism_rows(rules: pl.DataFrame | None) -> list[dict[str, str]]:
    """Say what published rules make of this person, one row per mechanism; nothing when no rule was applied.

    Parameters
    ----------
    rules : DataFrame or None
        The person's rows of `PAIN_MECHANISMS`.
    """
    if rules is None or not rules.height:
        return []
    together = {row["mechanism"]: row["evidence"] for row in rules.filter(rule=_TOGETHER).iter_rows(named=True)}
    single = rules.filter(pl.col("rule") != _TOGETHER)
    return [
        {
            "mechanism": mechanism,
            "evidence": together.get(mechanism, NOT_MEASURED),
            "because": "; ".join(_because(row) for row in single.filter(mechanism=mechanism).iter_rows(named=True)),
        }
        for mechanism in _MECHANISMS
    ]


def _because(row: Mapping[str, Any]) -> str:
    rule = row["rule"].replace("_", " ")
    if row["evidence"] == NOT_MEASURED:
        return f"{rule} {NOT_MEASURED}"
    return f"{rule} {quantity(row['value'])}: {row['evidence']}"
