"""What a stratum may be called: by a batch or a site that it is, by a mechanism, or by its number alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from nociomics.evaluate.strata_associations import CLUSTERS

_WORST = {"batch cluster": 0, "site cluster": 1, "missingness cluster": 2}


def found_clusters(associations: pl.DataFrame, concentrations: pl.DataFrame) -> list[dict[str, Any]]:
    """List what the strata (or factors) are clusters of, batches first, the strongest first.

    Returns
    -------
    list of dict
        ``of, kind, variable, value, lower, upper, p, n`` and ``strata``: where each is concentrated
        (``stratum, level, share, expected_share``).
    """
    judged = associations.filter(pl.col("verdict").is_in(CLUSTERS))
    rank = pl.col("verdict").replace_strict(_WORST, return_dtype=pl.Int64)
    ordered = judged.sort(rank, -pl.col("value").abs(), "of", "variable")
    keys = ("of", "variable", "value", "lower", "upper", "p", "n")
    shown = ("stratum", "level", "share", "expected_share")
    return [
        {
            **{key: row[key] for key in keys},
            "kind": row["verdict"],
            "strata": concentrations.filter(pl.col("concentrated") & (pl.col("variable") == row["variable"]))
            .select(shown)
            .to_dicts(),
        }
        for row in ordered.iter_rows(named=True)
    ]


def stratum_names(
    strata: Sequence[str], markers: pl.DataFrame, clusters: Sequence[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Name every stratum as far as the data allow.

    A name from biology needs a pre-specified marker (`knowledge/strata_markers.csv`) that differs by more than 0.5 SD
    with an interval that excludes 0 (method M22). Strata that are a cluster of a batch, a site or of gaps in the data
    get no such name, whatever their markers say.

    Returns
    -------
    dict of str to dict
        ``name`` (``S1`` when nothing more may be said), ``kind`` (biology, number, or what it is a cluster of),
        ``mechanisms`` (those that its markers speak for), ``because`` (features) and ``where`` (groups in which it is
        concentrated).
    """
    named = {}
    for stratum in strata:
        own = markers.filter((pl.col("of") == stratum) & pl.col("names")).sort("mechanism", "feature")
        mechanisms = own["mechanism"].unique(maintain_order=True).to_list()
        kind = clusters[0]["kind"] if clusters else "biology" if mechanisms else "number"
        where = [
            {"variable": cluster["variable"], "level": place["level"], "share": place["share"]}
            for cluster in clusters
            for place in cluster["strata"]
            if place["stratum"] == stratum
        ]
        name = stratum
        if kind == "biology":
            name = " and ".join(mechanisms)
        elif kind != "number" and where:
            name = f"{kind}: {where[0]['variable']} {where[0]['level']}"
        because = own["feature"].to_list()
        named[stratum] = {"name": name, "kind": kind, "mechanisms": mechanisms, "because": because, "where": where}
    return _told_apart(named)


def _told_apart(named: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Two strata of one name are told apart by their numbers."""
    names = [entry["name"] for entry in named.values()]
    return {
        stratum: entry if names.count(entry["name"]) == 1 else {**entry, "name": f"{entry['name']} ({stratum})"}
        for stratum, entry in named.items()
    }
