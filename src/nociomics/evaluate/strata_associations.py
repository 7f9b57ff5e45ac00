"""Are the strata patients, or sites, batches and gaps? Each variable beside them, with a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from zlib import crc32

import numpy as np
import polars as pl

from nociomics.evaluate.association import (
    Association,
    categories_together,
    group_and_number,
    numbered,
    numbers_together,
)
from nociomics.evaluate.estimate import FloatArray
from nociomics.evaluate.strata_groups import Beside
from nociomics.tables.contract import empty_frame
from nociomics.tables.results import STRATA_ASSOCIATIONS, STRATA_CONCENTRATIONS

STRATA = "strata"
CLUSTER_FROM = 0.2
_BY_CHANCE = 0.05
_FAR = 3.0
_TIMES_EXPECTED = 1.5
_CLUSTERS = {"site": "site cluster", "batch": "batch cluster", "missingness": "missingness cluster"}
CLUSTERS = tuple(_CLUSTERS.values())


def strata_associations(strata: pl.Series, beside: Sequence[Beside], seed: int) -> pl.DataFrame:
    """Compare strata with every variable.

    Parameters
    ----------
    strata : Series of text, one per person
        Null for people who are in none.
    beside : sequence of Beside
        Values in the same order of people.

    Returns
    -------
    DataFrame, one row per variable
        As in `STRATA_ASSOCIATIONS`. By method M21 strata that go with a batch, a site or with what is missing
        at 0.2 or more are a cluster of that, and no stratum of patients.
    """
    groups = numbered(strata.to_list())
    rows = []
    for entry in beside:
        if entry.is_number:
            found = group_and_number(groups, _numbers(entry.values), _seed(seed, entry.name))
        else:
            found = categories_together(groups, numbered(entry.values.to_list()), _seed(seed, entry.name))
        rows.append(_row(STRATA, entry, found))
    return _frame(rows)


def factor_associations(scores: pl.DataFrame, beside: Sequence[Beside], seed: int) -> pl.DataFrame:
    """Compare every factor with every variable, where one stratum leaves nothing else to compare.

    Parameters
    ----------
    scores : DataFrame, one row per person
        Columns ``factor_<n>`` alone; null where nothing of the person was measured.

    Returns
    -------
    DataFrame, one row per factor and variable
        As in `STRATA_ASSOCIATIONS`.
    """
    rows = []
    for name in scores.columns:
        values = _numbers(scores[name])
        for entry in beside:
            if entry.is_number:
                found = numbers_together(values, _numbers(entry.values), _seed(seed, entry.name))
            else:
                found = group_and_number(numbered(entry.values.to_list()), values, _seed(seed, entry.name))
            rows.append(_row(name, entry, found))
    return _frame(rows)


def concentrations(strata: pl.Series, beside: Sequence[Beside]) -> pl.DataFrame:
    """Count each stratum in each group of every variable of groups, beside what independence would give.

    Returns
    -------
    DataFrame, one row per stratum, variable and group
        As in `STRATA_CONCENTRATIONS`.

    References
    ----------
    Adjusted standardised residuals: Haberman SJ, Biometrics 1973;29:205-20.
    """
    parts = [empty_frame(STRATA_CONCENTRATIONS)]
    for entry in beside:
        known = strata.is_not_null() & entry.values.is_not_null()
        if entry.is_number or strata.filter(known).n_unique() < 2:
            continue
        parts.append(_crossed(strata.filter(known), entry.values.filter(known), entry))
    return pl.concat(parts, how="vertical_relaxed")


def _crossed(strata: pl.Series, levels: pl.Series, entry: Beside) -> pl.DataFrame:
    names, groups = sorted(strata.unique()), sorted(levels.unique())
    counts = np.zeros((len(names), len(groups)), dtype=np.int64)
    np.add.at(counts, (numbered(strata.to_list()), numbered(levels.to_list())), 1)
    n = counts.sum()
    row, column = counts.sum(axis=1, keepdims=True), counts.sum(axis=0, keepdims=True)
    expected = row * column / n
    with np.errstate(invalid="ignore", divide="ignore"):
        residual = (counts - expected) / np.sqrt(expected * (1 - row / n) * (1 - column / n))
    share, usual = counts / row, np.broadcast_to(column / n, counts.shape)
    far = np.nan_to_num(residual, nan=0.0) > _FAR
    return pl.DataFrame(
        {
            "stratum": np.repeat(names, len(groups)).tolist(),
            "variable": [entry.name] * counts.size,
            "role": [entry.role] * counts.size,
            "level": groups * len(names),
            "people": counts.ravel(),
            "share": share.ravel(),
            "expected_share": usual.ravel(),
            "residual": pl.Series(residual.ravel(), nan_to_null=True),
            "concentrated": (far & (share >= _TIMES_EXPECTED * usual)).ravel(),
        }
    )


def verdict(role: str, found: Association, groups: int = 2) -> str:
    """Judge one association; a variable in which all people are alike makes no strata, and tells nothing either.

    Examples
    --------
    >>> strong = Association("cramers_v", 0.6, 0.5, 0.7, 0.001, 300)
    >>> verdict("batch", strong), verdict("outcome", strong)
    ('batch cluster', 'not judged')
    """
    if role not in _CLUSTERS:
        return "not judged"
    if groups == 1:
        return "one group"
    if found.value is None or found.p is None:
        return "cannot tell"
    if abs(found.value) < CLUSTER_FROM:
        return "clear"
    return _CLUSTERS[role] if found.p <= _BY_CHANCE else "cannot tell"


def _row(of: str, entry: Beside, found: Association) -> dict[str, object]:
    return {
        "of": of,
        "variable": entry.name,
        "role": entry.role,
        **asdict(found),
        "verdict": verdict(entry.role, found, entry.values.drop_nulls().n_unique()),
    }


def _frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    schema = empty_frame(STRATA_ASSOCIATIONS).schema
    return pl.DataFrame(rows, schema=schema)


def _numbers(values: pl.Series) -> FloatArray:
    return np.asarray(values.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)


def _seed(seed: int, name: str) -> int:
    """Give every variable random numbers of its own, so that one more leaves the others as they are."""
    return int(np.random.default_rng([seed, crc32(name.encode())]).integers(2**31))
