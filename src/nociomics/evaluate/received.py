"""Out-of-fold predictions beside what was observed, for the treatment that each person really got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.errors import TableError
from nociomics.evaluate.estimate import FloatArray, IntArray
from nociomics.tables.study import Target

_CLASS_PREFIX = "p_"
CELL = "confounded_batch"


@dataclass(frozen=True)
class Rows:
    """Aligned arrays, one entry per (person, repeat) with both an observation and a prediction.

    Parameters
    ----------
    people : array of int
        Person of each row, 0 to n - 1.
    repeat, fold : array of int
        Repeat, and outer fold numbered over all repeats.
    y : array
        Observed: 0/1, points or units, or a class number.
    predicted : array
        Probability, expectation, or one probability per class (rows x K).
    cell : array of int, optional
        Batch of each row, where batches go with the outcome: then the headline counts within batches only.
    """

    people: IntArray
    repeat: IntArray
    fold: IntArray
    y: FloatArray
    predicted: FloatArray
    cell: IntArray | None = None

    @property
    def part(self) -> IntArray:
        """Outer fold, or batch within the outer fold where batches go with the outcome."""
        if self.cell is None:
            return self.fold
        both = np.unique(np.column_stack([self.fold, self.cell]), axis=0, return_inverse=True)[1]
        return np.asarray(both.reshape(-1), dtype=np.int64)

    @property
    def n(self) -> int:
        """People, not rows."""
        return int(self.people.max()) + 1 if self.people.size else 0

    @property
    def repeats(self) -> int:
        """How often everybody was divided into outer folds."""
        return int(np.unique(self.repeat).size)

    @property
    def n_folds(self) -> int:
        """Outer folds over all repeats."""
        return int(np.unique(self.fold).size)


def check_folds(out_of_fold: pl.DataFrame, splits: pl.DataFrame, name: str = "out_of_fold") -> None:
    """Refuse predictions that were not made on the folds of the study.

    Raises
    ------
    TableError
        With the number of rows whose person, repeat and outer fold are not those of `splits`.
    """
    keys = ["patient_id", "repeat", "outer_fold"]
    made = out_of_fold.select(pl.col("patient_id"), pl.col("repeat", "outer_fold").cast(pl.Int64))
    known = splits.select(pl.col("patient_id"), pl.col("repeat", "outer_fold").cast(pl.Int64)).unique()
    odd = made.join(known, on=keys, how="anti").height
    if odd:
        raise TableError(
            f"{name}: {odd} of {made.height} rows lie in another outer fold than splits says. "
            "Predictions must come from the study's own folds: run the response stage again."
        )


def received_rows(out_of_fold: pl.DataFrame, target_rows: pl.DataFrame, target: Target) -> pl.DataFrame:
    """Join each person's predictions for the treatment received with what was observed.

    Predictions without any treatment (a study or a comparator without treatments) are joined by person alone.

    Returns
    -------
    DataFrame, one row per person and repeat
        Columns of `out_of_fold`, with ``received`` (arm), ``observed`` (what is modelled), ``event`` (0/1),
        ``label`` and ``group``; nulls where not observed. People without a treatment are left out of a study
        of treatments.
    """
    event = pl.col("responded")
    if target.kind == "binary":
        event = pl.coalesce("responded", "response_value", "outcome")
    observed = target_rows.select(
        "patient_id",
        pl.col("treatment").alias("received"),
        pl.col("response_value").cast(pl.Float64).alias("observed"),
        event.cast(pl.Float64).alias("event"),
        pl.col("label").cast(pl.String),
        pl.col("group").cast(pl.String),
    )
    by_arm = out_of_fold["treatment"].null_count() < out_of_fold.height
    made = out_of_fold if by_arm else out_of_fold.drop("treatment")
    right = ["patient_id", "received"] if by_arm else ["patient_id"]
    left = ["patient_id", "treatment"] if by_arm else ["patient_id"]
    joined = made.join(observed, left_on=left, right_on=right, how="inner")
    if by_arm:
        joined = joined.with_columns(received=pl.col("treatment"))
    return joined.sort("repeat", "patient_id")


def class_columns(out_of_fold: pl.DataFrame) -> list[str]:
    """Return the columns ``p_<class>``, in their order."""
    return [name for name in out_of_fold.columns if name.startswith(_CLASS_PREFIX) and name != "p_response"]


def event_rows(received: pl.DataFrame, predicted: str = "p_response") -> Rows:
    """Return the rows with an observed event and a predicted probability."""
    return rows_of(received, "event", [predicted])


def value_rows(received: pl.DataFrame, predicted: str = "expected") -> Rows:
    """Return the rows with an observed value and an expected one."""
    return rows_of(received, "observed", [predicted])


def class_rows(received: pl.DataFrame, columns: list[str], also: Sequence[str] = ()) -> Rows:
    """Return the rows with an observed class and all class probabilities, and `also` further columns behind them.

    Raises
    ------
    TableError
        When a class occurs for which there is no column of probabilities.
    """
    names = [column.removeprefix(_CLASS_PREFIX) for column in columns]
    labels = received["label"].drop_nulls()
    unknown = labels.filter(~labels.is_in(names))
    if unknown.len():
        raise TableError(
            f"out_of_fold: {unknown.n_unique()} classes of the outcome ({unknown.len()} rows) "
            "have no column p_<class>. "
            "Every class needs one: run the response stage again."
        )
    number = {name: place for place, name in enumerate(names)}
    coded = received.with_columns(class_number=pl.col("label").replace_strict(number, return_dtype=pl.Int64))
    return rows_of(coded, "class_number", [*columns, *also])


def rows_of(received: pl.DataFrame, y: str, predicted: list[str]) -> Rows:
    """Return aligned arrays of the rows in which nothing is null.

    Parameters
    ----------
    received : DataFrame
        From `received_rows`.
    y : str
        Column of observations.
    predicted : list of str
        One column, or one per class.
    """
    kept = received.drop_nulls([y, *predicted])
    values = kept.select(predicted).to_numpy().astype(np.float64)
    return Rows(
        people=_numbered(kept, ["patient_id"]),
        repeat=kept["repeat"].to_numpy().astype(np.int64),
        fold=_numbered(kept, ["repeat", "outer_fold"]),
        y=kept[y].to_numpy().astype(np.float64),
        predicted=values[:, 0] if len(predicted) == 1 else values,
        cell=_numbered(kept, [CELL]) if CELL in kept.columns else None,
    )


def _numbered(frame: pl.DataFrame, keys: list[str]) -> IntArray:
    """Give the distinct keys the numbers 0, 1, ... in their sorted order, so that row order never matters."""
    return (frame.select(pl.struct(keys).rank("dense"))).to_series().to_numpy().astype(np.int64) - 1
