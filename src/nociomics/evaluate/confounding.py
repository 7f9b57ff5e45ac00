"""Do batches of measurement go with the outcome? Then a model may predict the batch, and figures count within it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from nociomics.evaluate.bootstrap import Statistic, weighted_ratio
from nociomics.evaluate.estimate import FloatArray, IntArray, finite
from nociomics.evaluate.received import CELL
from nociomics.tables.study import Target

Make = Callable[[FloatArray, FloatArray], Statistic]
Size = Callable[[FloatArray, FloatArray], FloatArray]

LEVEL = 0.01
STRONG = 0.3
_UNLIKELY = 0.05
FEWEST_PER_BATCH = 5
_FEWEST = 20
_EXPECTED = 5
_PERMUTATIONS = 2000


@dataclass(frozen=True)
class BatchTest:
    """How far one kind of batch goes with the outcome.

    Parameters
    ----------
    column : str
        Where the batch stands, such as ``expression_batch``.
    people, batches : int
        People with outcome and batch, in batches of at least 5; how many such batches.
    p : float, optional
        Of independence; null when it cannot be tested.
    strength : float, optional
        Cramer's V, or the correlation ratio of a measured outcome, both corrected for what chance alone gives.
    confounded : bool
    method : str
    """

    column: str
    people: int
    batches: int
    p: float | None
    strength: float | None
    confounded: bool
    method: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return vars(self).copy()


def batch_labels(features: pl.DataFrame, catalogue: pl.DataFrame) -> pl.DataFrame:
    """Return ``patient_id`` and each person's batch, as text, per category within which values are comparable.

    Parameters
    ----------
    features, catalogue : DataFrame
        As in `tables.harmonised.FEATURES` and `FEATURE_CATALOGUE`; its column ``within`` names the batches.
    """
    names = sorted(set(catalogue["within"].drop_nulls()) & set(features.columns))
    return features.select("patient_id", *[pl.col(name).cast(pl.String) for name in names])


def batch_tests(
    batches: pl.DataFrame, target_rows: pl.DataFrame, target: Target, groups: str | None = None, seed: int = 1
) -> list[BatchTest]:
    """Test every kind of batch against the outcome.

    A laboratory batch is confounded with it when p is below 0.01, or the strength above 0.3 with p below 0.05. Groups
    of people, such as sites, differ in who comes to them; they count as confounded by their strength alone.

    Parameters
    ----------
    batches : DataFrame
        From `batch_labels`.
    target_rows : DataFrame
        As in `tables.harmonised.TARGET_ROWS`.
    groups : str, optional
        Name of the study's groups, which stand in ``group`` of `target_rows`.
    """
    outcome = _outcome(target_rows, target)
    found = []
    for name in batches.columns[1:]:
        found.append(_test(name, outcome, batches.select("patient_id", batch=name), LEVEL, seed))
    if groups is not None and groups not in batches.columns:
        own = target_rows.select("patient_id", batch=pl.col("group").cast(pl.String))
        found.append(_test(groups, outcome, own, 0.0, seed))
    return found


def confounded_cells(batches: pl.DataFrame, target_rows: pl.DataFrame, tests: list[BatchTest]) -> pl.DataFrame | None:
    """Return ``patient_id`` and the combination of all batches that go with the outcome; null when none does.

    The column is named `received.CELL`; a person without a batch is in a batch of that kind.
    """
    names = [test.column for test in tests if test.confounded]
    if not names:
        return None
    frame = target_rows.select("patient_id", "group").join(batches, on="patient_id", how="left")
    columns = [pl.col(name if name in batches.columns else "group").cast(pl.String).fill_null("") for name in names]
    return frame.select("patient_id", pl.concat_str(columns, separator="/").alias(CELL))


def batch_sentences(tests: list[BatchTest], headline: str) -> list[str]:
    """Say in plain words which batches go with the outcome, and what follows."""
    found = [test for test in tests if test.confounded]
    if not found:
        return []
    named = ", ".join(f'"{test.column}"' for test in found)
    shown = " and ".join(
        f"strength {0.0 if test.strength is None else test.strength:.2f}"
        + ("" if test.p is None else f", p {test.p:.3f}")
        for test in found
    )
    within = (
        "chance is what knowing the batch alone would bring"
        if headline == "accuracy"
        else "the headline is counted within batches only"
    )
    return [
        f"Confounded: the outcome differs between batches of {named} ({shown}), so a model may recognise the batch; "
        f"{within}."
    ]


def within_batches(y: FloatArray, score: FloatArray, part: IntArray, make: Make, size: Size) -> Statistic:
    """Return the mean of a figure over parts of the rows (a batch within a fold), weighted by how much each tells.

    Parameters
    ----------
    y, score : array of float
        Outcome and prediction of each row.
    part : array of int
        Part of each row.
    make : callable
        Statistic of the rows of one part, such as `auroc_statistic`.
    size : callable
        From ``y`` of a part and weights (resamples x rows) to what the part counts: pairs, or people.
    """
    places = [np.flatnonzero(part == one) for one in np.unique(part)]
    parts = [(at, make(y[at], score[at])) for at in places]

    def statistic(weights: FloatArray) -> FloatArray:
        total, count = np.zeros(len(weights)), np.zeros(len(weights))
        for at, figure in parts:
            found = figure(weights[:, at])
            counted = np.where(np.isfinite(found), size(y[at], weights[:, at]), 0.0)
            total += np.nan_to_num(found) * counted
            count += counted
        return weighted_ratio(total, count)

    return statistic


def pairs(y: FloatArray, weights: FloatArray) -> FloatArray:
    """Count the pairs of an event and a non-event: what an AUROC rests on."""
    events = weights @ y
    return np.asarray(events * (weights.sum(axis=1) - events))


def people(y: FloatArray, weights: FloatArray) -> FloatArray:
    """Count people, none of a part of fewer than five: its rank correlation says nothing."""
    return np.asarray(weights.sum(axis=1) * (y.size >= FEWEST_PER_BATCH))


def chance_within(labels: IntArray, cell: IntArray) -> float:
    """Return the accuracy of naming the commonest class of each batch: what knowing the batch alone would bring."""
    best = [np.bincount(labels[cell == one]).max() for one in np.unique(cell)]
    return float(np.sum(best) / labels.size) if labels.size else 1.0


def _outcome(target_rows: pl.DataFrame, target: Target) -> pl.DataFrame:
    """One row per person with an outcome: ``patient_id, value``; text for classes and events."""
    if target.kind in ("binary", "multiclass"):
        value = pl.coalesce(pl.col("label"), pl.col("responded").cast(pl.String))
    elif target.response is not None:
        value = pl.col("responded").cast(pl.String)
    else:
        value = pl.col("response_value").cast(pl.Float64)
    return target_rows.select("patient_id", value=value).drop_nulls()


def _test(column: str, outcome: pl.DataFrame, batches: pl.DataFrame, level: float, seed: int) -> BatchTest:
    both = outcome.join(batches.drop_nulls(), on="patient_id").sort("patient_id")
    sizes = both.group_by("batch").len().filter(pl.col("len") >= FEWEST_PER_BATCH)
    both = both.filter(pl.col("batch").is_in(sizes["batch"].to_list()))
    if sizes.height < 2 or both.height < _FEWEST or both["value"].n_unique() < 2:
        reason = f"not tested: fewer than 2 batches of {FEWEST_PER_BATCH} people, {_FEWEST} people or 2 outcomes"
        return BatchTest(column, both.height, sizes.height, None, None, False, reason)
    if both["value"].dtype == pl.String:
        p, strength, method = _association(_crossed(both), np.random.default_rng(seed))
    else:
        p, strength, method = _ratio(both)
    # among few people a strength above 0.3 is often chance: then it must be unlikely as well
    strong = strength is not None and strength > STRONG and p is not None and p < _UNLIKELY
    confounded = strong or (p is not None and p < level)
    return BatchTest(column, both.height, sizes.height, p, strength, bool(confounded), method)


def _crossed(both: pl.DataFrame) -> IntArray:
    _, rows = np.unique(both["batch"].to_numpy(), return_inverse=True)
    _, columns = np.unique(both["value"].to_numpy(), return_inverse=True)
    table = np.zeros((rows.max() + 1, columns.max() + 1), dtype=np.int64)
    np.add.at(table, (rows, columns), 1)
    return table


def _association(table: IntArray, rng: np.random.Generator) -> tuple[float | None, float | None, str]:
    """Chi-square test, its p from permutations where expected counts are small, and V corrected for chance."""
    square, p, freedom, expected = stats.chi2_contingency(table, correction=False)
    method = "chi-square"
    if (expected < _EXPECTED).mean() > 0.2:
        p, method = _permuted(table, float(square), rng), f"chi-square, {_PERMUTATIONS} permutations (small counts)"
    n, (r, k) = int(table.sum()), table.shape
    phi = max(0.0, float(square) / n - freedom / (n - 1))
    rows, columns = r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)
    strength = float(np.sqrt(phi / max(min(rows, columns) - 1, 1e-9)))
    return finite(float(p)), finite(strength), f"{method}; Cramer's V corrected for chance (Bergsma 2013)"


def _permuted(table: IntArray, square: float, rng: np.random.Generator) -> float:
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    drawn = stats.random_table(table.sum(axis=1), table.sum(axis=0)).rvs(_PERMUTATIONS, random_state=rng)
    squares = ((drawn - expected) ** 2 / expected).sum(axis=(1, 2))
    return float((1 + (squares >= square - 1e-9).sum()) / (1 + _PERMUTATIONS))


def _ratio(both: pl.DataFrame) -> tuple[float | None, float | None, str]:
    """Kruskal-Wallis test and the correlation ratio of ranks, corrected for chance."""
    parts = [part["value"].to_numpy() for part in both.partition_by("batch")]
    high, p = stats.kruskal(*parts)
    n, k = both.height, len(parts)
    share = max(0.0, float(high - k + 1) / (n - k))
    return finite(float(p)), finite(float(np.sqrt(share))), "Kruskal-Wallis; correlation ratio of ranks"
