"""A second, open order of the treatments: benefit less harm, weighed as the person or the study says."""

from __future__ import annotations

from typing import Any

import polars as pl

from nociomics.errors import StudyError
from nociomics.evaluate.panel import direction
from nociomics.tables.ingested import HARM_WEIGHT

OF_PATIENT, OF_STUDY = "patient", "study"


def weigh_harm(
    predictions: pl.DataFrame,
    effects: pl.DataFrame,
    bundle: Any,
    own: pl.DataFrame | None,
    of_study: float | None,
) -> pl.DataFrame:
    """Add each person's order of the treatments by net benefit, beside the order by benefit alone.

    Net benefit is the expected benefit less the weight times the chance of the adverse event. Nothing else moves:
    what is recommended stays as it was, by benefit alone.

    Parameters
    ----------
    predictions, effects : DataFrame
        From `prediction.predict_people`.
    bundle : Bundle
        Their model.
    own : DataFrame or None
        ``patient_id, harm_weight``: people's own weights; they go before the study's.
    of_study : float or None
        For everybody who gave none.

    Returns
    -------
    DataFrame
        Without any weight, or where the model compares no treatments, the predictions as they were. Else with
        ``harm_weight`` and ``harm_weight_source`` (patient or study), ``net_benefit`` (larger is better, in points or
        units of the outcome), and ``benefit_place`` and ``net_benefit_place`` (1 is best). The last three are null for
        everybody while the gate for individual recommendations is closed, and else where a treatment lies outside
        overlap for the person, or benefit, harm or weight is unknown.

    Raises
    ------
    StudyError
        When the study weighs harm, and the model knows no adverse event or no treatments to order.
    """
    target = bundle.model.target
    lacking = not bundle.names_adverse_event or target.treatment is None or target.kind == "multiclass"
    if lacking and of_study is not None:
        raise StudyError(
            "A weight of harm was given, but this model has no adverse event beside a benefit of several treatments, "
            "so nothing can be weighed. Leave harm_weight out, or train with target.adverse_event."
        )
    if lacking or (own is None and of_study is None):
        return predictions
    weighed = _with_weights(predictions, own, of_study)
    told = bool(bundle.gate["individual_recommendations"]) and pl.col("_comparable")
    benefit = pl.when(told).then(direction(target) * pl.col("expected"))
    net = benefit - pl.col(HARM_WEIGHT) * pl.col("p_adverse")
    return (
        weighed.join(_comparable(effects), on=["patient_id", "treatment"], how="left", maintain_order="left")
        .with_columns(pl.col("_comparable").fill_null(False))
        .with_columns(net_benefit=net)
        .with_columns(
            # both orders are of the same treatments: those of which both figures are known
            benefit_place=_place(pl.when(pl.col("net_benefit").is_not_null()).then(benefit)),
            net_benefit_place=_place(pl.col("net_benefit")),
        )
        .drop("_comparable")
    )


def _with_weights(predictions: pl.DataFrame, own: pl.DataFrame | None, of_study: float | None) -> pl.DataFrame:
    if own is None:
        own = pl.DataFrame(schema={"patient_id": pl.String, HARM_WEIGHT: pl.Float64})
    joined = predictions.join(own, on="patient_id", how="left", maintain_order="left", validate="m:1")
    theirs, ours = pl.col(HARM_WEIGHT), pl.lit(of_study, pl.Float64)
    source = pl.when(theirs.is_not_null()).then(pl.lit(OF_PATIENT)).when(ours.is_not_null()).then(pl.lit(OF_STUDY))
    return joined.with_columns(harm_weight_source=source).with_columns(pl.coalesce(theirs, ours).alias(HARM_WEIGHT))


def _comparable(effects: pl.DataFrame) -> pl.DataFrame:
    """Person and treatment of every comparison that has a number: the others lie outside overlap."""
    sides = [
        effects.filter(pl.col("effect").is_not_null()).select("patient_id", treatment=side)
        for side in ("treatment_a", "treatment_b")
    ]
    return pl.concat(sides).unique().with_columns(_comparable=pl.lit(True))


def _place(value: pl.Expr) -> pl.Expr:
    """Place among one person's treatments, 1 the largest; equal ones share the better place."""
    return value.rank("min", descending=True).over("patient_id").cast(pl.Int64)
