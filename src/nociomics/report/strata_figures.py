"""What MLflow is given of the strata: few numbers, the pictures as files, tables that show nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from nociomics.report.standalone import heat_picture, standalone
from nociomics.report.strata_page import StrataPageData, symptom_groups
from nociomics.report.strata_pictures import flow_view, heat_view, map_view
from nociomics.report.strata_tables import told_markers, without_small_counts


def strata_numbers(summary: Mapping[str, Any] | None, assignments: pl.DataFrame | None) -> dict[str, float | None]:
    """Gather number of strata, evidence, stability and doubt, by name; null where not measured.

    Parameters
    ----------
    summary : mapping or None
        As in ``strata/summary.json``.
    assignments : DataFrame or None
        As in `ASSIGNMENTS`.
    """
    told = summary or {}
    stability = told.get("stability") or {}
    overlaps = [value for value in (stability.get("jaccard") or {}).values() if value is not None]
    return {
        "k": told.get("k"),
        "people": told.get("people"),
        "factors": told.get("factors"),
        "bic_gain": told.get("bic_gain"),
        "agreement": stability.get("agreement"),
        "least_jaccard": min(overlaps, default=None),
        **{f"share_{name}": _share(assignments, name) for name in ("between", "atypical")},
    }


def _share(assignments: pl.DataFrame | None, name: str) -> float | None:
    known = None if assignments is None else assignments[name].drop_nulls()
    return None if known is None or not known.len() else float(known.mean())  # type: ignore[arg-type]


def strata_figures(data: StrataPageData) -> dict[str, str]:
    """Pictures of the page as SVG files, by name; what cannot be drawn is left out."""
    groups, what = symptom_groups(data.pain_types, data.pain_mechanisms)
    drawn = {
        "factor_map": map_view(data.assignments, data.scores, data.inputs),
        "heat_map": heat_view(data.assignments, data.scores, data.inputs),
        "groups_to_strata": flow_view(groups, data.assignments, what),
    }
    return {
        name: standalone(heat_picture(view) if name == "heat_map" else view["chart"])
        for name, view in drawn.items()
        if view is not None
    }


def strata_tables(data: StrataPageData) -> dict[str, pl.DataFrame]:
    """Tables of the strata by name: whatever names a person is left out, and counts below 5 are not told."""
    crossed = data.mechanism_by_stratum
    tables = {
        "associations": data.associations,
        "markers": None if data.markers is None else told_markers(data.markers),
        "challengers": data.challengers,
        "mechanism_by_stratum": None if crossed is None else without_small_counts(crossed),
    }
    return {name: table for name, table in tables.items() if table is not None}
