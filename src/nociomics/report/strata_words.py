"""What the pages say of strata in words: the finding first, a cluster of batches named as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from nociomics.report.formats import is_null, listed, number
from nociomics.report.measurement_names import plain_column

STRONG = 10.0  # BIC difference from which the evidence for more than one stratum is called strong
_STABLE, _PATTERN = 0.75, 0.6  # bootstrap Jaccard of a stratum: stable, a pattern, nothing (Hennig)
_CLUSTERS = {  # verdict of an association -> what such groups tell
    "batch cluster": "how people were measured",
    "site cluster": "where people were seen",
    "missingness cluster": "what was measured of whom",
}


def evidence_words(summary: Mapping[str, Any]) -> str:
    """Say how strong the evidence for more than one stratum is.

    The summary's own judgement comes first: a smaller BIC alone makes no strata, since a continuum of uneven shape has
    one, too.

    Examples
    --------
    >>> evidence_words({"k": 2, "bic": {"1": 1000.0, "2": 980.0}})
    'strong; BIC falls by 20.0 against one stratum'
    >>> evidence_words({"k": 1, "bic": {"1": 1000.0, "2": 990.0}, "evidence": "none: one continuum explains people"})
    'none; one continuum explains people; BIC falls by 10.0 against one stratum'
    """
    bic = {int(k): float(value) for k, value in (summary.get("bic") or {}).items() if not is_null(value)}
    several = [value for k, value in bic.items() if k > 1]
    told = str(summary.get("evidence") or "").replace("_", " ").replace(": ", "; ", 1)
    if 1 not in bic or not several:
        return told or "not measured"
    gain = bic[1] - min(several)
    strength = "strong" if gain > STRONG else "present" if gain > 0 else "none"
    return f"{told or strength}; BIC {'falls' if gain > 0 else 'rises'} by {number(abs(gain), 1)} against one stratum"


def strata_sentence(summary: Mapping[str, Any] | None, associations: pl.DataFrame | None = None) -> str:
    """Say the finding in one sentence.

    Parameters
    ----------
    summary : mapping or None
        As in ``strata/summary.json``.
    associations : DataFrame or None
        As in `STRATA_ASSOCIATIONS`; groups that follow a batch, a site or what was measured are said to.
    """
    k = None if summary is None else summary.get("k")
    if summary is None or k is None:
        return "Strata were not measured."
    if summary.get("bic_gain", 0.0) is None:
        words = str(summary.get("evidence") or "strata were not measured")
        return f"{words[:1].upper()}{words[1:]}."
    if int(k) == 1:
        return (
            "Dimensions, not types: the data do not show separate groups of patients. "
            "People differ by degree, so each is described by factor scores, not by a label."
        )
    cluster = cluster_sentence(summary, associations)
    if cluster is not None:
        return cluster
    if str(summary.get("evidence") or "").startswith("weak"):
        return (
            f"The data hint at {int(k)} strata, but the evidence is weak: differences by degree alone, without any "
            "strata, describe people nearly as well."
        )
    return f"The data support at least {int(k)} strata; more may exist that this many people cannot show."


def cluster_sentence(summary: Mapping[str, Any] | None, associations: pl.DataFrame | None) -> str | None:
    """Say that the groups found follow a batch, a site or what was measured; None when they do not."""
    if summary is None or associations is None or int(summary.get("k") or 1) < 2:
        return None
    found = associations.filter((pl.col("of") == "strata") & pl.col("verdict").is_in(list(_CLUSTERS)))
    if not found.height:
        return None
    rows = found.sort("value", "variable", descending=[True, False]).to_dicts()
    verdict = next(kind for kind in _CLUSTERS if kind in {row["verdict"] for row in rows})
    named = [f"{row['variable'].replace('_', ' ')} ({measure_words(row)})" for row in rows if row["verdict"] == verdict]
    return (
        f"A {verdict}, not strata: the {int(summary['k'])} groups found go with {listed(named)}, "
        f"so they tell {_CLUSTERS[verdict]} and may say nothing about kinds of pain."
    )


def strata_fact(summary: Mapping[str, Any], associations: pl.DataFrame | None) -> str:
    """Say the finding in three words.

    Examples
    --------
    >>> strata_fact({"k": 1}, None), strata_fact({"k": 3}, None), strata_fact({"k": 1, "bic_gain": None}, None)
    ('dimensions, not types', 'at least 3', 'not looked for')
    """
    k = int(summary["k"])
    if summary.get("bic_gain", 0.0) is None:
        return "not looked for"
    if k > 1 and cluster_sentence(summary, associations) is not None:
        return "none: the groups are no strata"
    return "dimensions, not types" if k == 1 else f"at least {k}"


def measure_words(row: Mapping[str, Any]) -> str:
    """Write an association's measure and value, such as 'Cramér's V 0.93'."""
    names = {"cramers_v": "Cramér's V", "correlation_ratio": "correlation ratio", "correlation": "rank correlation"}
    return f"{names[row['measure']]} {number(row['value'])}"


def jaccard_words(overlap: float) -> str:
    """Say what a stratum's bootstrap overlap means.

    Examples
    --------
    >>> jaccard_words(0.8), jaccard_words(0.7), jaccard_words(0.5)
    ('stable', 'a pattern only', 'not stable')
    """
    return "stable" if overlap >= _STABLE else "a pattern only" if overlap >= _PATTERN else "not stable"


def stability_sentence(summary: Mapping[str, Any] | None) -> str | None:
    """Say how many strata come back in resampled cohorts; None when that was not measured.

    Examples
    --------
    >>> stability_sentence({"stability": {"jaccard": {"S1": 0.8, "S2": 0.5}}})
    'In resampled cohorts, S1 comes back (stable); S2 does not (not stable).'
    """
    overlaps = ((summary or {}).get("stability") or {}).get("jaccard") or {}
    known = {name: float(value) for name, value in overlaps.items() if not is_null(value)}
    if not known:
        return None
    verbs = {
        "stable": ("comes back", "come back"),
        "a pattern only": ("comes back in part", "come back in part"),
        "not stable": ("does not", "do not"),
    }
    parts = []
    for word, (one, many) in verbs.items():
        names = [name for name, value in known.items() if jaccard_words(value) == word]
        if names:
            parts.append(f"{listed(names)} {one if len(names) == 1 else many} ({word})")
    return f"In resampled cohorts, {'; '.join(parts)}."


def biology_names(report: Mapping[str, Any] | None) -> dict[str, str]:
    """Give the names that strata have earned from biology, each with the markers that gave it.

    Parameters
    ----------
    report : mapping or None
        As in ``strata/report.json``.

    Returns
    -------
    dict of str to str
        Stratum -> words; a stratum without such a name is left out, and keeps its number only.

    Examples
    --------
    >>> entry = {"kind": "biology", "mechanisms": ["inflammatory"], "because": ["crp_mg_per_l"]}
    >>> biology_names({"names": {"S1": entry, "S2": {"kind": "number"}}})
    {'S1': 'inflammatory (crp)'}
    """
    named = (report or {}).get("names") or {}
    return {
        stratum: f"{listed(entry['mechanisms'])} ({', '.join(plain_column(name) for name in entry['because'])})"
        for stratum, entry in named.items()
        if entry["kind"] == "biology"
    }
