"""What may come into an exported model: unit, range, categories and training distribution of every input."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from nociomics.knowledge.biomarker import load_biomarkers

# features of which a new value is no error: new patients come from new places
_PLACES = ("site", "centre", "plate", "batch", "cohort")
_USUAL = (0.001, 0.999)
QUANTILE_SHARES = tuple(step / 20 for step in range(1, 20))
"""Of which training values are kept: 5 % to 95 %, and neither end, where single people stand."""
# on either side, in widths of the training range: beyond lies another scale (counts where logarithms were learned)
_WIDTHS = 10.0
_SMALLEST_FACTOR, _LARGEST_FACTOR = 1e-3, 1e3
_FROM_CATALOGUE = ("feature", "modality", "group", "unit", "kind", "low", "high", "within")


def input_schema(
    catalogue: pl.DataFrame,
    features: pl.DataFrame,
    read_by: Mapping[str, Iterable[str]],
    required: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Describe every input, one entry per feature, in the order of their names.

    Parameters
    ----------
    catalogue, features : DataFrame
        As in `FEATURE_CATALOGUE` and `FEATURES`, of the training people.
    read_by : dict of str to iterable of str
        Part of the bundle (``response``, ``adverse``, ``strata``, ``propensity``) -> the features that it reads.
    required : sequence of str
        Features without which nobody is answered (``missing_ok`` is false).

    Returns
    -------
    list of dict
        ``feature, modality, group, unit, kind, low, high, within`` as in the catalogue; ``missing_ok``,
        ``missing_share``, ``read_by``. A category has ``categories`` and ``open`` (a new value is told, not refused).
        It also has ``shares``: of each category among the training people who have one.
        A number has ``quantiles`` (at `QUANTILE_SHARES`), ``median``, ``usual_low`` and ``usual_high`` (0.1 and 99.9 %
        of training people), ``log10_mean`` and ``log10_sd`` of its positive values, ``unit_factors`` (unit -> by what
        a value written in it would have to be multiplied) and, where it has no range of its own, ``scale_low`` and
        ``scale_high``.
    """
    parts = {part: set(names) for part, names in read_by.items()}
    wanted = set().union(*parts.values()) if parts else set()
    rows = catalogue.filter(pl.col("feature").is_in(list(wanted))).sort("feature")
    batches = set(catalogue["within"].drop_nulls())
    entries = []
    for row in rows.iter_rows(named=True):
        name, values = row["feature"], features[row["feature"]]
        entry = {key: row[key] for key in _FROM_CATALOGUE}
        entry |= {
            "missing_ok": name not in required,
            "missing_share": float(values.null_count() / max(len(values), 1)),
            "read_by": sorted(part for part, names in parts.items() if name in names),
        }
        entries.append(
            entry | (_category(values, name, batches) if row["kind"] == "category" else _number(values, row))
        )
    return _with_scales(entries)


def _category(values: pl.Series, name: str, batches: set[str]) -> dict[str, Any]:
    is_place = name in batches or name in _PLACES or name.endswith(tuple(f"_{place}" for place in _PLACES))
    counts = dict(values.drop_nulls().cast(pl.String).value_counts().iter_rows())
    known = sum(counts.values())
    shares = {category: counts[category] / known for category in sorted(counts)}
    return {"categories": list(shares), "open": is_place, "shares": shares}


def _number(values: pl.Series, row: dict[str, Any]) -> dict[str, Any]:
    known = np.sort(values.cast(pl.Float64).drop_nulls().drop_nans().to_numpy())
    logs = np.log10(known[known > 0])
    return {
        "quantiles": [float(value) for value in np.quantile(known, QUANTILE_SHARES)] if known.size else [],
        "median": float(np.median(known)) if known.size else None,
        # outwards to a value that was seen: none of a small study's own people lies outside
        "usual_low": float(np.quantile(known, _USUAL[0], method="lower")) if known.size else None,
        "usual_high": float(np.quantile(known, _USUAL[1], method="higher")) if known.size else None,
        "log10_mean": float(logs.mean()) if logs.size else None,
        "log10_sd": float(logs.std(ddof=1)) if logs.size > 1 else None,
        "unit_factors": unit_factors(row["feature"]),
    }


def unit_factors(feature: str) -> dict[str, float]:
    """List other units of an analyte, with the factor that brings a value from there into the feature's unit.

    Only factors between a thousandth and a thousand: the units that laboratories mix up. One unit per factor.

    Examples
    --------
    >>> unit_factors("crp_mg_per_l")["mg/dL"], unit_factors("pcs_total")
    (10.0, {})
    """
    marker = next((one for one in load_biomarkers().values() if one.feature_name == feature), None)
    if marker is None:
        return {}
    found: dict[str, float] = {}
    for unit, factor in marker.factors.items():
        known = any(math.isclose(factor, other, rel_tol=1e-9) for other in found.values())
        if not known and not math.isclose(factor, 1.0) and _SMALLEST_FACTOR <= factor <= _LARGEST_FACTOR:
            found[unit] = factor
    return found


def _with_scales(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give numbers without a range the scale of their kind: one for all of a modality in one unit."""
    seen: dict[tuple[str, str], list[float]] = {}
    for entry in entries:
        if _lacks_range(entry):
            ends = [entry["usual_low"], entry["usual_high"]]
            seen.setdefault((entry["modality"], entry["unit"]), []).extend(end for end in ends if end is not None)
    for entry in entries:
        if _lacks_range(entry):
            ends = seen[entry["modality"], entry["unit"]]
            width = max(ends) - min(ends) if ends else 0.0
            known = width > 0
            entry["scale_low"] = min(ends) - _WIDTHS * width if known else None
            entry["scale_high"] = max(ends) + _WIDTHS * width if known else None
    return entries


def _lacks_range(entry: dict[str, Any]) -> bool:
    return entry["kind"] != "category" and entry["low"] is None and entry["high"] is None
