"""How values are spread as the files have them and as the features have them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from nociomics.knowledge.biomarker import Biomarker, load_biomarkers
from nociomics.knowledge.instrument import Scale, load_instruments
from nociomics.quality.histogram import quartiles, round_bins
from nociomics.tables.data_quality import DISTRIBUTIONS, HISTOGRAMS

_MOST_LEVELS = 12
_MOST_UNITS = 6
_MOST_VALUES = 2_000_000
FEW_COLUMNS = 60  # a block of more columns is shown as a whole
_OTHER = "all others"
_KINDS = {"text": pl.String, "number": pl.Float64, "integer": pl.Int64}
Stage = Literal["reported", "harmonised"]


@dataclass(frozen=True)
class Spread:
    """Values of one thing at one stage, before they are summed up."""

    modality: str
    name: str
    stage: Stage
    unit: str
    label: str
    values: pl.Series
    log: bool = False
    low: float | None = None
    high: float | None = None
    non_detects: int | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def distributions(spreads: Iterable[Spread]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sum up each spread.

    Returns
    -------
    DataFrame, DataFrame
        As in `DISTRIBUTIONS` and `HISTOGRAMS`.
    """
    rows: list[dict[str, Any]] = []
    bins: list[dict[str, Any]] = []
    for spread in spreads:
        row, counted = _categories(spread) if spread.values.dtype == pl.String else _numbers(spread)
        rows.append(row)
        bins += [{**_key(spread), "bin": number, **entry} for number, entry in enumerate(counted)]
    return _frame(rows, DISTRIBUTIONS), _frame(bins, HISTOGRAMS)


def _frame(rows: list[dict[str, Any]], contract: Any) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={column.name: _KINDS[column.kind] for column in contract.columns})


def _key(spread: Spread) -> dict[str, Any]:
    return {name: getattr(spread, name) for name in ("modality", "name", "stage", "unit")}


def _numbers(spread: Spread) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    known = spread.values.drop_nulls().cast(pl.Float64).to_numpy()
    known = known[np.isfinite(known)]
    lower, middle, upper = quartiles(known)
    whole = not spread.log and known.size > 0 and bool((known == np.round(known)).all())
    counted = round_bins(known, spread.log, whole)
    bins = [
        {"level": None, "low": _closed(low), "high": _closed(high), "count": count}
        for low, high, count in zip(counted.edges, counted.edges[1:], counted.counts, strict=False)
    ]
    row = _row(spread, "log10" if spread.log else "linear", known.size)
    row |= {"below": _beyond(known < spread.low) if spread.low is not None else None}
    row |= {"above": _beyond(known > spread.high) if spread.high is not None else None}
    row |= {"not_positive": _beyond(known <= 0) if spread.log else 0}
    return row | {"lower_quartile": lower, "median": middle, "upper_quartile": upper}, bins


def _beyond(wrong: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    return int(wrong.sum())


def _closed(edge: float) -> float | None:
    return edge if math.isfinite(edge) else None


def _categories(spread: Spread) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    counted = spread.values.drop_nulls().value_counts(sort=True, name="people")
    counted = counted.sort("people", counted.columns[0], descending=[True, False])
    levels = [(str(level), int(people)) for level, people in counted.iter_rows()]
    first, rest = levels[:_MOST_LEVELS], levels[_MOST_LEVELS:]
    if rest:
        first.append((_OTHER, sum(people for _, people in rest)))
    bins = [{"level": level, "low": None, "high": None, "count": people} for level, people in first]
    return _row(spread, "category", spread.values.len() - spread.values.null_count()), bins


def _row(spread: Spread, scale: str, known: int) -> dict[str, Any]:
    nothing = dict.fromkeys(("below", "above", "lower_quartile", "median", "upper_quartile"))
    return {
        **_key(spread),
        **nothing,
        "label": spread.label,
        "scale": scale,
        "values": known,
        "missing": spread.values.len() - known,
        "non_detects": spread.non_detects,
        "not_positive": 0,
        "low": spread.low,
        "high": spread.high,
    }


def analyte_spreads(biomarkers: pl.DataFrame, features: pl.DataFrame, catalogue: pl.DataFrame) -> Iterator[Spread]:
    """Analytes in each unit in which they were reported, then in their base unit.

    Parameters
    ----------
    biomarkers : DataFrame, one row per measurement
        As in `tables.ingested.BIOMARKERS`.
    features, catalogue : DataFrame
        As in `tables.harmonised`; a person's repeated measurements are one value there.
    """
    markers = load_biomarkers()
    for analyte in biomarkers["analyte"].unique(maintain_order=True).to_list():
        rows, marker = biomarkers.filter(pl.col("analyte") == analyte), markers.get(analyte)
        units = rows["unit"].value_counts(sort=True)["unit"].to_list()[:_MOST_UNITS]
        for unit in units:
            yield _reported(rows.filter(pl.col("unit") == unit), marker, str(analyte), str(unit))
        if marker is not None and marker.feature_name in features.columns:
            yield _in_base_unit(features, marker)
    known = {marker.feature_name for marker in markers.values()}
    others = catalogue.filter((pl.col("modality") == "biomarkers") & (pl.col("kind") == "numeric"))
    yield from _as_features(features, others.filter(~pl.col("feature").is_in(list(known))))


def _reported(rows: pl.DataFrame, marker: Biomarker | None, analyte: str, unit: str) -> Spread:
    low = high = None
    standards = rows["standard"].drop_nulls().to_list() if "standard" in rows.columns else []
    factor = marker.factor(unit, standards[0] if standards else None) if marker is not None else None
    if marker is not None and factor is not None:
        low, high = marker.plausible_low / factor, marker.plausible_high / factor
    name, label = (marker.feature_name, f"{marker.name}, {marker.matrix}") if marker is not None else (analyte, analyte)
    log = marker.log_transform if marker is not None else False
    below = int(rows["below_lod"].sum())
    return Spread("biomarkers", name, "reported", unit, label, rows["value"], log, low, high, below)


def _in_base_unit(features: pl.DataFrame, marker: Biomarker) -> Spread:
    flag = f"{marker.feature}_below_lod"
    below = int(features[flag].sum()) if flag in features.columns else 0
    return Spread(
        "biomarkers", marker.feature_name, "harmonised", marker.base_unit, f"{marker.name}, {marker.matrix}",
        features[marker.feature_name], marker.log_transform, marker.plausible_low, marker.plausible_high, below,
    )  # fmt: skip


def score_spreads(responses: pl.DataFrame | None, features: pl.DataFrame, catalogue: pl.DataFrame) -> Iterator[Spread]:
    """Questionnaires: all answers to the items of a scale, then the scale's score at baseline."""
    scales = {
        f"{instrument.feature_prefix}_{name}": (instrument.id, scale)
        for instrument in load_instruments().values()
        for name, scale in instrument.scales.items()
    }
    wanted = catalogue.filter(pl.col("modality") == "questionnaires")
    for row in wanted.iter_rows(named=True):
        if responses is not None and row["feature"] in scales:
            yield from _answers(responses, row, *scales[row["feature"]])
        yield from _as_features(features, wanted.filter(pl.col("feature") == row["feature"]))


def _answers(responses: pl.DataFrame, row: Mapping[str, Any], instrument: str, scale: Scale) -> Iterator[Spread]:
    asked = (pl.col("instrument") == instrument) & pl.col("item").is_in(list(scale.items))
    given = responses.filter(asked & (pl.col("visit") == "baseline"))
    if given.height:
        items = load_instruments()[instrument].items
        low, high = (f(getattr(items[item], end) for item in scale.items) for f, end in ((min, "low"), (max, "high")))
        text = f"answers to {len(scale.items)} items" if len(scale.items) > 1 else "answers to 1 item"
        yield Spread(
            "questionnaires", row["feature"], "reported", text, row["description"], given["response"], False, low, high
        )


def covariate_spreads(patients: pl.DataFrame, features: pl.DataFrame, catalogue: pl.DataFrame) -> Iterator[Spread]:
    """Covariates as their column was read, then as the feature."""
    for row in catalogue.filter(pl.col("modality") == "clinical").iter_rows(named=True):
        name = row["feature"]
        if name in patients.columns:
            values = patients[name].cast(pl.String if row["kind"] == "category" else pl.Float64)
            unit = "as given" if row["kind"] == "numeric" else row["unit"]
            limits = {"low": row["low"], "high": row["high"]}
            yield Spread("clinical", name, "reported", unit, row["description"], values, **limits)
        yield from _as_features(features, catalogue.filter(pl.col("feature") == name))


def other_spreads(
    features: pl.DataFrame, catalogue: pl.DataFrame, modality: str, block: pl.DataFrame | None = None
) -> Iterator[Spread]:
    """Features of any other modality one by one; those of a block after its columns as read."""
    wanted = catalogue.filter((pl.col("modality") == modality) & (pl.col("kind") != "category"))
    for row in wanted.iter_rows(named=True):
        if block is not None and row["group"] in block.columns:
            values = block[row["group"]]
            yield Spread(modality, row["feature"], "reported", "as given", row["description"], values)
        yield from _as_features(features, wanted.filter(pl.col("feature") == row["feature"]))


def _as_features(features: pl.DataFrame, wanted: pl.DataFrame) -> Iterator[Spread]:
    for row in wanted.iter_rows(named=True):
        yield Spread(
            row["modality"], row["feature"], "harmonised", row["unit"], row["description"], features[row["feature"]],
            low=row["low"], high=row["high"],
        )  # fmt: skip


def wide_spreads(
    raw: pl.DataFrame | None, features: pl.DataFrame, modality: str, kind: str, unit: str, log: bool = False
) -> Iterator[Spread]:
    """All values of a wide modality together, before and after; of very many every n-th column is taken.

    Parameters
    ----------
    raw : DataFrame or None
        As ingested, one column per gene or the like.
    features : DataFrame
        The modality's numeric features.
    kind : str
        What a column is, such as ``gene``.
    unit : str
        What ``raw`` holds, such as ``counts``.
    log : bool
        Whether the values of ``raw`` are shown on a log axis.
    """
    for stage, frame, words, on_log in (("reported", raw, unit, log), ("harmonised", features, "log2", False)):
        if frame is None or not frame.width:
            continue
        values, label = _pooled(frame, kind)
        shown = words if stage == "reported" or modality == "expression" else "as given"
        yield Spread(modality, f"all {kind}s", stage, shown, label, values, on_log)  # type: ignore[arg-type]


def _pooled(frame: pl.DataFrame, kind: str) -> tuple[pl.Series, str]:
    every = max(1, math.ceil(frame.width * frame.height / _MOST_VALUES))
    taken = frame.select(frame.columns[::every])
    label = f"all values of {taken.width} {kind}s" + (f", every {every}th of {frame.width}" if every > 1 else "")
    values = np.concatenate([column.cast(pl.Float32).to_numpy() for column in taken.get_columns()])
    return pl.Series("values", values, nan_to_null=True), label


def sample_sum_spread(expression: pl.DataFrame) -> Spread:
    """Sum of all counts of each sample: a shallow sample stands out."""
    sums = expression.select(pl.sum_horizontal(pl.all().cast(pl.Float64))).to_series()
    return Spread("expression", "sum per sample", "reported", "counts", "sum of all counts of a sample", sums, True)
