"""Pharmacogenes of one person: what was called, and what the guidelines say."""

from __future__ import annotations

from typing import Any

import polars as pl

from nociomics.knowledge.pharmacogene import load_advice_categories
from nociomics.report.formats import NOT_MEASURED, is_null

_ASKS_FOR_SOMETHING = 40  # caution of knowledge/pgx/advice_categories.csv from which advice differs from usual use
_MOST_CANDIDATES = 4


def call_rows(calls: pl.DataFrame | None) -> list[dict[str, str]]:
    """Write the person's calls, one row per gene.

    Parameters
    ----------
    calls : DataFrame or None
        The person's rows of `PGX_CALLS`: ``gene``, and of ``diplotype_top, diplotype_candidates,
        phenotype, phenotype_candidates, phenotype_certain, activity_score_min, activity_score_max,
        missing_alleles, call_state`` what there is. Sets are joined by ``|``.
    """
    return [] if calls is None else [_call_row(row) for row in calls.sort("gene").iter_rows(named=True)]


def _call_row(row: dict[str, Any]) -> dict[str, str]:
    candidates = _parts(row.get("diplotype_candidates"))
    diplotype = str(row.get("diplotype_top") or row.get("diplotype") or "no call")
    others = [name for name in candidates if name != diplotype]
    phenotype = row.get("phenotype") or " or ".join(_parts(row.get("phenotype_candidates")))
    doubts = []
    if others:
        more = "" if len(others) <= _MOST_CANDIDATES else f" and {len(others) - _MOST_CANDIDATES} more"
        doubts.append(f"also possible: {', '.join(others[:_MOST_CANDIDATES])}{more}")
    if row.get("phenotype_certain") is False:
        doubts.append("phenotype not certain")
    return {
        "gene": str(row["gene"]),
        "diplotype": diplotype,
        "phenotype": str(phenotype or "not known").replace("|", " or ").replace("_", " "),
        "score": _score(row),
        "doubts": "; ".join(doubts),
    }


def _score(row: dict[str, Any]) -> str:
    low, high = row.get("activity_score_min"), row.get("activity_score_max")
    ends = [str(end) if isinstance(end, str) else f"{end:g}" for end in (low, high) if not is_null(end) and end != ""]
    if not ends:
        return str(row["activity_score"]) if not is_null(row.get("activity_score")) else ""
    return ends[0] if len(set(ends)) == 1 else f"{ends[0]} to {ends[-1]}"


def _parts(value: Any) -> list[str]:
    """Members of a set: a list, or text joined by ``|``."""
    if value is None:
        return []
    return [part for part in (value.split("|") if isinstance(value, str) else map(str, value)) if part]


def advice_view(recommendations: pl.DataFrame | None) -> dict[str, Any] | None:
    """Split a person's drug advice into drugs that call for a change and drugs that do not.

    Parameters
    ----------
    recommendations : DataFrame or None
        The person's rows of `PGX_RECOMMENDATIONS`: ``drug`` and of ``category, strength, certain,
        guideline, year, pmid, cpic_level, genes_used, text`` what there is.

    Returns
    -------
    dict or None
        ``change``: rows; ``no_change``: category in words -> drugs. None when there is no table.
    """
    if recommendations is None:
        return None
    cautions = dict(load_advice_categories().select("category", "caution").iter_rows())
    change: list[tuple[int, dict[str, str]]] = []
    no_change: dict[str, list[str]] = {}
    for row in recommendations.sort("drug").iter_rows(named=True):
        category = str(row.get("category") or "NO_RESULT")
        caution = int(cautions.get(category, _ASKS_FOR_SOMETHING))  # a word we do not know is shown, not folded away
        if caution >= _ASKS_FOR_SOMETHING:
            change.append((-caution, _advice_row(row, category)))
        else:
            no_change.setdefault(_words(category), []).append(str(row["drug"]))
    change.sort(key=lambda pair: pair[0])
    folded = sorted((name, sorted(set(drugs))) for name, drugs in no_change.items())
    return {"change": [row for _, row in change], "no_change": folded}


def _advice_row(row: dict[str, Any], category: str) -> dict[str, str]:
    source = " ".join(str(row[name]) for name in ("guideline", "year") if not is_null(row.get(name)))
    pmid = "" if is_null(row.get("pmid")) else f"PMID {row['pmid']}"
    notes = [str(row[name]) for name in ("population", "indication") if row.get(name) not in (None, "", "general")]
    return {
        "drug": str(row["drug"]) + (f" ({', '.join(notes)})" if notes else ""),
        "category": _words(category),
        "text": str(row.get("text") or row.get("short") or ""),
        "strength": str(row.get("strength") or NOT_MEASURED),
        "certain": "certain" if row.get("certain") is True else "not certain" if row.get("certain") is False else "",
        "genes": str(row.get("genes_used") or "").replace("|", ", "),
        "source": ", ".join(part for part in (source, pmid) if part),
    }


def _words(category: str) -> str:
    meanings = dict(load_advice_categories().select("category", "meaning").iter_rows())
    return str(meanings.get(category, category.replace("_", " ").lower()))
