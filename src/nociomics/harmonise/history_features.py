"""How many drugs a person had before the study, how many helped and how many were stopped for harm."""

from __future__ import annotations

import polars as pl

from nociomics.harmonise.feature import ID, Feature, Part

_GROUP = "treatment history"
_COUNTS = {
    "history_drugs_tried": "different drugs taken before the treatment of the study",
    "history_drugs_helped": "of these, drugs whose response was partial or good",
    "history_drugs_harmed": "of these, drugs that were stopped because of harm",
}


def history_features(history: pl.DataFrame, treatments: pl.DataFrame | None = None) -> Part:
    """Count each person's earlier drugs.

    An entry counts when it began before the day the study's treatment started, or has no date. What an earlier
    drug did counts only when it was known by then: not when the drug was stopped later.

    Parameters
    ----------
    history : DataFrame, one row per person and earlier treatment
        As in `tables.ingested.TREATMENT_HISTORY`.
    treatments : DataFrame, optional
        With ``started_at``, or every entry counts.

    Returns
    -------
    Part
        One row per person of ``history`` who has an entry that counts. Somebody without any is absent, so null in
        the feature table: an empty history cannot be told from one that nobody wrote down. ``history_drugs_helped``
        (``_harmed``) is null when the response (the reason for stopping) of none of the person's drugs is known.

    Examples
    --------
    >>> history = pl.DataFrame(
    ...     {"patient_id": ["P1", "P1", "P1"], "drug": ["ibuprofen", "ibuprofen", "tramadol"],
    ...      "response": ["none", "partial", "none"], "started_at": [None] * 3, "stopped_at": [None] * 3,
    ...      "stopped_for_harm": [False, False, True]})
    >>> history_features(history).frame.row(0)
    ('P1', 2.0, 1.0, 1.0)
    """
    before = _before_treatment(history, treatments)
    helped = pl.col("response").is_in(["partial", "good"])
    counts = before.group_by(ID, maintain_order=True).agg(
        pl.col("drug").n_unique().cast(pl.Float64).alias("history_drugs_tried"),
        _drugs(helped, pl.col("response").is_not_null()).alias("history_drugs_helped"),
        _drugs(pl.col("stopped_for_harm"), pl.col("stopped_for_harm").is_not_null()).alias("history_drugs_harmed"),
    )
    features = [
        Feature(name, "clinical", _GROUP, "count", description, "numeric", 0.0) for name, description in _COUNTS.items()
    ]
    return Part(counts.select(ID, *_COUNTS), features)


def _drugs(which: pl.Expr, known: pl.Expr) -> pl.Expr:
    """Count the different drugs of which something holds; null when it is known of none."""
    number = pl.col("drug").filter(which.fill_null(False)).n_unique()
    return pl.when(known.any()).then(number.cast(pl.Float64)).otherwise(None)


def _before_treatment(history: pl.DataFrame, treatments: pl.DataFrame | None) -> pl.DataFrame:
    kinds = {"response": pl.String, "stopped_for_harm": pl.Boolean}
    history = history.with_columns(pl.col(name).cast(kind) for name, kind in kinds.items())
    if treatments is None or "started_at" not in treatments.columns:
        return history
    study = treatments.select(ID, __study=_day("started_at", treatments))
    rows = history.join(study, on=ID, how="left", maintain_order="left")
    began, stopped = _day("started_at", history), _day("stopped_at", history)
    rows = rows.filter((began < pl.col("__study")).fill_null(True))
    open_then = (stopped > pl.col("__study")).fill_null(False)
    unknown = [pl.when(open_then).then(None).otherwise(pl.col(name)).alias(name) for name in kinds]
    return rows.with_columns(unknown).drop("__study")


def _day(column: str, frame: pl.DataFrame) -> pl.Expr:
    if frame.schema[column] == pl.String:
        return pl.col(column).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return pl.col(column).cast(pl.Date)
