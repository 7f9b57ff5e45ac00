"""Rows of the section on batches, plates and sites."""

from __future__ import annotations

from typing import Any

import polars as pl

from nociomics.report.formats import count, number, share
from nociomics.report.plots import Scale, factor_map, group_swatch
from nociomics.report.quality_plots import box_strip, box_words, value_axis
from nociomics.report.wording import association_words, modality_words, small_count

_MOST_PICTURES = 4
_MOST_SHARES = 12
_MOST_LEVELS = 30
_MOST_CELLS = 12
_MOST_GROUPS = 6


def batch_tables(batches: pl.DataFrame | None, shares: pl.DataFrame | None) -> list[dict[str, Any]]:
    """List the groupings; each with boxes of what it moves most, and the share of spread for everything."""
    if batches is None or shares is None:
        return []
    tables = []
    for (by,), rows in shares.group_by("by", maintain_order=True):
        ordered = rows.sort("share", descending=True, nulls_last=True, maintain_order=True)
        pictures = [_boxes(row, batches) for row in ordered.head(_MOST_PICTURES).to_dicts()]
        told = ordered.head(_MOST_SHARES).to_dicts()
        tables.append({"by": by, "pictures": pictures, "shares": told, "of": ordered.height})
    return tables


def _boxes(row: dict[str, Any], batches: pl.DataFrame) -> dict[str, Any]:
    keys = [pl.col(name) == row[name] for name in ("modality", "name", "by")]
    levels = batches.filter(*keys)
    log = levels["scale"][0] == "log10"
    shown = levels.sort("values", descending=True, maintain_order=True).head(_MOST_LEVELS).sort("level").to_dicts()
    ends = [level[name] for level in shown for name in ("low", "high")]
    scale = Scale.around(ends)
    rows = [
        level | {"strip": box_strip(level, scale, box_words(level, log)), "values": small_count(level["values"])}
        for level in shown
    ]
    axis = value_axis(scale, log)
    about = {"axis": axis, "log": log, "hidden": levels.height - len(shown)}
    return {"name": row["name"], "modality": row["modality"], "share": row["share"], "rows": rows, **about}


def component_maps(components: pl.DataFrame | None) -> list[dict[str, Any]]:
    """Draw people on two components, marked by batch or site."""
    if components is None:
        return []
    maps = []
    for (modality, by), rows in components.group_by("modality", "by", maintain_order=True):
        counts = rows["level"].value_counts(sort=True)
        often = counts.filter(pl.col("level").is_not_null())["level"].to_list()[: _MOST_GROUPS - 1]
        known = pl.when(pl.col("level").is_not_null()).then(pl.lit("others"))
        level = pl.when(pl.col("level").is_in(often)).then("level").otherwise(known)
        groups = rows.select(level).to_series().to_list()
        names = tuple(
            f"component {place}, {share(rows[f'share_{word}'][0])} of the spread"
            for place, word in ((1, "first"), (2, "second"))
        )
        drawing, order, people = factor_map(rows["first"].to_list(), rows["second"].to_list(), groups, names)  # type: ignore[arg-type]
        legend = [{"name": name, "mark": group_swatch(index, name)} for index, name in enumerate(order)]
        about = f"{count(people)} people by their {modality_words(str(modality))}, marked by {by}"
        maps.append({"drawing": drawing, "legend": legend, "about": about})
    return maps


def cross_table_rows(cells: pl.DataFrame | None, associations: pl.DataFrame | None) -> list[dict[str, Any]]:
    """List pairs of groupings, those that go together most first, each with its cross-table when it is small.

    Cells of one to four people are not told, and no sums stand beside them.
    """
    if cells is None or associations is None:
        return []
    ordered = associations.sort("cramers_v", descending=True, nulls_last=True, maintain_order=True)
    return [
        row | {"v": number(row["cramers_v"], null="one group only"), "words": association_words(row),
               "table": _table(cells.filter((pl.col("first") == row["first"]) & (pl.col("second") == row["second"])))}
        for row in ordered.to_dicts()
    ]  # fmt: skip


def _table(cells: pl.DataFrame) -> dict[str, Any] | None:
    columns = cells["second_level"].unique(maintain_order=True).to_list()
    lines = cells["first_level"].unique(maintain_order=True).to_list()
    if not columns or len(columns) > _MOST_CELLS or len(lines) > _MOST_LEVELS:
        return None
    counts = {(one, two): people for _, _, one, two, people in cells.iter_rows()}
    rows = [{"name": line, "cells": [small_count(counts.get((line, name), 0)) for name in columns]} for line in lines]
    return {"columns": columns, "rows": rows}
