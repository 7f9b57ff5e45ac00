"""Which files and columns each feature came from: the catalogue's ``source_file`` and ``source_column``."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from nociomics.knowledge.biomarker import load_biomarkers
from nociomics.knowledge.instrument import load_instruments
from nociomics.knowledge.pharmacogene import load_pain_variants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nociomics.harmonise.feature import Feature
    from nociomics.knowledge.instrument import Instrument, Scale

_EVERY = "*"
_SHORTEST_RANGE = 3
_NUMBERED = re.compile(r"^(.*?)(\d+)$")
_HISTORY = ("treatment history", "treatment_history")  # the group of its features, and its table
_OF_HISTORY = {"history_drugs_helped": ("response",), "history_drugs_harmed": ("stopped_for_harm",)}
_SCORE = "polygenic_scores"
_Keys = list[tuple[str, str]]


def feature_origins(entries: Sequence[Feature], origins: pl.DataFrame | None) -> pl.DataFrame:
    """Say for each feature in which files and columns it stood.

    Parameters
    ----------
    entries : sequence of Feature
        What was made, from any table.
    origins : DataFrame or None
        As in `tables.ingested.ORIGINS`. A row named ``*`` speaks for every name that has no row of its own.

    Returns
    -------
    DataFrame, one row per feature, in the order given
        ``source_file``: files joined by ``"; "``; ``source_column``: their columns, numbered ones as
        ``pcs_1 to pcs_13``; a column that holds several names as ``value (il6)``. Null where the origin is not known.
    """
    empty = pl.DataFrame(schema={"feature": pl.UInt32, "source_file": pl.String, "source_column": pl.String})
    found = empty if origins is None or origins.is_empty() else _told(_hits(_all_keys(entries), origins))
    order = pl.DataFrame({"feature": range(len(entries))}, schema={"feature": pl.UInt32})
    return order.join(found, on="feature", how="left", maintain_order="left").drop("feature")


def spans(names: Sequence[str]) -> str:
    """Write names in few words: three or more that are numbered in a row become one range.

    Examples
    --------
    >>> spans(["pcs_1", "pcs_2", "pcs_3", "age"]), spans(["a1", "a2", "a9"])
    ('pcs_1 to pcs_3, age', 'a1, a2, a9')
    """
    runs: list[list[str]] = []
    for name in dict.fromkeys(names):
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) >= _SHORTEST_RANGE else ", ".join(run) for run in runs)


def _follows(before: str, after: str) -> bool:
    one, two = _NUMBERED.match(before), _NUMBERED.match(after)
    return one is not None and two is not None and one[1] == two[1] and int(two[2]) == int(one[2]) + 1


def _all_keys(entries: Sequence[Feature]) -> pl.DataFrame:
    """Rows of (feature, table, name): what to look up for each feature."""
    rows = [(number, table, name) for number, entry in enumerate(entries) for table, name in _keys(entry)]
    return pl.DataFrame(rows, schema={"feature": pl.UInt32, "table": pl.String, "name": pl.String}, orient="row")


def _keys(entry: Feature) -> _Keys:
    name, modality, group = entry.feature, entry.modality, entry.group
    if name.startswith("pgs_") and modality == "genotype":
        return [(_SCORE, name), (_SCORE, name.removeprefix("pgs_")), ("dosages", _EVERY)]
    if modality == "genotype":
        return [("dosages", group), ("variants", group)]
    if modality == "pgx":
        return [("pharmacogene_genotypes", _base_counts().get(name, group)), ("diplotypes", group)]
    if modality == "expression":
        return [("expression_samples" if name == "expression_batch" else "expression", group)]
    if modality == "biomarkers":
        return [("biomarkers", analyte) for analyte in _analytes().get(name, (group,))]
    if modality == "questionnaires":
        return _items().get(name, [("scores", _EVERY)])
    if modality == "clinical" and group == _HISTORY[0]:
        return [(_HISTORY[1], column) for column in ("drug", "started_at", *_OF_HISTORY.get(name, ()))]
    return [("patients", name)] if modality == "clinical" else [(f"block_{modality}", group)]


@cache
def _base_counts() -> dict[str, str]:
    return dict(load_pain_variants().select("feature", "rsid").iter_rows())


@cache
def _analytes() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for marker in load_biomarkers().values():
        for feature in (marker.feature_name, f"{marker.feature}_below_lod", f"{marker.feature}_above_limit"):
            found[feature] = (*found.get(feature, ()), marker.id)
    # the clock time of a serum sample, whichever name the analyte had
    found["cortisol_hour"] = ("cortisol_serum_am", "cortisol_serum_pm", "cortisol")
    return found


@cache
def _items() -> dict[str, _Keys]:
    """Questionnaire features to the items that enter them, and to the score itself for one that came scored."""
    return {
        f"{instrument.feature_prefix}_{name}": [
            *(("responses", f"{instrument.id}/{item}") for item in _items_of(instrument, scale)),
            ("scores", f"{instrument.id}/{name}"),
        ]
        for instrument in load_instruments().values()
        for name, scale in instrument.scales.items()
    }


def _items_of(instrument: Instrument, scale: Scale) -> list[str]:
    if scale.items:
        return list(scale.items)
    parts = [item for name in scale.weights if name in instrument.scales for item in instrument.scales[name].items]
    return list(dict.fromkeys(parts)) or list(instrument.items)


def _hits(keys: pl.DataFrame, origins: pl.DataFrame) -> pl.DataFrame:
    """Rows of origins for each feature: its own, else those that speak for the whole table."""
    named = origins.with_columns(pl.col("column").cast(pl.String)).unique(maintain_order=True)
    several = pl.col("name").n_unique().over("table", "file", "column") > 1
    every = pl.col("name") == _EVERY
    named = named.with_columns(shared=pl.col("column").is_not_null() & (several | every))
    own = keys.join(named.filter(~every), on=["table", "name"], how="inner", maintain_order="left")
    rest = keys.join(own, on=["feature", "table", "name"], how="anti", maintain_order="left")
    # One item without a row of its own, where others have one, was simply not asked.
    rest = rest.join(
        own.select("feature", "table").unique(), on=["feature", "table"], how="anti", maintain_order="left"
    )
    general = rest.join(named.filter(every).drop("name"), on="table", how="inner", maintain_order="left")
    return pl.concat([own, general.select(own.columns)])


def _told(hits: pl.DataFrame) -> pl.DataFrame:
    """Lay the hits of a feature out as two texts."""
    plain = pl.col("name").str.replace("/", "_")
    inner = pl.when("shared").then(plain).otherwise(pl.coalesce("column", plain))
    inner = pl.when(inner == _EVERY).then(None).otherwise(inner)
    rows = hits.select("feature", "file", outer=pl.when("shared").then(pl.col("column")), inner=inner)
    cells = rows.group_by("feature", "file", "outer", maintain_order=True).agg(names=pl.col("inner").drop_nulls())
    # Most features have one column: only the others are put into words one by one.
    few, many = cells.filter(pl.col("names").list.len() <= 1), cells.filter(pl.col("names").list.len() > 1)
    words = pl.Series("names", [spans(names) for names in many["names"].to_list()], dtype=pl.String)
    cells = pl.concat([few.with_columns(pl.col("names").list.first()), many.with_columns(words)])
    outer = pl.when(pl.col("names").is_null()).then("outer").otherwise(pl.format("{} ({})", "outer", "names"))
    cells = cells.with_columns(text=pl.when(pl.col("outer").is_null()).then("names").otherwise(outer))
    files = cells.group_by("feature", "file", maintain_order=True).agg(pl.col("text").drop_nulls().str.join(", "))
    return (
        files.group_by("feature", maintain_order=True)
        .agg(
            source_file=pl.col("file").unique(maintain_order=True).str.join("; "),
            source_column=pl.col("text").filter(pl.col("text") != "").unique(maintain_order=True).str.join("; "),
        )
        .with_columns(pl.col("source_column").replace("", None))
    )
