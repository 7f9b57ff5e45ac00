"""How each stratum (or factor) differs from everybody else in each feature, in SD and in the feature's own unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import t

from nociomics.evaluate.estimate import FloatArray
from nociomics.evaluate.strata_groups import NOT_CLUSTERED_ON
from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.knowledge.strata_marker import load_strata_markers
from nociomics.tables.contract import empty_frame
from nociomics.tables.results import STRATA_MARKERS

NAMING_DIFFERENCE = 0.5
_FEWEST = 5
_MOST_LEVELS = 15


@dataclass(frozen=True)
class Columns:
    """Features as numbers, one column each, a category feature as one column per level.

    Attributes
    ----------
    rows : DataFrame, one row per column
        ``feature, level, modality, group, unit, scale``.
    own : ndarray of shape (n_people, n_columns)
        In the feature's own unit (natural log of it where scale is log); NaN where not measured.
    standard : ndarray of shape (n_people, n_columns)
        In SD of everybody, after the levels of what values are comparable within were centred.
    """

    rows: pl.DataFrame
    own: FloatArray
    standard: FloatArray


def marker_columns(features: pl.DataFrame, catalogue: pl.DataFrame) -> Columns:
    """Lay features out for comparison; what everybody has alike, and what fewer than 5 people have, is left out.

    Analytes whose spread is skewed are compared as logs. Values that are comparable only within a batch
    or a cohort are centred there first, so that a batch is no marker.
    """
    described, columns, standard = [], [], []
    for values, row, within in _columns(features, catalogue):
        centred = _centred(values, features, within)
        known = centred[~np.isnan(centred)]
        if known.size < _FEWEST or known.std() < 1e-12:
            continue
        described.append(row)
        columns.append(values)
        standard.append((centred - known.mean()) / known.std(ddof=1))
    schema = dict.fromkeys(("feature", "level", "modality", "group", "unit", "scale"), pl.String)
    rows = pl.DataFrame(described, schema=schema, orient="row")
    empty = np.empty((features.height, 0))
    return Columns(
        rows, np.column_stack(columns) if columns else empty, np.column_stack(standard) if standard else empty
    )


def _columns(
    features: pl.DataFrame, catalogue: pl.DataFrame
) -> Iterator[tuple[FloatArray, tuple[str, ...], str | None]]:
    logged = {marker.feature_name for marker in load_biomarkers().values() if marker.log_transform}
    within_of = set(catalogue["within"].drop_nulls())
    wanted = catalogue.filter(pl.col("feature").is_in(features.columns))
    keys = ("feature", "modality", "group", "unit", "kind", "within")
    for feature, modality, group, unit, kind, within in wanted.select(keys).iter_rows():
        if kind != "category" and features[feature].dtype.is_numeric():
            values = _numbers(features[feature])
            scale = "log" if feature in logged else "linear"
            if scale == "log":
                values = np.log(values, where=values > 0, out=np.full_like(values, np.nan))
            yield values, (feature, "", modality, group, unit, scale), within
        elif feature not in within_of:
            for level, inside in _levels(features[feature].cast(pl.String)):
                yield inside, (feature, level, modality, group, "share", "linear"), None


def _levels(words: pl.Series) -> Iterator[tuple[str, FloatArray]]:
    counts = words.drop_nulls().value_counts().filter(pl.col("count") >= _FEWEST)
    levels = counts[words.name].sort().to_list()
    if len(levels) > _MOST_LEVELS:
        return
    for level in levels:
        yield level, _numbers((words == level).cast(pl.Float64))


def _numbers(values: pl.Series) -> FloatArray:
    return np.array(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)


def _centred(values: FloatArray, features: pl.DataFrame, within: str | None) -> FloatArray:
    """Take the mean of each level of ``within`` off; levels with fewer than 5 values compare with nobody."""
    if within is None or within not in features.columns:
        return values
    centred = np.full_like(values, np.nan)
    for _, places in features.select(within).with_row_index("row").drop_nulls().group_by(within).agg("row").iter_rows():
        part = values[places]
        if (~np.isnan(part)).sum() >= _FEWEST:
            centred[places] = part - np.nanmean(part)
    return centred


def strata_markers(features: pl.DataFrame, catalogue: pl.DataFrame, membership: pl.DataFrame) -> pl.DataFrame:
    """Compare every stratum with the rest, in every feature.

    Means are weighted: each person counts for a stratum by the probability of belonging to it, and for the rest
    by what is left of it. People between strata then blur neither side, and no threshold is needed. Intervals come
    from each person's influence on the difference (a sandwich), the SD is that of everybody.

    Parameters
    ----------
    features, catalogue : DataFrame
        As in `tables.harmonised`.
    membership : DataFrame, one row per person of ``features``, in its order
        One column per stratum, such as ``S1``; null for people who are in none.

    Returns
    -------
    DataFrame, one row per stratum and feature (or category)
        As in `STRATA_MARKERS`. Features that the strata were made of differ by construction: their intervals say
        how large the difference is, not that the strata exist.
    """
    columns = marker_columns(features, catalogue)
    chances = membership.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    placed = ~np.isnan(chances).any(axis=1)
    nearest = np.where(placed, np.nan_to_num(chances, nan=-1.0).argmax(axis=1), -1)
    parts = []
    for place, name in enumerate(membership.columns):
        weight = np.where(placed, chances[:, place], 0.0)
        rest = np.where(placed, 1.0 - chances[:, place], 0.0)
        inside, outside = nearest == place, placed & (nearest != place)
        parts.append(_compared(name, columns, (weight, rest), (inside, outside)))
    return _finished(parts, columns)


def _compared(
    name: str, columns: Columns, weights: tuple[FloatArray, FloatArray], people: tuple[np.ndarray, np.ndarray]
) -> pl.DataFrame:
    known = ~np.isnan(columns.standard)
    standard, own = np.where(known, columns.standard, 0.0), np.where(known, columns.own, 0.0)
    sums = [weight @ known for weight in weights]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [weight @ standard / total for weight, total in zip(weights, sums, strict=True)]
        own_means = [weight @ own / total for weight, total in zip(weights, sums, strict=True)]
        influence = [
            weight[:, None] * (standard - mean) * known / total
            for weight, mean, total in zip(weights, means, sums, strict=True)
        ]
    error = np.sqrt(((influence[0] - influence[1]) ** 2).sum(axis=0))
    counts = [inside.astype(np.int64) @ known.astype(np.int64) for inside in people]
    usable = (np.minimum(*counts) >= _FEWEST) & np.isfinite(error) & (error > 0)
    log = (columns.rows["scale"] == "log").to_numpy()
    shown = [np.where(log, np.exp(np.minimum(mean, 700.0)), mean) for mean in own_means]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        apart = np.where(log, shown[0] / shown[1], shown[0] - shown[1])
    return columns.rows.with_columns(
        pl.lit(name).alias("of"),
        pl.Series("n_in", counts[0]),
        pl.Series("n_rest", counts[1]),
        *(_shown(label, values, usable) for label, values in zip(("mean_in", "mean_rest"), shown, strict=True)),
        _shown("difference_own", apart, usable),
        *_tested(means[0] - means[1], error, counts[0] + counts[1] - 2, usable),
    )


def factor_markers(features: pl.DataFrame, catalogue: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Say how every feature goes with every factor, where one stratum leaves no groups to compare.

    Parameters
    ----------
    scores : DataFrame, one row per person of ``features``, in its order
        Columns ``factor_<n>``; null where nothing of the person was measured.

    Returns
    -------
    DataFrame, one row per factor and feature (or category)
        As in `STRATA_MARKERS`; ``difference`` is SD of the feature per SD of the factor (their correlation).
    """
    columns = marker_columns(features, catalogue)
    parts = [_along(name, columns, _numbers(scores[name])) for name in scores.columns]
    return _finished(parts, columns)


def _along(name: str, columns: Columns, values: FloatArray) -> pl.DataFrame:
    known = ~np.isnan(columns.standard) & ~np.isnan(values)[:, None]
    n = known.sum(axis=0)
    feature = np.where(known, columns.standard, 0.0)
    factor = np.where(known, values[:, None], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        feature = np.where(known, feature - feature.sum(axis=0) / n, 0.0)
        factor = np.where(known, factor - factor.sum(axis=0) / n, 0.0)
        r = (feature * factor).sum(axis=0) / np.sqrt((feature**2).sum(axis=0) * (factor**2).sum(axis=0))
        error = np.sqrt(np.maximum(1 - r**2, 0.0) / (n - 2))
    usable = (n >= 2 * _FEWEST) & np.isfinite(r)
    nothing = np.full(len(n), np.nan)
    return columns.rows.with_columns(
        pl.lit(name).alias("of"),
        pl.Series("n_in", n.astype(np.int64)),
        pl.Series("n_rest", np.zeros(len(n), dtype=np.int64)),
        *(_shown(label, nothing, usable) for label in ("mean_in", "mean_rest", "difference_own")),
        *_tested(r, np.maximum(error, 1e-12), n - 2, usable),
    )


def _tested(difference: FloatArray, error: FloatArray, degrees: np.ndarray, usable: np.ndarray) -> list[pl.Series]:
    degrees = np.maximum(degrees, 1)
    reach = t.ppf(0.975, degrees) * error
    p = 2 * t.sf(np.abs(np.where(usable, difference, 0.0)) / np.where(usable, error, 1.0), degrees)
    figures = {"difference": difference, "lower": difference - reach, "upper": difference + reach, "p": p}
    return [_shown(name, values, usable) for name, values in figures.items()]


def _shown(name: str, values: FloatArray, usable: np.ndarray) -> pl.Series:
    kept = np.where(usable & np.isfinite(values), values, np.nan)
    return pl.Series(name, kept, nan_to_null=True)


def _finished(parts: Sequence[pl.DataFrame], columns: Columns) -> pl.DataFrame:
    empty = empty_frame(STRATA_MARKERS)
    if not parts or columns.rows.is_empty():
        return empty
    rows = pl.concat(parts)
    markers = load_strata_markers()
    mechanism = {feature: marker.mechanism for feature, marker in markers.items()}
    sign = {feature: 1.0 if marker.direction == "higher" else -1.0 for feature, marker in markers.items()}
    toward = pl.col("feature").replace_strict(sign, default=None, return_dtype=pl.Float64)
    nearest_end = pl.when(toward > 0).then(pl.col("lower")).otherwise(-pl.col("upper"))
    raised = (toward * pl.col("difference") > NAMING_DIFFERENCE) & (nearest_end > 0)
    return rows.with_columns(
        pl.Series("q", benjamini_hochberg(_numbers(rows["p"])), nan_to_null=True),
        (~pl.col("modality").is_in(NOT_CLUSTERED_ON)).alias("clustered_on"),
        pl.col("feature").replace_strict(mechanism, default=None, return_dtype=pl.String).alias("mechanism"),
        raised.fill_null(False).alias("names"),
    ).select(empty.columns)


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """Adjust p values for the false discovery rate; NaN stays NaN and counts for nothing.

    References
    ----------
    Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, np.nan, 0.03])).round(4).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    stepped = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return q
