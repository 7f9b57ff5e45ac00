"""Predictions and effects for people, from a loaded bundle: one code for the study, new cohorts and services."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy.special import expit, logit
from scipy.stats import norm

from nociomics.evaluate.panel import direction
from nociomics.export.cautions import cautions, outside_overlap, overlap_reason
from nociomics.export.gate import NO_LIMITS, OK, Admitted, Deadline, Limits
from nociomics.models.response import Predicted
from nociomics.tables.part import WHOLE, Part

if TYPE_CHECKING:
    from nociomics.export.input_values import Rows

ABSTENTION_LEVEL = 0.8
NOT_SURE = "not enough information to prefer one of the two best treatments"


_AT_A_TIME = 2_000
_FEW_ROWS = 64
_KEYS = ("patient_id", "treatment", "treatment_a", "treatment_b")


def predict_people(
    bundle: Any, features: Rows, baseline: np.ndarray, own: Part = WHOLE
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Predict people under every treatment, and every difference between two treatments.

    Parameters
    ----------
    bundle : Bundle
        As loaded by `nociomics.export.bundle.load_bundle`.
    features : DataFrame, one row per person
        As in `FEATURES`; any table that `gate.Gate.admit` takes.
    baseline : ndarray of shape (n_people,)
        Baseline of the outcome in points; NaN where unknown.
    own : Part
        Which of the people to predict; the gate looks at everybody, since a column in another unit is seen by many.
        `gather_predictions` puts parts together.

    Returns
    -------
    predictions, effects : DataFrame
        As in `tables.results.PREDICTIONS` and `EFFECTS`. A person whose values lie outside what the
        bundle allows gets nulls and a status that names the feature. ``caution`` of predictions says what else
        speaks against leaning on them (null: nothing); ``p_adverse`` is there when the study names an adverse event
        (null: too few to model). While the gate is closed, ``p_better`` is null: it would be a choice for one person.

    Raises
    ------
    TableError
        When the table as a whole cannot be taken, such as a person with more than one row.
    """
    return predict_admitted(bundle, bundle.input_gate.admit(features), baseline, own=own)


def predict_admitted(
    bundle: Any,
    admitted: Admitted,
    baseline: np.ndarray | None = None,
    limits: Limits = NO_LIMITS,
    own: Part = WHOLE,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Predict whom the gate let through, as `predict_people` does; many in blocks, so that it can be stopped.

    Without ``baseline`` it is the one among the inputs.
    """
    deadline, people = Deadline(limits), len(admitted.status)
    if baseline is None:
        baseline = admitted.number(bundle.model.target.baseline)
    blocks = own.take(range(0, max(people, 1), _AT_A_TIME))
    starts = blocks or [people]  # nobody is left for this part: tables without rows

    parts = [(admitted.part(rows), baseline[rows]) for rows in (slice(one, one + _AT_A_TIME) for one in starts)]

    def block(part: tuple[Admitted, np.ndarray]) -> tuple[pl.DataFrame, pl.DataFrame]:
        deadline.check()
        return _predicted_part(bundle, *part)

    if limits.threads == 1 or len(starts) == 1:
        found = [block(part) for part in parts]
    else:
        with ThreadPoolExecutor(min(limits.threads, len(starts))) as threads:
            found = list(threads.map(block, parts))
    if own is WHOLE:
        admitted.take_places([part for part, _ in parts])
    deadline.check()
    return gather_predictions(found)


def gather_predictions(parts: Sequence[tuple[pl.DataFrame, pl.DataFrame]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Put predictions and effects of some people each together; one person's rows stand in one part, in their order."""
    if len(parts) == 1:
        return parts[0]
    predictions, effects = (
        pl.concat([frame for frame in frames if frame.height] or frames[:1]) for frames in zip(*parts, strict=True)
    )
    return tuple(frame.sort("patient_id", maintain_order=True) for frame in (predictions, effects))  # type: ignore[return-value]


def _predicted_part(bundle: Any, answered: Admitted, baseline: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    patients, status = answered.patients, answered.status
    fine = np.array([one == OK for one in status], dtype=bool)
    # a value that no model can take would stop everybody's prediction, not only that person's
    predicted = bundle.compiled.predict(answered, np.where(fine, baseline, np.nan))
    doubts = cautions(bundle, answered)
    predictions = _laid_out(patients, predicted)
    predictions = _with_interval(predictions, predicted, bundle.interval)
    predictions = _with_harm(predictions, predicted.arms, bundle, answered)
    predictions = _with_cautions(predictions, patients, doubts)
    predictions = _silenced(predictions, patients, status)
    away = outside_overlap(bundle, answered)
    reasons = [[*found, *([overlap_reason(arms)] if arms else [])] for found, arms in zip(doubts, away, strict=True)]
    sign = direction(bundle.model.target)
    effects = _effects(patients, predicted, bundle.gate, bundle.interval["level"], sign, reasons)
    effects = _without_comparisons(effects, patients, away)
    return predictions, _silenced(effects, patients, status)


def _laid_out(patients: pl.Series, predicted: Predicted) -> pl.DataFrame:
    """One row per treatment and person, as `models.response.predicted_frame` has them, made at once."""
    arms, people = len(predicted.arms), len(patients)
    response = np.full((people, arms), np.nan) if predicted.p_response is None else predicted.p_response
    columns: dict[str, Any] = {
        "patient_id": pl.Series(patients.to_list() * arms, dtype=pl.String),
        "treatment": pl.Series([arm for arm in predicted.arms for _ in range(people)], dtype=pl.String),
        "expected": predicted.expected.T.reshape(-1),
        "p_response": response.T.reshape(-1),
    }
    if predicted.p_class is not None:
        for place, name in enumerate(predicted.classes):
            columns[f"p_{name}"] = predicted.p_class[:, :, place].T.reshape(-1)
    return pl.DataFrame(columns, nan_to_null=True)


def _without_comparisons(effects: pl.DataFrame, patients: pl.Series, away: list[list[str]]) -> pl.DataFrame:
    """Take the numbers from every comparison with a treatment that hardly anyone like this person got."""
    pairs = [(patient, arm) for patient, arms in zip(patients, away, strict=True) for arm in arms]
    if not pairs:
        return effects
    known = {"patient_id": pl.String, "treatment": pl.String}
    outside = pl.DataFrame(pairs, schema=known, orient="row").to_struct("pair").implode()
    either = pl.any_horizontal(
        pl.struct("patient_id", pl.col(side).alias("treatment")).is_in(outside)
        for side in ("treatment_a", "treatment_b")
    )
    numbers = ("effect", "lower", "upper", "p_better")
    return effects.with_columns(pl.when(~either).then(pl.col(name)).alias(name) for name in numbers)


# columns are put beside a table by hstack: every query, however small, costs a single person a good part of the time


def _with_harm(frame: pl.DataFrame, arms: Sequence[str | None], bundle: Any, people: Admitted) -> pl.DataFrame:
    """Add the chance of the adverse event beside benefit; null where it could not be modelled."""
    if not bundle.names_adverse_event:
        return frame
    harm = bundle.compiled.harm(people)
    unknown = np.full(len(people.status), np.nan)
    if harm is None or harm.p_response is None:
        chances = [unknown for _ in arms]
    else:
        of_arm = dict(zip(harm.arms, harm.p_response.T, strict=True))
        chances = [of_arm.get(arm, unknown) for arm in arms]
    return frame.hstack([pl.Series("p_adverse", np.concatenate(chances), nan_to_null=True)])


def _with_cautions(frame: pl.DataFrame, patients: pl.Series, doubts: list[list[str]]) -> pl.DataFrame:
    words = pl.Series("caution", ["; ".join(found) or None for found in doubts], dtype=pl.String)
    if words.null_count() == len(words):
        return frame.hstack([pl.Series("caution", [None] * frame.height, dtype=pl.String)])
    told = pl.DataFrame([patients.alias("patient_id"), words])
    return frame.join(told, on="patient_id", how="left", maintain_order="left")


def _with_interval(frame: pl.DataFrame, predicted: Predicted, interval: dict[str, Any]) -> pl.DataFrame:
    """Add lower and upper: conformal for points, spread over refits for a probability, null for classes."""
    if predicted.p_class is not None:
        bounds = [pl.lit(None, pl.Float64).alias(name) for name in ("lower", "upper")]
        return frame.with_columns(bounds)
    if interval["half_width"] is not None:
        own = interval.get("by_treatment") or {}
        half = np.array([own.get(arm, interval["half_width"]) for arm in predicted.arms], dtype=np.float64)
        return _between(frame, predicted.expected - half, predicted.expected + half)
    odds = logit(np.clip(predicted.refit_expected, 1e-9, 1 - 1e-9))
    reach = norm.ppf(0.5 + interval["level"] / 2) * odds.std(axis=0, ddof=1)
    centre = logit(np.clip(predicted.expected, 1e-9, 1 - 1e-9))
    return _between(frame, expit(centre - reach), expit(centre + reach))


def _between(frame: pl.DataFrame, lower: np.ndarray, upper: np.ndarray) -> pl.DataFrame:
    ends = {"lower": lower, "upper": upper}
    return frame.hstack([pl.Series(name, end.T.reshape(-1), nan_to_null=True) for name, end in ends.items()])


def _effects(
    patients: pl.Series, predicted: Predicted, gate: dict[str, Any], level: float, sign: int, reasons: list[list[str]]
) -> pl.DataFrame:
    schema = {
        "patient_id": pl.String,
        "treatment_a": pl.String,
        "treatment_b": pl.String,
        "effect": pl.Float64,
        "lower": pl.Float64,
        "upper": pl.Float64,
        "p_better": pl.Float64,
        "recommended": pl.String,
        "status": pl.String,
    }
    if len(predicted.arms) < 2 or predicted.p_class is not None:
        return pl.DataFrame(schema=schema)
    recommended, status = _recommended(predicted, gate, sign, reasons)
    reach, open_gate = norm.ppf(0.5 + level / 2), gate["individual_recommendations"]
    pairs, people = list(combinations(range(len(predicted.arms)), 2)), len(patients)
    first, second = np.array(pairs).T
    # all pairs in one table: a table of its own for each is most of the time of a single person
    effect = (predicted.expected[:, first] - predicted.expected[:, second]).T.reshape(-1)
    refits = predicted.refit_expected[:, :, first] - predicted.refit_expected[:, :, second]
    spread = refits.std(axis=0, ddof=1).T.reshape(-1)
    return pl.DataFrame(
        {
            "patient_id": patients.to_list() * len(pairs),
            "treatment_a": [predicted.arms[a] for a, _ in pairs for _ in range(people)],
            "treatment_b": [predicted.arms[b] for _, b in pairs for _ in range(people)],
            "effect": effect,
            "lower": effect - reach * spread,
            "upper": effect + reach * spread,
            "p_better": norm.cdf(sign * effect / np.maximum(spread, 1e-12)) if open_gate else None,
            "recommended": recommended * len(pairs),
            "status": status * len(pairs),
        },
        schema=schema,
    )


def _recommended(
    predicted: Predicted, gate: dict[str, Any], sign: int, reasons: list[list[str]]
) -> tuple[list[str | None], list[str]]:
    """One treatment per person, or null and every reason why: everybody's best one while the gate is closed.

    ``sign`` is -1 where a smaller outcome is better.
    """
    people = len(predicted.expected)
    if not gate["individual_recommendations"]:
        return [gate["best_fixed"]] * people, [OK] * people
    order = np.argsort(-sign * predicted.expected, axis=1, kind="stable")
    half = norm.ppf(0.5 + ABSTENTION_LEVEL / 2)
    chosen: list[str | None] = []
    status = []
    for person in range(people):
        best, second = int(order[person, 0]), int(order[person, 1])
        difference = predicted.refit_expected[:, person, best] - predicted.refit_expected[:, person, second]
        gap = abs(predicted.expected[person, best] - predicted.expected[person, second])
        sure = gap > half * difference.std(ddof=1)
        why = [*reasons[person], *([] if sure else [NOT_SURE])]
        chosen.append(None if why else predicted.arms[best])
        status.append(f"abstained: {'; '.join(why)}" if why else OK)
    return chosen, status


def _silenced(frame: pl.DataFrame, patients: pl.Series, status: list[str]) -> pl.DataFrame:
    """Put each person's status on the rows and take the numbers away where it is not ok."""
    if all(one == OK for one in status):
        told = [] if "status" in frame.columns else [pl.Series("status", [OK] * frame.height, dtype=pl.String)]
        answered = frame.hstack(told)
    else:
        before = pl.col("status") if "status" in frame.columns else pl.lit(OK)
        own = pl.DataFrame({"patient_id": patients, "_own": pl.Series(status, dtype=pl.String)})
        joined = frame.join(own, on="patient_id", how="left", maintain_order="left")
        fine = pl.col("_own") == OK
        keys = {"patient_id", "treatment", "treatment_a", "treatment_b", "status", "_own"}
        silenced = [pl.when(fine).then(pl.col(name)).alias(name) for name in frame.columns if name not in keys]
        answered = joined.with_columns(*silenced, status=pl.when(fine).then(before).otherwise(pl.col("_own")))
    first = [
        name
        for name in ("patient_id", "treatment", "expected", "lower", "upper", "p_response")
        if name in frame.columns
    ]
    last = [name for name in ("p_adverse", "status", "caution") if name in answered.columns]
    rest = [name for name in answered.columns if name not in {*first, *last, "_own"}]
    order = [*first, *rest, *last] if "treatment" in frame.columns else [*frame.columns]
    return _sorted(answered[order], [name for name in _KEYS if name in order])


def _sorted(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Sort by texts, null first; few rows without a query, which costs more than all of them."""
    if frame.height > _FEW_ROWS:
        return frame.sort(keys)
    told = list(zip(*(frame[key].to_list() for key in keys), strict=True))
    return frame[sorted(range(frame.height), key=lambda row: [(one is not None, one or "") for one in told[row]])]
