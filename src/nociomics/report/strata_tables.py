"""Rows of the strata page: evidence, sizes, what the strata go with, what marks them, what rules say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from nociomics.report.downloads import table_link
from nociomics.report.formats import interval, is_null, listed, number, plural, quantity, share
from nociomics.report.measurement_names import plain_column
from nociomics.report.plots import Scale, axis_strip, interval_strip, share_strip
from nociomics.report.strata_words import jaccard_words
from nociomics.report.wording import small_count

_MOST_MARKERS = 8  # drawn of each stratum
_MOST_TOLD = 60  # in the table to download; all are in strata/markers.parquet
_MOST_GATHERINGS = 12
_MOST_OTHERS = 20
_MOST_NAMED = 8
_ROLES = {
    "site": "where seen",
    "batch": "batch",
    "missingness": "what was measured",
    "outcome": "outcome",
    "treatment": "treatment",
    "trait": "trait",
}
_VERDICTS = {"clear": "no cluster of it", "not judged": ""}
_MECHANISMS = ("neuropathic", "inflammatory", "nociplastic", "mixed")
_EVIDENCE = ("likely", "possible", "unlikely", "not shown", "not measured")
_LIMIT = 0.2  # from here an association with site, batch or missingness makes a cluster of it


def evidence_rows(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """One row per number of strata tried: its BIC less that of one, and the test that led to it."""
    bic = {int(k): value for k, value in (summary.get("bic") or {}).items()}
    steps = {int(step["k"]): step for step in (summary.get("test") or {}).get("steps") or []}
    first = bic.get(1)
    return [
        {
            "k": str(k),
            "bic": number(None if is_null(bic.get(k)) or is_null(first) else bic[k] - first, 1, signed=True),
            "ratio": number(steps.get(k, {}).get("likelihood_ratio"), 1, null=""),
            "needed": number(steps.get(k, {}).get("needed"), 1, null=""),
            "p": p_words(steps.get(k, {}).get("p_value"), null=""),
            "smallest": small_count(steps[k]["smallest"]) if steps.get(k, {}).get("smallest") is not None else "",
        }
        for k in sorted({*bic, *steps})
    ]


def continuum_sentence(summary: Mapping[str, Any] | None) -> str | None:
    """Say what one continuum of uneven shape explains of it; None when that was not asked."""
    gain = ((summary or {}).get("test") or {}).get("continuum_gain")
    if is_null(gain):
        return None
    words = "One continuum of uneven shape, which needs no strata, gains"
    return f"{words} {number(float(gain or 0.0), 1, signed=True)} in likelihood ratio over what its shape costs."


def left_out_sentence(summary: Mapping[str, Any] | None) -> str | None:
    """Say which measurements took no part, and why; None when all did."""
    entries = (summary or {}).get("left_out") or []
    told = []
    for reason, rare in (("fewer than half of the people have it", True), ("everybody who has it is alike", False)):
        names = [plain_column(one["column"]) for one in entries if one["reason"].startswith("measured in") is rare]
        if names:
            few = len(names) <= _MOST_NAMED
            shown = listed(names) if few else f"{', '.join(names[:_MOST_NAMED])} and others"
            told.append(f"{plural(len(names), 'measurement')} took no part, since {reason}: {shown}.")
    return " ".join(told) or None


def p_words(p: float | None, null: str = "not measured") -> str:
    """Write a p value.

    Examples
    --------
    >>> p_words(0.0004), p_words(0.0312), p_words(None)
    ('<0.001', '0.031', 'not measured')
    """
    if p is None or is_null(p):
        return null
    return "<0.001" if p < 0.001 else number(p, 3)


def size_rows(assignments: pl.DataFrame | None, summary: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """People per stratum with its stability in words, and how many are between strata or atypical."""
    if assignments is None or not assignments.height:
        return None
    overlaps = ((summary or {}).get("stability") or {}).get("jaccard") or {}
    table = assignments.group_by("stratum").len().sort("stratum", nulls_last=True)
    rows = [_size_row(stratum, people, assignments.height, overlaps) for stratum, people in table.iter_rows()]
    between, atypical = (int(assignments[name].fill_null(False).sum()) for name in ("between", "atypical"))
    return {"rows": rows, "between": between, "atypical": atypical, "people": assignments.height}


def _size_row(stratum: str | None, people: int, everybody: int, overlaps: Mapping[str, Any]) -> dict[str, Any]:
    overlap = overlaps.get(stratum) if stratum else None
    return {
        "stratum": stratum or "not assigned",
        "people": people,
        "share": share(people / everybody),
        "strip": share_strip(people / everybody, f"{people} of {everybody} people"),
        "stability": "" if is_null(overlap) else f"{number(overlap)}, {jaccard_words(float(overlap or 0))}",
    }


def association_view(associations: pl.DataFrame | None) -> dict[str, Any] | None:
    """Lay out what the strata go with: first what would make clusters of them, then outcomes and traits.

    Parameters
    ----------
    associations : DataFrame or None
        As in `STRATA_ASSOCIATIONS`.
    """
    if associations is None or not associations.height:
        return None
    order = list(_ROLES)
    strongest = associations.sort(pl.col("value").abs(), descending=True, nulls_last=True).unique(
        ["of" if associations["of"].eq("strata").all() else "role", "variable"], keep="first", maintain_order=True
    )
    rows = sorted(
        strongest.to_dicts(),
        key=lambda row: (order.index(row["role"]), -abs(row["value"] or 0.0), row["of"], row["variable"]),
    )
    scale = Scale(-1, 1) if any((row["value"] or 0) < 0 for row in rows) else Scale(0, 1)
    written = [_association_row(row, scale) for row in rows]
    judged = [row for row in written if row["judging"]]
    return {
        "judging": judged,
        "others": [row for row in written if not row["judging"]][:_MOST_OTHERS],
        "hidden": max(0, len(written) - len(judged) - _MOST_OTHERS),
        "factors": strongest.height < associations.height,
        "axis": axis_strip(scale, "Scale of the measures"),
        "download": table_link(associations, "associations.csv"),
    }


def _association_row(row: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    judging = row["role"] in ("site", "batch", "missingness")
    measure = {"cramers_v": "Cramér's V", "correlation_ratio": "correlation ratio", "correlation": "rank correlation"}
    text = interval(row["value"], row["lower"], row["upper"])
    words = _VERDICTS.get(row["verdict"], row["verdict"])
    if row["of"] != "strata" and row["verdict"].endswith("cluster"):
        words = f"{row['verdict'].split()[0]} effect"  # a dimension is no cluster
    label = f"{row['variable']}: {text}"
    return {
        "judging": judging,
        "variable": row["variable"].replace("_", " "),
        "of": "" if row["of"] == "strata" else row["of"].replace("_", " "),
        "role": _ROLES[row["role"]],
        "measure": measure[row["measure"]],
        "text": text,
        "p": p_words(row["p"]),
        "n": row["n"],
        "verdict": words,
        "alarm": row["verdict"].endswith("cluster"),
        "strip": interval_strip(
            row["value"], row["lower"], row["upper"], scale, label, reference=_LIMIT if judging else 0.0,
            strong=row["verdict"].endswith("cluster") or not judging,
        ),
    }  # fmt: skip


def concentration_rows(concentrations: pl.DataFrame | None) -> list[dict[str, str]]:
    """Strata that gather in one site, batch or pattern of measurement; counts below 5 are not told."""
    if concentrations is None:
        return []
    judging = pl.col("role").is_in(["site", "batch", "missingness"]) & pl.col("concentrated")
    rows = concentrations.filter(judging).sort("stratum", "residual", "variable", descending=[False, True, False])
    return [
        {
            "stratum": row["stratum"],
            "where": f"{row['variable'].replace('_', ' ')}: {row['level']}",
            "people": small_count(row["people"]),
            "share": share(row["share"]) if row["people"] >= 5 else "",
            "expected": share(row["expected_share"]),
        }
        for row in rows.head(_MOST_GATHERINGS).iter_rows(named=True)
    ]


def marker_view(markers: pl.DataFrame | None, names: Mapping[str, str]) -> dict[str, Any] | None:
    """Forest of each stratum (or factor): the features that differ most, with their intervals.

    Parameters
    ----------
    markers : DataFrame or None
        As in `STRATA_MARKERS`.
    names : mapping of str to str
        Stratum -> its name from biology, where it has earned one.
    """
    if markers is None or not markers.drop_nulls("difference").height:
        return None
    known = markers.drop_nulls("difference").with_columns(size=pl.col("difference").abs())
    shown = known.sort("of", "size", "feature", "level", descending=[False, True, False, False])
    shown = shown.group_by("of", maintain_order=True).head(_MOST_MARKERS)
    scale = Scale.around([*shown["difference"], *shown["lower"], *shown["upper"]], include=[0])
    groups = [
        {
            "of": str(of).replace("_", " "),
            "name": names.get(str(of), ""),
            "rows": [_marker_row(row, scale) for row in rows.iter_rows(named=True)],
            "of_all": known.filter(of=of).height,
        }
        for (of,), rows in shown.group_by("of", maintain_order=True)
    ]
    return {
        "groups": groups,
        "axis": axis_strip(scale, "Scale of differences"),
        "strata": not str(shown["of"][0]).startswith("factor"),
        "download": table_link(told_markers(markers), "markers.csv"),
    }


def told_markers(markers: pl.DataFrame) -> pl.DataFrame:
    """Keep the largest differences of each stratum: thousands of genes would make the page too heavy."""
    columns = ("of", "feature", "level", "modality", "unit", "clustered_on", "n_in", "n_rest", "mean_in", "mean_rest",
               "difference_own", "difference", "lower", "upper", "p", "q", "mechanism")  # fmt: skip
    known = markers.drop_nulls("difference").with_columns(size=pl.col("difference").abs())
    ranked = known.sort("of", "size", "feature", "level", descending=[False, True, False, False])
    return ranked.group_by("of", maintain_order=True).head(_MOST_TOLD).select(columns)


def _marker_row(row: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    feature = plain_column(row["feature"]) + (f" = {row['level']}" if row["level"] else "")
    text = interval(row["difference"], row["lower"], row["upper"], signed=True)
    clear = not is_null(row["lower"]) and not is_null(row["upper"]) and (row["lower"] > 0 or row["upper"] < 0)
    strip = interval_strip(
        row["difference"], row["lower"], row["upper"], scale, f"{feature}: {text}", reference=0, strong=clear
    )
    notes = [row["mechanism"]] if row["mechanism"] else []
    notes += ["strata were made of it"] if row["clustered_on"] and row["of"].startswith("S") else []
    return {
        "feature": feature,
        "note": ", ".join(notes),
        "text": text,
        "own": _own(row),
        "q": p_words(row["q"]),
        "strip": strip,
    }


def _own(row: Mapping[str, Any]) -> str:
    """Write the difference in the marker's own unit, or as a ratio of geometric means."""
    if is_null(row["difference_own"]):
        return ""
    if row["scale"] == "log":
        return f"{number(row['difference_own'])} times"
    if row["level"] or row["unit"] in ("0/1", "category"):
        return f"{number(100 * row['difference_own'], 0, signed=True)} points of per cent"
    text = quantity(row["difference_own"], row["unit"])
    return f"{text} {row['unit']}".strip()


def mechanism_view(table: pl.DataFrame | None, summary: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Cross table of rule-based pain mechanisms and strata.

    Parameters
    ----------
    table : DataFrame or None
        As in `MECHANISM_BY_STRATUM`.
    summary : mapping or None
        As in ``strata/summary.json``: with one stratum its column is everybody.
    """
    if table is None or not table.height:
        return None
    one = summary is not None and summary.get("k") == 1
    strata = sorted(table["stratum"].unique(), key=lambda name: (not name.startswith("S"), name))
    cells = {(row["mechanism"], row["evidence"], row["stratum"]): row for row in table.iter_rows(named=True)}
    groups = []
    for mechanism in _MECHANISMS:
        rows = [
            {"evidence": evidence, "cells": [_cell(cells.get((mechanism, evidence, name))) for name in strata]}
            for evidence in _EVIDENCE
            if any(
                (mechanism, evidence, name) in cells and cells[mechanism, evidence, name]["people"] for name in strata
            )
        ]
        if rows:
            groups.append({"mechanism": mechanism, "rows": rows, "unmeasured": _unmeasured(rows)})
    names = ["everybody" if one and name == "S1" else name for name in strata]
    return {
        "strata": names,
        "groups": groups,
        "download": table_link(without_small_counts(table), "mechanism_by_stratum.csv"),
    }


def _unmeasured(rows: Sequence[Mapping[str, Any]]) -> bool:
    return [row["evidence"] for row in rows] == ["not measured"]


def _cell(row: Mapping[str, Any] | None) -> tuple[str, str]:
    people = 0 if row is None else int(row["people"])
    if row is None or people == 0:
        return "0", ""
    return small_count(people), "" if people < 5 else share(row["of_stratum"])


def without_small_counts(table: pl.DataFrame) -> pl.DataFrame:
    """Blank counts below 5 in a table as `MECHANISM_BY_STRATUM`, since it travels with the page."""
    few = pl.col("people").is_between(1, 4)
    shares = [pl.when(~few).then(pl.col(name)).alias(name) for name in ("of_stratum", "of_everybody")]
    people = pl.when(few).then(pl.lit("fewer than 5")).otherwise(pl.col("people").cast(pl.String)).alias("people")
    return table.with_columns(people, *shares)


def challenger_view(challengers: pl.DataFrame | None) -> dict[str, Any] | None:
    """Other ways of grouping beside the strata, each with what it can and cannot do.

    Parameters
    ----------
    challengers : DataFrame or None
        As in `CHALLENGERS`.
    """
    if challengers is None or not challengers.height:
        return None
    return {
        "rows": [_challenger_row(row) for row in challengers.iter_rows(named=True)],
        "never_one": any(not row["can_say_one"] for row in challengers.iter_rows(named=True)),
        "transductive": any(not row["places_new_people"] for row in challengers.iter_rows(named=True)),
        "download": table_link(challengers, "challengers.csv"),
    }


def _challenger_row(row: Mapping[str, Any]) -> dict[str, Any]:
    own = row["challenger"] == "strata"
    told = row["status"] in ("ok", "one group")
    return {
        "name": "the strata" if own else row["challenger"].replace("_", " "),
        "method": row["method"],
        "own": own,
        "places": row["places_new_people"],
        "says_one": row["can_say_one"],
        "k": "" if is_null(row["k"]) else str(row["k"]),
        "k_from": {"own": "its own choice", "strata": "as the strata"}[row["k_from"]],
        "placed": "" if not told else share(row["placed_share"]),
        "stability": number(row["stability"], null="") if told else "",
        "agreement": "" if own or not told else number(row["ari"], null=""),
        "status": "" if row["status"] == "ok" else row["status"],
    }
