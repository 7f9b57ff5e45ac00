"""What the pictures of the strata page show: who stands where, in which order, and which pair of factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup
from numpy.typing import NDArray

from nociomics.quality.batches import cramers_v
from nociomics.report.downloads import table_link
from nociomics.report.flow_chart import Flow, flow_chart
from nociomics.report.formats import number, out_of
from nociomics.report.heat_strips import heat_heading, heat_strip, heat_swatches
from nociomics.report.plots import group_swatch
from nociomics.report.strata_inputs import StrataInputs
from nociomics.report.strata_map import Cloud, MapPoint, map_swatch, stratum_map
from nociomics.report.wording import small_count

FloatArray = NDArray[np.float64]
FEWEST = 5  # smaller groups are told as "fewer than 5" and not drawn
_MOST_COLUMNS = 200  # people, or groups of neighbours, side by side in a strip
_MOST_ROWS = 40
_AXIS_LETTERS = 46
_UNKNOWN = ("not recorded", "not measured")


def stratum_names(assignments: pl.DataFrame | None) -> list[str]:
    """Strata in their order, as the columns of membership name them."""
    if assignments is None:
        return []
    return [name.removeprefix("p_") for name in assignments.columns if name.startswith("p_")]


def map_view(
    assignments: pl.DataFrame | None, scores: pl.DataFrame | None, inputs: StrataInputs | None
) -> dict[str, Any] | None:
    """People on the two factors that tell the strata apart most; None with fewer than two factors or nobody.

    Parameters
    ----------
    assignments, scores : DataFrame or None
        As in `ASSIGNMENTS` and `FACTOR_SCORES`.
    inputs : StrataInputs or None
        Tells what loads on the axes.
    """
    factors = [] if scores is None else [name for name in scores.columns if name != "patient_id"]
    if scores is None or len(factors) < 2 or not scores.height:
        return None
    strata = stratum_names(assignments)
    spreads = _spreads(assignments, scores, factors)
    first, second = _telling_pair(spreads)
    placed = _placed(assignments, scores).drop_nulls([factors[first], factors[second]])
    points = [
        MapPoint(row[factors[first]], row[factors[second]], place, bool(row["between"]), bool(row["atypical"]))
        for row in placed.iter_rows(named=True)
        for place in [strata.index(row["stratum"]) if row["stratum"] in strata else None]
    ]
    if not points:
        return None
    names = (_axis(inputs, first), _axis(inputs, second))
    chart, drawn = stratum_map(points, _clouds(spreads, strata, first, second), names)
    table = placed.select(factors[first], factors[second], "stratum", "between", "atypical")
    return {
        "chart": chart,
        "strata": [(group_swatch(place, f"mark of {name}"), name) for place, name in enumerate(strata)],
        "marks": _mark_legend(bool(spreads), len(strata) > 1),
        "drawn": drawn,
        "people": placed.height,
        "seen": _seen_on_map(placed, strata),
        "pair": f"factor {first + 1} and factor {second + 1}",
        "more": len(factors) > 2,
        "download": table_link(table.sample(fraction=1.0, shuffle=True, seed=0), "factor_map.csv"),
    }


def _placed(assignments: pl.DataFrame | None, scores: pl.DataFrame) -> pl.DataFrame:
    if assignments is None:
        unknown = {"stratum": pl.String, "between": pl.Boolean, "atypical": pl.Boolean}
        return scores.with_columns(pl.lit(None, kind).alias(name) for name, kind in unknown.items())
    told = assignments.select("patient_id", "stratum", "between", "atypical")
    return scores.join(told, on="patient_id", how="left", maintain_order="left")


def _spreads(
    assignments: pl.DataFrame | None, scores: pl.DataFrame, factors: Sequence[str]
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Mean and covariance of the scores that are drawn, per stratum, each person weighted by membership."""
    if assignments is None:
        return {}
    joined = scores.join(assignments, on="patient_id").drop_nulls(list(factors))
    points = joined.select(factors).to_numpy()
    found = {}
    for name in stratum_names(assignments):
        weights = joined[f"p_{name}"].fill_null(0.0).to_numpy()
        if weights.sum() > FEWEST:
            mean = np.average(points, axis=0, weights=weights)
            covariance = np.atleast_2d(np.cov(points.T, aweights=weights, bias=True))
            found[name] = (np.asarray(mean, dtype=float), np.asarray(covariance, dtype=float))
    return found


def _telling_pair(spreads: Mapping[str, tuple[FloatArray, FloatArray]]) -> tuple[int, int]:
    """Choose the factors on which the strata's means lie farthest apart for their spread; else the first two."""
    if len(spreads) < 2:
        return 0, 1
    means = np.array([mean for mean, _ in spreads.values()])
    within = np.mean([np.diag(covariance) for _, covariance in spreads.values()], axis=0)
    order = np.argsort(-means.var(axis=0) / np.maximum(within, 1e-12), kind="stable")
    first, second = sorted(int(place) for place in order[:2])
    return first, second


def _clouds(
    spreads: Mapping[str, tuple[FloatArray, FloatArray]], strata: Sequence[str], first: int, second: int
) -> list[Cloud]:
    return [
        Cloud(
            name,
            strata.index(name),
            (float(mean[first]), float(mean[second])),
            (
                (float(covariance[first, first]), float(covariance[first, second])),
                (float(covariance[second, first]), float(covariance[second, second])),
            ),
        )
        for name, (mean, covariance) in spreads.items()
    ]


def _axis(inputs: StrataInputs | None, factor: int) -> str:
    """Name a factor by what loads on it most, as far as the words fit."""
    text = f"factor {factor + 1}"
    if inputs is None:
        return text
    for place, name in enumerate(inputs.loads_on(factor)):
        longer = f"{text}{': ' if place == 0 else ', '}{name}"
        if len(longer) > _AXIS_LETTERS:
            break
        text = longer
    return text


def _mark_legend(ellipses: bool, several: bool) -> list[tuple[Markup, str]]:
    marks = [("between", "between strata")] if several else []
    marks.append(("atypical", "atypical"))
    if ellipses:
        whose = "a stratum" if several else "everybody"
        marks += [("half", f"holds half of {whose}"), ("most", "holds nine tenths")]
    return [(map_swatch(kind, words), words) for kind, words in marks]


def _seen_on_map(placed: pl.DataFrame, strata: Sequence[str]) -> str:
    """Say what the map shows."""
    atypical = f"{small_count(int(placed['atypical'].fill_null(False).sum()))} atypical"
    if len(strata) < 2:
        return f"One cloud without gaps; {atypical}."
    between = int(placed["between"].fill_null(False).sum())
    return f"{out_of(between, placed.height)} people lie between strata; {atypical}."


def heat_view(
    assignments: pl.DataFrame | None, scores: pl.DataFrame | None, inputs: StrataInputs | None
) -> dict[str, Any] | None:
    """Measurements as strips over people, by stratum and then by the first factor; None without inputs.

    Above 200 people neighbours of one stratum are averaged, so that no strip has many more columns than that.
    """
    if inputs is None or scores is None or not inputs.columns.height or "factor_1" not in scores.columns:
        return None
    placed = _placed(assignments, scores).filter(pl.col("stratum").is_not_null())
    names = [name for name in stratum_names(assignments) if name in set(placed["stratum"])]
    if not placed.height:
        return None
    each = -(-placed.height // _MOST_COLUMNS)
    shown = _heat_rows(inputs)
    values = inputs.values.select("patient_id", *shown["column"])
    binned = _binned(placed, values, names, each)
    sizes = [int((binned["stratum"] == name).sum()) for name in names]
    rows = [
        row
        | {
            "strip": heat_strip(binned[row["column"]].to_list(), sizes, f"{row['label']} over people"),
            "first": place == 0 or shown["modality"][place - 1] != row["modality"],
        }
        for place, row in enumerate(shown.iter_rows(named=True))
    ]
    return {
        "heading": heat_heading(names if len(names) > 1 else ["everybody"], sizes),
        "rows": rows,
        "each": each,
        "people": placed.height,
        "several": len(names) > 1,
        "hidden": inputs.columns.height - shown.height,
        "scale": heat_swatches(),
        "download": table_link(binned.drop("place"), "heat_map.csv"),
    }


def _heat_rows(inputs: StrataInputs) -> pl.DataFrame:
    """Columns by modality; of very many those that the factors explain most."""
    kept = inputs.columns.sort("explained", "column", descending=[True, False]).head(_MOST_ROWS)["column"]
    return inputs.columns.filter(pl.col("column").is_in(kept.implode())).sort(
        "modality", "explained", "column", descending=[False, True, False]
    )


def _binned(placed: pl.DataFrame, values: pl.DataFrame, names: Sequence[str], each: int) -> pl.DataFrame:
    """Mean of each group of neighbours: ``stratum, place, people`` and one column per measurement."""
    order = pl.col("stratum").replace_strict({name: place for place, name in enumerate(names)}, return_dtype=pl.Int64)
    ranked = placed.with_columns(order=order).sort("order", "factor_1", "patient_id", descending=[False, True, False])
    ranked = ranked.select("patient_id", "stratum", place=pl.int_range(pl.len()).over("stratum") // each)
    joined = ranked.join(values, on="patient_id", how="left", maintain_order="left").drop("patient_id")
    return joined.group_by("stratum", "place", maintain_order=True).agg(
        pl.len().alias("people"), pl.exclude("stratum", "place").mean()
    )


def flow_view(groups: pl.DataFrame | None, assignments: pl.DataFrame | None, what: str) -> dict[str, Any] | None:
    """People from a grouping by symptoms to strata, as ribbons and as a table; None with one stratum or no grouping.

    Parameters
    ----------
    groups : DataFrame or None, one row per person
        ``patient_id, group``; null is "not recorded".
    assignments : DataFrame or None
        As in `ASSIGNMENTS`.
    what : str
        The grouping in words, such as "type of pain".
    """
    strata = stratum_names(assignments)
    if groups is None or assignments is None or len(strata) < 2 or groups["group"].null_count() == groups.height:
        return None
    joined = assignments.select("patient_id", "stratum").join(groups, on="patient_id").drop_nulls("stratum")
    counted = joined.with_columns(pl.col("group").fill_null(_UNKNOWN[0])).group_by("group", "stratum").len()
    flows = [Flow(*row) for row in counted.sort("group", "stratum").iter_rows()]
    if not flows:
        return None
    left = _by_size(counted)
    people = {(flow.left, flow.right): flow.people for flow in flows}
    totals = {f"left:{name}": small_count(sum(people.get((name, stratum), 0) for stratum in strata)) for name in left}
    totals |= {f"right:{name}": small_count(sum(people.get((group, name), 0) for group in left)) for name in strata}
    told = [(name, [small_count(people.get((name, stratum), 0)) for stratum in strata]) for name in left]
    wide = {name: [texts[place] for _, texts in told] for place, name in enumerate(strata)}
    return {
        "what": what,
        "chart": flow_chart(flows, left, strata, fewest=FEWEST, totals=totals),
        "strata": strata,
        "rows": told,
        "seen": _seen_in_flows(people, left, strata),
        "hidden": any(0 < count < FEWEST for count in people.values()),
        "download": table_link(pl.DataFrame({what: left, **wide}), "groups_to_strata.csv"),
    }


def _by_size(counted: pl.DataFrame) -> list[str]:
    """List the groups, the largest first and those not recorded last."""
    sized = counted.group_by("group").agg(pl.col("len").sum()).with_columns(last=pl.col("group").is_in(_UNKNOWN))
    return sized.sort("last", "len", "group", descending=[False, True, False])["group"].to_list()


def _seen_in_flows(people: dict[tuple[str, str], int], left: Sequence[str], strata: Sequence[str]) -> str:
    """Say how far the two views agree: Cramer's V, corrected for chance."""
    table = np.array([[people.get((group, name), 0) for name in strata] for group in left], dtype=np.int64)
    association = cramers_v(table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0])
    if association is None:
        return "There is only one group or one stratum with people, so the two views cannot be compared."
    strength = "hardly" if association < 0.2 else "in part" if association < 0.6 else "largely"
    return f"The two views agree {strength} (Cramér's V {number(association)}, corrected for chance)."
