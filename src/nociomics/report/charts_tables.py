"""The tidy tables behind the charts: one row per mark, from what the stages wrote; also what a reader downloads.

No table names a person. A function gives None where its figures were not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from nociomics.report.arms import wilson_interval
from nociomics.report.formats import is_null
from nociomics.report.wording import (
    HARM,
    METRICS,
    Measure,
    MetricName,
    comparator_words,
    headline_measure,
    modality_words,
    read_measure,
    split_metric,
)

GAIN = "gain_over_"
WITHOUT = "without_"
FULL = "full model"
POLICIES = {
    "model": "the model's choice",
    "best_fixed": "the best single treatment, chosen in other folds",
    "uniform": "every treatment equally often",
    "usual": "treatment as given",
}
_INTERVAL = {"value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64}


def is_comparator(rest: str) -> bool:
    """Tell whether a figure is of a simpler model: pooling the folds is another way to count the same one."""
    return rest not in ("", "pooled") and not rest.startswith(GAIN)


def measures(metrics: Mapping[str, Any]) -> list[Measure]:
    """Read every figure that has a value, those of the adverse event left out."""
    benefit = [name for name in metrics if not name.startswith(HARM)]
    return [found for found in (read_measure(metrics, name) for name in benefit) if found is not None]


def missing_table(catalogue: pl.DataFrame) -> pl.DataFrame | None:
    """Shares of missing values by modality: ``modality, features, missing, worst`` from `FEATURE_CATALOGUE`."""
    if not catalogue.height:
        return None
    share = pl.col("missing_share")
    table = catalogue.group_by("modality").agg(features=pl.len(), missing=share.mean(), worst=share.max())
    named = table.sort("modality").with_columns(modality=pl.col("modality").map_elements(modality_words, pl.String))
    return named.drop_nulls("missing") if named["missing"].null_count() < named.height else None


def responders_table(arms: pl.DataFrame | None) -> pl.DataFrame | None:
    """Share of responders among those observed, with a Wilson interval, by treatment; from `ARMS`."""
    if arms is None or "responders" not in arms.columns or "with_outcome" not in arms.columns:
        return None
    rows = []
    for row in arms.iter_rows(named=True):
        if row["responders"] is None or not row["with_outcome"]:
            continue
        lower, upper = wilson_interval(row["responders"], row["with_outcome"])
        name = "everyone" if row["treatment"] is None else str(row["treatment"])
        counts = {"people": row["people"], "with_outcome": row["with_outcome"], "responders": row["responders"]}
        value = row["responders"] / row["with_outcome"]
        rows.append({"name": name, "value": value, "lower": lower, "upper": upper, **counts})
    return _table(rows)


def models_table(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> pl.DataFrame | None:
    """Set the headline figure beside that of simpler models: ``name, metric, value, lower, upper, n, method``."""
    head = headline_measure(metrics, gate)
    if head is None:
        return None
    rows = [_row(FULL, head)]
    for measure in measures(metrics):
        base, rest = split_metric(measure.name)
        if base == head.name and is_comparator(rest):
            rows.append(_row(comparator_words(rest), measure))
    return _table(rows)


def gains_table(metrics: Mapping[str, Any]) -> pl.DataFrame | None:
    """Paired gains of the full model over simpler ones, worths of a choice left out; columns as `models_table`.

    What ``<figure>_gain_over_without_<modality>`` measures is what that modality's block adds to all others.
    """
    rows = []
    for measure in measures(metrics):
        base, rest = split_metric(measure.name)
        if rest.startswith(GAIN) and not base.startswith("policy"):
            words = gain_words(rest.removeprefix(GAIN))
            rows.append(_row(f"{METRICS.get(base, MetricName(base)).label} over {words}", measure))
    return _table(rows)


def gain_words(comparator: str) -> str:
    """Words for the simpler model of a gain; a model without one block is named by the block."""
    block = comparator.removeprefix(WITHOUT)
    if block == comparator or block == "treatment":
        return comparator_words(comparator)
    return f"the same model without {modality_words(block)}"


def calibration_table(curves: Mapping[str, Any]) -> pl.DataFrame | None:
    """Points of the smooth calibration curve: ``predicted, observed``, both known."""
    curve = curves.get("calibration") or {}
    return _points({"predicted": curve.get("predicted") or [], "observed": curve.get("observed") or []})


def net_benefit_table(curves: Mapping[str, Any]) -> pl.DataFrame | None:
    """Net benefit by threshold for the model, treating all and treating none: ``threshold, strategy, net_benefit``."""
    curve = curves.get("net_benefit") or {}
    at = curve.get("threshold") or curve.get("thresholds") or []
    ways = {"model": curve.get("model"), "treat all": curve.get("treat_all"), "treat none": [0.0] * len(at)}
    parts = [_points({"threshold": at, "net_benefit": values}) for values in ways.values() if values]
    kept = [
        part.with_columns(strategy=pl.lit(name))
        for name, part in zip((name for name, values in ways.items() if values), parts, strict=True)
        if part is not None
    ]
    return pl.concat(kept).select("threshold", "strategy", "net_benefit") if len(kept) > 1 else None


def learning_points(curves: Mapping[str, Any]) -> pl.DataFrame | None:
    """Gather the headline by the share of each training part learned from: ``share, metric, value, ..., n``."""
    points = _known(curves.get("learning") or [], ["share", "metric", "value", "lower", "upper", "n"])
    return None if points is None or points.height < 2 else points.sort("share")


def sureness_points(curves: Mapping[str, Any], what: str) -> pl.DataFrame | None:
    """Figures by share of people answered, the surest first: ``share, value, lower, upper, n``.

    Parameters
    ----------
    curves : mapping
        ``abstention``: {choice, prediction}.
    what : str
        ``prediction`` (share of right answers) or ``choice`` (gain over a treatment drawn by lot).
    """
    rows = (curves.get("abstention") or {}).get(what) or []
    points = _known(rows, ["share", "value", "lower", "upper", "n"])
    return None if points is None or points.height < 2 else points.sort("share")


def subgroups_in_order(curves: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Rows of ``subgroups`` as they come, but bands of age from the youngest on."""
    rows = list(curves.get("subgroups") or [])
    traits = list(dict.fromkeys(row["trait"] for row in rows))

    def place(row: Mapping[str, Any]) -> tuple[int, bool]:
        youngest = row["trait"] == "age_band" and str(row["level"]).startswith("under ")
        return traits.index(row["trait"]), not youngest

    return sorted(rows, key=place)


def subgroup_points(curves: Mapping[str, Any]) -> pl.DataFrame | None:
    """Figures by subgroup: ``metric, trait, level, name, value, lower, upper, n``; groups too small have no row."""
    rows = [
        {**row, "trait": trait, "name": f"{trait}: {row['level']}"}
        for row in subgroups_in_order(curves)
        if not row.get("note")
        for trait in [str(row["trait"]).replace("_", " ")]
    ]
    return _known(rows, ["metric", "trait", "level", "name", "value", "lower", "upper", "n"])


def policy_points(curves: Mapping[str, Any]) -> pl.DataFrame | None:
    """Worth of each way to choose a treatment: ``name, value, lower, upper, n``."""
    rows = [row | {"name": policy_words(row)} for row in curves.get("policies") or []]
    return _known(rows, ["name", "value", "lower", "upper", "n"])


def policy_words(row: Mapping[str, Any]) -> str:
    """Name one way to choose."""
    if row["policy"] == "fixed":
        return f"{row['treatment']} for everyone"
    return POLICIES.get(row["policy"], str(row["policy"]).replace("_", " "))


def bic_points(summary: Mapping[str, Any] | None) -> pl.DataFrame | None:
    """BIC of each number of strata against one stratum, smaller is better: ``k, value``."""
    bic = (summary or {}).get("bic") or {}
    known = {int(k): float(value) for k, value in bic.items() if not is_null(value)}
    if len(known) < 2 or 1 not in known:
        return None
    return pl.DataFrame({"k": sorted(known), "value": [known[k] - known[1] for k in sorted(known)]})


def importance_points(importance: pl.DataFrame | None, level: str, most: int = 12) -> pl.DataFrame | None:
    """Mean size of contributions: ``name, modality, group, value, lower, upper, mean_signed, people, refits``.

    Parameters
    ----------
    importance : DataFrame or None
        As in `IMPORTANCE`.
    level : str
        ``feature``, ``group`` or ``modality``.
    most : int
        Names kept, by the largest value of any treatment or class; their order is kept in every group.
    """
    if importance is None:
        return None
    rows = importance.filter(pl.col("level") == level)
    if not rows.height:
        return None
    sizes = rows.group_by("name").agg(size=pl.col("mean_abs_shap").max())
    names = sizes.sort("size", "name", descending=[True, False])["name"].head(most).to_list()
    place = {name: place for place, name in enumerate(names)}
    kept = rows.filter(pl.col("name").is_in(names)).with_columns(_group(rows))
    sorted_ = kept.sort(pl.col("name").replace_strict(place, return_dtype=pl.Int64), "group")
    named = pl.col("name").map_elements(modality_words, pl.String) if level == "modality" else pl.col("name")
    return sorted_.select(
        named.alias("name"), "modality", "group", pl.col("mean_abs_shap").alias("value"), "lower", "upper",
        pl.col("mean_shap").alias("mean_signed"), "people", "refits",
    )  # fmt: skip


def stability_points(stability: pl.DataFrame | None) -> pl.DataFrame | None:
    """Agreement of refits on the order of one person's values: ``name, group, value, lower, upper, people, refits``.

    ``group`` is "one refit" or "mean of half the refits"; there is no interval.
    """
    if stability is None:
        return None
    kinds = {"rank_correlation_halves": "means of half the refits", "rank_correlation": "single refits"}
    long = stability.with_columns(_group(stability, "name")).unpivot(
        list(kinds), index=["name", "people", "refits"], variable_name="group", value_name="value"
    )
    known = long.drop_nulls("value").with_columns(
        pl.col("group").replace(kinds), lower=pl.lit(None, pl.Float64), upper=pl.lit(None, pl.Float64)
    )
    return known.select("name", "group", "value", "lower", "upper", "people", "refits") if known.height else None


def _group(rows: pl.DataFrame, name: str = "group") -> pl.Expr:
    """Name the treatment, the class or both; "everyone" where a study has neither."""
    parts = [pl.col(column) for column in ("treatment", "class") if column in rows.columns]
    joined = pl.concat_str(parts, separator=": ", ignore_nulls=True)
    return pl.when(joined == "").then(pl.lit("everyone")).otherwise(joined).alias(name)


def _row(name: str, measure: Measure) -> dict[str, Any]:
    return {
        "name": name, "metric": measure.name, "value": measure.value, "lower": measure.lower, "upper": measure.upper,
        "n": measure.n, "method": measure.method,
    }  # fmt: skip


def _table(rows: list[dict[str, Any]]) -> pl.DataFrame | None:
    return pl.DataFrame(rows, schema_overrides=_INTERVAL, infer_schema_length=None) if rows else None


def _known(rows: Iterable[Mapping[str, Any]], columns: list[str]) -> pl.DataFrame | None:
    """Rows whose value is known, with these columns; a limit that is not a number is null."""
    kept = [
        {name: None if is_null(row.get(name)) else row.get(name) for name in columns}
        for row in rows
        if not is_null(row.get("value"))
    ]
    return _table(kept)


def _points(columns: Mapping[str, Any]) -> pl.DataFrame | None:
    """Points of which every number is known, by the first; None when fewer than two are left."""
    table = pl.DataFrame({name: pl.Series(values, dtype=pl.Float64) for name, values in columns.items()})
    known = table.fill_nan(None).drop_nulls().filter(pl.all_horizontal(pl.all().is_finite())).sort(next(iter(columns)))
    return known if known.height > 1 else None


def dependence_points(dependence: pl.DataFrame | None, feature: str) -> pl.DataFrame | None:
    """Mean contribution over the values of one feature: ``value, group, mean, lower, upper, people``.

    People of whom the feature was not measured have no place on its axis: their row of `DEPENDENCE` is left out. A
    category's ``value`` is its level, as text.
    """
    if dependence is None:
        return None
    rows = dependence.filter((pl.col("feature") == feature) & (pl.col("kind") != "not_measured"))
    numeric = "values" in rows["kind"]
    value = pl.col("mean_value") if numeric else pl.col("level").fill_null("other")
    named = rows.with_columns(_group(rows)).select(
        value.alias("value"), "bin", "group", pl.col("mean_shap").alias("mean"), "lower", "upper", "people"
    )
    points = named.drop_nulls("value").sort("group", "bin").drop("bin")
    return points if points["value"].n_unique() > 1 else None


def leading_features(dependence: pl.DataFrame | None, most: int = 6) -> list[str]:
    """Features of the dependence table, the leading first."""
    if dependence is None or not dependence.height:
        return []
    first = dependence.group_by("feature").agg(pl.col("rank").min()).sort("rank", "feature")
    return first["feature"].head(most).to_list()
