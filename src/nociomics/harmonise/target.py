"""What is to be predicted, per person: baseline, outcome, change, response; nobody is filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from nociomics.errors import StudyError, TableError, did_you_mean

if TYPE_CHECKING:
    from nociomics.tables.study import ResponseRule, Target

_TOLERANCE = 1e-9  # 8 - 5.6 must count as a fall of 30 % of 8, whatever binary fractions say
_COLUMNS = [
    "patient_id",
    "treatment",
    "assignment",
    "baseline",
    "outcome",
    "label",
    "response_value",
    "responded",
    "adverse_event",
    "group",
]


def responded(rule: ResponseRule | None) -> pl.Expr:
    """0 or 1 by the response rule, null where a value it needs is missing or there is no rule.

    A fall in percent has no meaning from a baseline of 0 or less: null.
    """
    baseline, outcome = pl.col("baseline"), pl.col("outcome")
    fall = baseline - outcome + _TOLERANCE
    if rule is None:
        return pl.lit(None, dtype=pl.Float64)
    if rule.at_most is not None:
        return (outcome <= rule.at_most + _TOLERANCE).cast(pl.Float64)
    if rule.fall_points is not None:
        return (fall >= rule.fall_points).cast(pl.Float64)
    share = (rule.fall_percent or 0.0) / 100
    return pl.when(baseline > 0).then((fall >= share * baseline).cast(pl.Float64))


def _check_rule(target: Target) -> None:
    rule = target.response
    if rule is None:
        return
    given = [name for name in ("fall_percent", "fall_points", "at_most") if getattr(rule, name) is not None]
    if len(given) != 1:
        raise StudyError(f"target.response has {len(given)} rules ({', '.join(given)}): give exactly one.")
    if target.kind == "continuous" and given != ["at_most"]:
        raise StudyError(
            f"target.response.{given[0]} needs a baseline: use kind: change, or response: {{at_most: ...}}."
        )


def _number(frame: pl.DataFrame, column: str, where: str) -> pl.Expr:
    """Read a column as numbers; text that is no number is refused with its count."""
    if not frame[column].dtype.is_numeric() and frame[column].dtype not in (pl.Boolean, pl.Null):
        read = frame[column].cast(pl.String).cast(pl.Float64, strict=False)
        bad = int((read.is_null() & frame[column].is_not_null()).sum())
        if bad:
            raise TableError(
                f'{where}, column "{column}": {bad} rows are not numbers. Correct them, name their '
                "token in missing:, or use kind: multiclass for classes."
            )
    return (
        pl.col(column).cast(pl.String).cast(pl.Float64)
        if frame[column].dtype == pl.String
        else pl.col(column).cast(pl.Float64)
    )


def _zero_one(frame: pl.DataFrame, column: str, where: str) -> pl.Expr:
    number = _number(frame, column, where)
    odd = int(frame.select((~number.is_in([0.0, 1.0])).sum()).item() or 0)
    if odd:
        raise TableError(f'{where}, column "{column}": {odd} rows are neither 0 nor 1. Allowed: 0, 1, empty.')
    return number


def _known(frame: pl.DataFrame | None, column: str, setting: str, table: str) -> pl.DataFrame:
    if frame is None:
        raise StudyError(f'{setting} names the column "{column}", but the study has no table {table}.')
    if column not in frame.columns:
        names = [name for name in frame.columns if name != "patient_id"]
        raise StudyError(
            f'{setting} = "{column}": there is no such column in {table}.{did_you_mean(column, names)} '
            f"Known: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}."
        )
    return frame


def _baselines(features: pl.DataFrame, patients: pl.DataFrame, target: Target) -> pl.DataFrame | None:
    if target.kind != "change":
        return None
    if target.baseline is None:
        raise StudyError("target.baseline is missing: kind: change needs the score or column at baseline.")
    in_patients = target.baseline not in features.columns and target.baseline in patients.columns
    frame = patients if in_patients else _known(features, target.baseline, "target.baseline", "features and patients")
    where = "patients" if in_patients else "features"
    return frame.select("patient_id", baseline=_number(frame, target.baseline, where))


def _outcomes(outcomes: pl.DataFrame | None, target: Target) -> pl.DataFrame | None:
    """Outcome, label and adverse event of everyone who has a row; None when there is no table."""
    if outcomes is None:
        return None
    frame, name = _known(outcomes, target.outcome, "target.outcome", "outcomes"), target.outcome
    event = pl.lit(None, dtype=pl.Float64)
    if target.adverse_event is not None:
        _known(outcomes, target.adverse_event, "target.adverse_event", "outcomes")
        event = _zero_one(frame, target.adverse_event, "outcomes")
    if target.kind == "multiclass":
        value, label = _class_index(frame[name]), pl.col(name).cast(pl.String)
    else:
        value = (_zero_one if target.kind == "binary" else _number)(frame, name, "outcomes")
        # the two classes of a binary outcome are named 0 and 1; points and units have no class
        label = value.cast(pl.Int64).cast(pl.String) if target.kind == "binary" else pl.lit(None, dtype=pl.String)
    return frame.select("patient_id", outcome=value, label=label, adverse_event=event)


def _class_index(labels: pl.Series) -> pl.Expr:
    """Place of each class in sorted order (numbers as numbers)."""
    classes = labels.drop_nulls().unique().sort().cast(pl.String).to_list()
    index = {name: float(place) for place, name in enumerate(classes)}
    return pl.col(labels.name).cast(pl.String).replace_strict(index, default=None, return_dtype=pl.Float64)


def _received(treatments: pl.DataFrame | None, target: Target) -> pl.DataFrame | None:
    if target.treatment is None:
        return None
    frame = _known(treatments, target.treatment, "target.treatment", "treatments")
    assignment = pl.col("assignment") if "assignment" in frame.columns else pl.lit(None, dtype=pl.String)
    return frame.select("patient_id", treatment=pl.col(target.treatment).cast(pl.String), assignment=assignment)


def _groups(patients: pl.DataFrame, target: Target) -> pl.DataFrame | None:
    if target.groups is None:
        return None
    frame = _known(patients, target.groups, "target.groups", "patients")
    return frame.select("patient_id", group=pl.col(target.groups).cast(pl.String))


def build_target(
    features: pl.DataFrame,
    patients: pl.DataFrame,
    treatments: pl.DataFrame | None,
    outcomes: pl.DataFrame | None,
    target: Target,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bring together what is modelled, for everyone of the study.

    Parameters
    ----------
    features, patients, treatments, outcomes : DataFrame, one row per person
        As in their contracts; a study without treatments or (for new patients) outcomes gives None.
    target : Target
        Of the study file.

    Returns
    -------
    rows : DataFrame, one row per person of ``patients``, in its order
        As in `tables.harmonised.TARGET_ROWS`. ``response_value`` is baseline minus outcome for a
        change (a fall is positive), else the outcome; null unless every value it needs is there.
    flow : DataFrame, one row per step
        As in `tables.harmonised.COHORT_FLOW`: from everyone to those who can be analysed.

    Raises
    ------
    StudyError
        A column that the target names is not there, or the rule does not fit the kind.
    TableError
        Values that are not numbers, or not 0 and 1 where they must be.
    """
    _check_rule(target)
    rows = patients.select("patient_id")
    parts = (
        _received(treatments, target),
        _baselines(features, patients, target),
        _outcomes(outcomes, target),
        _groups(patients, target),
    )
    for part in parts:
        if part is not None:
            rows = rows.join(part, on="patient_id", how="left", maintain_order="left")
    rows = _complete(rows)
    change = target.kind == "change"
    value = pl.col("baseline") - pl.col("outcome") if change else pl.col("outcome")
    response = pl.col("outcome") if target.kind == "binary" else responded(target.response)
    rows = rows.with_columns(response_value=value, responded=response).select(_COLUMNS)
    return rows, _flow(rows, target)


def _complete(rows: pl.DataFrame) -> pl.DataFrame:
    numbers = {"baseline", "outcome", "adverse_event", "response_value", "responded"}
    absent = [name for name in _COLUMNS if name not in rows.columns]
    return rows.with_columns(
        pl.lit(None, dtype=pl.Float64 if name in numbers else pl.String).alias(name) for name in absent
    )


def _flow(rows: pl.DataFrame, target: Target) -> pl.DataFrame:
    """Count who remains after each step; a step that the study does not need leaves nobody out."""
    steps = [
        ("with treatment", "treatment", target.treatment is not None, "no treatment is recorded"),
        ("with baseline", "baseline", target.kind == "change", f"{target.baseline} is not measured at baseline"),
        ("with outcome", "outcome", True, f"{target.outcome} is not observed"),
    ]
    kept, table = rows, [{"step": "people", "people": rows.height, "left_out": 0, "reason": "everyone of the study"}]
    for step, column, needed, reason in steps:
        left = kept.drop_nulls(column) if needed else kept
        why = reason if needed else "not needed by this study"
        table.append({"step": step, "people": left.height, "left_out": kept.height - left.height, "reason": why})
        kept = left
    last = {"step": "analysable", "people": kept.height, "left_out": rows.height - kept.height}
    table.append({**last, "reason": "sum of the steps above"})
    schema = {"step": pl.String, "people": pl.Int64, "left_out": pl.Int64, "reason": pl.String}
    return pl.DataFrame(table, schema=schema)
