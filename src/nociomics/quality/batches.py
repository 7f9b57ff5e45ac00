"""Batches, plates and sites: level and spread of each, and which groupings cannot be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import chi2_contingency

from nociomics.quality.histogram import FEWEST, Floats
from nociomics.tables.data_quality import ASSOCIATIONS, BATCH_SHARES, BATCHES, COMPONENTS, CROSS_TABLES
from nociomics.tables.finding import Finding

ID = "patient_id"
_KINDS = {"text": pl.String, "number": pl.Float64, "integer": pl.Int64}
_MOST_PEOPLE = 1500
_MOST_COLUMNS = 1000
_MOST_LEVELS = 40
_ALIASED = 0.8
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Measured:
    """Values of one thing, one per person or measurement, with the group of each."""

    modality: str
    name: str
    by: str
    values: pl.Series
    groups: pl.Series
    log: bool = False


def batch_figures(measured: Iterable[Measured]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Level and spread of each group, and the share of the spread that lies between groups.

    Values at or under 0 are left out where logs are taken.

    Returns
    -------
    DataFrame, DataFrame
        As in `BATCHES` and `BATCH_SHARES`; nothing for a grouping with one group.
    """
    rows: list[dict[str, Any]] = []
    shares: list[dict[str, Any]] = []
    for entry in measured:
        parts = _by_group(entry)
        if len(parts) < 2:
            continue
        key = {"modality": entry.modality, "name": entry.name, "by": entry.by}
        scale = "log10" if entry.log else "linear"
        rows += [{**key, "level": level, "scale": scale, **_five(values)} for level, values in parts.items()]
        size = sum(values.size for values in parts.values())
        shares.append({**key, "levels": len(parts), "values": size, "share": share_between(list(parts.values()))})
    return _frame(rows, BATCHES), _frame(shares, BATCH_SHARES)


def _frame(rows: list[dict[str, Any]], contract: Any) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={column.name: _KINDS[column.kind] for column in contract.columns})


def _by_group(entry: Measured) -> dict[str, Floats]:
    values = entry.values.cast(pl.Float64)
    frame = pl.DataFrame({"value": values, "group": entry.groups.cast(pl.String)}).drop_nulls()
    frame = frame.filter(pl.col("value").is_finite())
    if entry.log:
        frame = frame.filter(pl.col("value") > 0).with_columns(pl.col("value").log10())
    parts = frame.partition_by("group", as_dict=True)
    return {str(level): parts[(level,)]["value"].to_numpy() for (level,) in sorted(parts)}


def _five(values: Floats) -> dict[str, Any]:
    names = ("low", "lower_quartile", "median", "upper_quartile", "high")
    if values.size < FEWEST:
        return {"values": values.size, **dict.fromkeys(names)}
    found = np.quantile(values, _QUANTILES)
    return {"values": values.size, **{name: float(value) for name, value in zip(names, found, strict=True)}}


def share_between(parts: Sequence[Floats]) -> float | None:
    """Share of the variance that lies between groups, adjusted for their number (1 - MSW / MST).

    About 0, also just below it, when groups are drawn by lot; null when nothing is left to judge by.

    References
    ----------
    Kelley TL. An unbiased correlation ratio measure. Proc Natl Acad Sci 1935;21:554-9 (epsilon squared).

    Examples
    --------
    >>> share_between([np.array([1.0, 1.0]), np.array([2.0, 2.0])])
    1.0
    """
    whole = np.concatenate(parts)
    within = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
    total = float(((whole - whole.mean()) ** 2).sum())
    degrees = whole.size - len(parts)
    if degrees < 1 or total <= 0:
        return None
    return 1.0 - (within / degrees) / (total / (whole.size - 1))


def components(values: pl.DataFrame, modality: str, groups: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Put people on the first two principal components of the columns that vary most: a picture, no feature.

    Parameters
    ----------
    values : DataFrame, one row per person
        Numeric columns; people and columns with a gap are left out. Of many people every n-th is taken, and
        at most 1000 columns.
    groups : mapping of str to Series, one row per person
        What the points are marked by.

    Returns
    -------
    DataFrame, one row per person and grouping
        As in `COMPONENTS`; empty with fewer than ten people or three columns.
    """
    every = max(1, -(-values.height // _MOST_PEOPLE))
    empty = values.select(pl.all_horizontal(pl.all().is_null())).to_series() if values.width else pl.Series([True])
    rows = np.flatnonzero(~empty.to_numpy())[::every]
    taken = values[rows.tolist()]
    whole = taken.select([column for column in taken.get_columns() if column.null_count() == 0])
    if whole.height < 10 or whole.width < 3:
        return _frame([], COMPONENTS)
    matrix = whole.cast(pl.Float32).to_numpy()
    spread = matrix.var(axis=0)
    best = np.sort(np.argsort(-spread, kind="stable")[:_MOST_COLUMNS])
    centred = matrix[:, best].astype(np.float64)
    centred -= centred.mean(axis=0)
    scores, shares = _first_two(centred)
    points = pl.DataFrame({"first": scores[:, 0], "second": scores[:, 1]}).with_columns(
        modality=pl.lit(modality), share_first=pl.lit(float(shares[0])), share_second=pl.lit(float(shares[1]))
    )
    marked = [
        points.with_columns(by=pl.lit(by), level=group[rows.tolist()].cast(pl.String)) for by, group in groups.items()
    ]
    return pl.concat([_frame([], COMPONENTS), *(frame.select(COMPONENTS_ORDER) for frame in marked)])


COMPONENTS_ORDER = [column.name for column in COMPONENTS.columns]


def _first_two(centred: Floats) -> tuple[Floats, Floats]:
    """Scores on two components and their shares, from the smaller of the two square matrices."""
    left, sizes, _ = np.linalg.svd(centred @ centred.T, hermitian=True)
    total = float(np.trace(centred @ centred.T)) or 1.0
    scores = left[:, :2] * np.sqrt(np.maximum(sizes[:2], 0))
    # The sign of a component is arbitrary: the largest entry is made positive, so that a page is reproducible.
    signs = np.sign(scores[np.abs(scores).argmax(axis=0), [0, 1]])
    return scores * np.where(signs == 0, 1, signs), sizes[:2] / total


def cross_tables(groups: pl.DataFrame, pairs: Iterable[tuple[str, str]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cross pairs of groupings of people.

    Parameters
    ----------
    groups : DataFrame, one row per person
        One text column per grouping (batch, plate, site, arm, outcome); null where not known.
    pairs : iterable of (str, str)
        Which to cross.

    Returns
    -------
    DataFrame, DataFrame
        As in `CROSS_TABLES` and `ASSOCIATIONS`. Groupings with more than 40 groups have no cross-table, but
        an association.
    """
    cells, found = [], []
    for first, second in pairs:
        both = groups.select(pl.col(first, second).cast(pl.String)).drop_nulls()
        counts = both.group_by(first, second).agg(people=pl.len())
        names = (sorted(both[first].unique()), sorted(both[second].unique()))
        table = np.zeros((len(names[0]), len(names[1])), dtype=np.int64)
        places = [{name: index for index, name in enumerate(levels)} for levels in names]
        for one, two, people in counts.iter_rows():
            table[places[0][one], places[1][two]] = people
        found.append(
            {"first": first, "second": second, "people": both.height, "cramers_v": cramers_v(table),
             "nested": _nested(table)}
        )  # fmt: skip
        if max(table.shape, default=0) <= _MOST_LEVELS:
            cells += [
                {"first": first, "second": second, "first_level": one, "second_level": two,
                 "people": int(table[places[0][one], places[1][two]])}
                for one in names[0]
                for two in names[1]
            ]  # fmt: skip
    return _frame(cells, CROSS_TABLES), _frame(found, ASSOCIATIONS)


def cramers_v(table: np.ndarray[Any, np.dtype[np.int64]]) -> float | None:
    """Cramer's V of a table of counts, corrected for bias: about 0 when two groupings have nothing to do with another.

    Null when one of them has one group only.

    References
    ----------
    Bergsma W. A bias-correction for Cramer's V and Tschuprow's T. J Korean Stat Soc 2013;42:323-8.

    Examples
    --------
    >>> cramers_v(np.array([[10, 0], [0, 10]]))
    1.0
    """
    rows, columns = table.shape
    people = int(table.sum())
    if min(rows, columns) < 2 or people < 2:
        return None
    phi = float(chi2_contingency(table, correction=False).statistic) / people
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (people - 1))
    rows_ = rows - (rows - 1) ** 2 / (people - 1)
    columns_ = columns - (columns - 1) ** 2 / (people - 1)
    limit = min(rows_, columns_) - 1
    return None if limit <= 0 else min(1.0, (phi / limit) ** 0.5)


def _nested(table: np.ndarray[Any, np.dtype[np.int64]]) -> str | None:
    """Whose groups tell the group of the other; groups of one or two people tell it by chance and do not count."""
    if min(table.shape) < 2:
        return None
    telling = [
        bool(((table > 0).sum(axis=axis) == 1).all()) and table.sum() >= FEWEST * table.shape[1 - axis]
        for axis in (1, 0)
    ]
    return "both" if all(telling) else "first" if telling[0] else "second" if telling[1] else None


def is_aliased(row: Mapping[str, Any]) -> bool:
    """Whether two groupings go together so far that their effects cannot be told apart."""
    strong = row["cramers_v"] is not None and row["cramers_v"] >= _ALIASED
    return strong or row["nested"] is not None


def alias_findings(associations: pl.DataFrame, batches: Sequence[str]) -> list[Finding]:
    """Warn where a batch or plate goes together with something else, such as a site or an arm."""
    found = []
    for row in associations.iter_rows(named=True):
        technical = [name for name in (row["first"], row["second"]) if name in batches]
        if not is_aliased(row) or len(technical) != 1:
            continue
        other = row["second"] if technical[0] == row["first"] else row["first"]
        told = "" if row["cramers_v"] is None else f" (Cramer's V {row['cramers_v']:.2f})"
        text = (
            f"{technical[0]} and {other} go together{told}: what the one does to the values cannot be told from what "
            f"the other does. Spread each {other} over all batches when samples are run again; read results with "
            "this in mind."
        )
        found.append(Finding("quality", technical[0], "warning", row["people"], text))
    return found
