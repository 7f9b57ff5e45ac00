"""The strata section: how many, how sure, how large; one is a legitimate answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from nociomics.report.formats import NOT_MEASURED, interval, is_null, number, share
from nociomics.report.plots import factor_map, group_swatch, share_strip

_STRONG = 10.0  # BIC difference from which the evidence for more than one stratum is called strong
_STABLE, _PATTERN = 0.75, 0.6  # bootstrap Jaccard of a stratum: stable, a pattern, nothing (Hennig)
_SHOWN_APART = {"k", "at_least", "evidence", "bic", "bic_gain", "sizes"}


def evidence_words(summary: Mapping[str, Any]) -> str:
    """Say how strong the evidence for more than one stratum is.

    Uses the BIC of one stratum less the smallest BIC of several when the summary has it.

    Examples
    --------
    >>> evidence_words({"k": 2, "bic": {"1": 1000.0, "2": 980.0}})
    'strong: BIC falls by 20.0 against one stratum'
    >>> evidence_words({"k": 1, "bic": {"1": 1000.0, "2": 1034.0}})
    'none: BIC rises by 34.0 against one stratum'
    """
    bic = {int(k): float(value) for k, value in (summary.get("bic") or {}).items() if not is_null(value)}
    several = [value for k, value in bic.items() if k > 1]
    if 1 in bic and several:
        gain = bic[1] - min(several)
        strength = "strong" if gain > _STRONG else "present" if gain > 0 else "none"
        return f"{strength}: BIC {'falls' if gain > 0 else 'rises'} by {number(abs(gain), 1)} against one stratum"
    evidence = summary.get("evidence")
    return str(evidence).replace("_", " ") if isinstance(evidence, str) else "not measured"


def strata_sentence(summary: Mapping[str, Any]) -> str:
    """Say the finding in one sentence."""
    k = summary.get("k")
    if k is None:
        return "Strata were not measured."
    if summary.get("bic_gain", 0.0) is None:
        return f"{str(summary.get('evidence') or 'strata were not measured').capitalize()}."
    if int(k) == 1:
        return (
            "Dimensions, not types: the data do not show separate groups of patients. "
            "People differ by degree, so each is described by factor scores, not by a label."
        )
    return f"The data support at least {int(k)} strata; more may exist that this many people cannot show."


def strata_view(
    summary: Mapping[str, Any] | None, assignments: pl.DataFrame | None, scores: pl.DataFrame | None
) -> dict[str, Any] | None:
    """Collect what the strata section shows, or None when strata were not looked for.

    Parameters
    ----------
    summary : mapping or None
        ``k, evidence, stability, bic`` and further figures.
    assignments : DataFrame or None
        As in `ASSIGNMENTS`.
    scores : DataFrame or None, one row per person
        ``patient_id, factor_1, factor_2, ...``
    """
    if summary is None:
        return None
    return {
        "sentence": strata_sentence(summary),
        "evidence": evidence_words(summary),
        "bic": _bic_rows(summary),
        "sizes": _sizes(assignments),
        "facts": _facts({key: value for key, value in summary.items() if key not in _SHOWN_APART}),
        "map": _map(assignments, scores),
    }


def _bic_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    bic = {int(k): value for k, value in (summary.get("bic") or {}).items()}
    first = bic.get(1)
    return [
        (str(k), number(None if is_null(value) or is_null(first) else value - first, 1, signed=True))
        for k, value in sorted(bic.items())
    ]


def _sizes(assignments: pl.DataFrame | None) -> dict[str, Any] | None:
    if assignments is None or not assignments.height:
        return None
    table = assignments.group_by("stratum").len().sort("stratum", nulls_last=True)
    rows = [
        {
            "stratum": row["stratum"] or "not assigned",
            "people": row["len"],
            "share": share(row["len"] / assignments.height),
            "strip": share_strip(row["len"] / assignments.height, f"{row['len']} of {assignments.height} people"),
        }
        for row in table.iter_rows(named=True)
    ]
    between, atypical = (int(assignments[name].fill_null(False).sum()) for name in ("between", "atypical"))
    return {"rows": rows, "between": between, "atypical": atypical, "people": assignments.height}


def _facts(summary: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten whatever else the summary tells into label and text; intervals stay beside their value."""
    facts: list[tuple[str, str]] = []
    for key, value in summary.items():
        label = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping) and "value" in value:
            facts.append((label, interval(value["value"], value.get("lower"), value.get("upper"))))
        elif isinstance(value, Mapping):
            known = {name: one for name, one in value.items() if one is not None}
            facts += _facts(known, f"{label}, ") if known else [(label, NOT_MEASURED)]
        elif "jaccard" in prefix and isinstance(value, float):
            facts.append((label, f"{number(value)}, {jaccard_words(value)}"))
        else:
            facts.append((label, _fact(value)))
    return facts


def jaccard_words(overlap: float) -> str:
    """Say what a stratum's bootstrap overlap means.

    Examples
    --------
    >>> jaccard_words(0.8), jaccard_words(0.7), jaccard_words(0.5)
    ('stable', 'a pattern only', 'not stable')
    """
    return "stable" if overlap >= _STABLE else "a pattern only" if overlap >= _PATTERN else "not stable"


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return ", ".join(_fact(part) for part in value) or "none"
    if value is None or isinstance(value, float):
        return number(value)
    return str(value)


def _map(assignments: pl.DataFrame | None, scores: pl.DataFrame | None) -> dict[str, Any] | None:
    """People on the first two factors; with one factor or nobody there is nothing to draw."""
    if scores is None or not scores.height:
        return None
    factors = [name for name in scores.columns if name != "patient_id"][:2]
    if len(factors) < 2:
        return None
    strata = pl.DataFrame({"patient_id": [], "stratum": []}, schema={"patient_id": pl.String, "stratum": pl.String})
    if assignments is not None:
        strata = assignments.select("patient_id", "stratum")
    people = scores.join(strata, on="patient_id", how="left", maintain_order="left")
    names = (factors[0].replace("_", " "), factors[1].replace("_", " "))
    chart, groups, drawn = factor_map(people[factors[0]], people[factors[1]], people["stratum"], names)  # type: ignore[arg-type]
    legend = [(group_swatch(index, f"mark of {name}"), name) for index, name in enumerate(groups)]
    return {"chart": chart, "legend": legend if len(groups) > 1 else [], "drawn": drawn, "people": people.height}
