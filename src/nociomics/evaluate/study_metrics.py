"""The evaluation of one study: every metric with its interval, the gate, the curves and the subgroups."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from nociomics.evaluate import calibration
from nociomics.evaluate.abstention import choice_curve, prediction_curve, sureness_metrics
from nociomics.evaluate.adverse import adverse_metrics
from nociomics.evaluate.bootstrap import RESAMPLES
from nociomics.evaluate.comparators import comparator_metrics
from nociomics.evaluate.confounding import (
    BatchTest,
    batch_sentences,
    batch_tests,
    chance_within,
    confounded_cells,
)
from nociomics.evaluate.dropout import chance_of_rows, dropout_metrics
from nociomics.evaluate.estimate import Estimate, estimate, not_computed
from nociomics.evaluate.gate import build_gate, explanation_verdict
from nociomics.evaluate.metric_sets import (
    Sampling,
    by_resampling,
    class_metrics,
    coverage_metrics,
    event_metrics,
    headline_statistic,
    too_few,
    value_metrics,
    within_words,
)
from nociomics.evaluate.net_benefit import net_benefit
from nociomics.evaluate.overlap import overlap_metrics, overlap_report
from nociomics.evaluate.panel import Panel, Scores, build_panel, panel_scores
from nociomics.evaluate.policy_metrics import PolicyResult, evaluate_policies
from nociomics.evaluate.received import (
    CELL,
    Rows,
    check_folds,
    class_columns,
    class_rows,
    event_rows,
    received_rows,
    value_rows,
)
from nociomics.evaluate.size import minimum_size_binary, minimum_size_continuous
from nociomics.evaluate.subgroups import subgroup_table, with_coverage
from nociomics.tables.study import Target

_LOG = logging.getLogger(__name__)
_THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.01), 2)
_POLICY_METRICS = ("policy_value", "policy_gain")
_FEWEST_EVENTS_PER_FEATURE = 10


@dataclass(frozen=True)
class Evaluation:
    """What a run says about its own predictions; all of it JSON without NaN.

    Parameters
    ----------
    metrics : dict of str to dict
        Per metric ``value, lower, upper, n, method``.
    gate : dict
        See `gate.build_gate`; also ``headline`` (name of the metric), ``exploratory`` (bool or null), ``confounded``
        (whether a batch goes with the outcome) and ``batches`` (the tests behind it).
    curves : dict
        ``calibration`` {predicted, observed}, ``net_benefit`` {thresholds, model, treat_all, treat_none},
        ``policies`` [{policy, treatment, value, lower, upper, n}], ``abstention`` {choice, prediction}, each by share
        of people answered; a part that does not apply is left out.
    subgroups : list of dict
        ``trait, level, metric, n, value, lower, upper, note, accepted``; no figure and no n of a small group.
    """

    metrics: dict[str, dict[str, Any]]
    gate: dict[str, Any]
    curves: dict[str, Any]
    subgroups: list[dict[str, Any]]


def evaluate_study(
    out_of_fold: pl.DataFrame,
    target_rows: pl.DataFrame,
    target: Target,
    comparators: dict[str, pl.DataFrame] | None = None,
    splits: pl.DataFrame | None = None,
    seed: int = 1,
    catalogue: pl.DataFrame | None = None,
    *,
    propensity: pl.DataFrame | None = None,
    traits: pl.DataFrame | None = None,
    adverse: pl.DataFrame | None = None,
    observation: pl.DataFrame | None = None,
    covariates: pl.DataFrame | None = None,
    batches: pl.DataFrame | None = None,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Evaluate out-of-fold predictions.

    Every person counts with the prediction for the treatment received, from a model that did not see them.

    Parameters
    ----------
    out_of_fold : DataFrame, one row per person, repeat and treatment
        As in `tables.results.OUT_OF_FOLD`.
    target_rows : DataFrame, one row per person
        As in `tables.harmonised.TARGET_ROWS`.
    target : Target
        What is predicted.
    comparators : dict of str to DataFrame, optional
        Simpler models on the same folds, as `out_of_fold`: treatment_only, without_treatment, clinical_only.
    splits : DataFrame, optional
        When given, predictions from other folds are refused.
    seed : int
        Of every resample.
    catalogue : DataFrame, optional
        As in `tables.harmonised.FEATURE_CATALOGUE`; its rows are the candidate features for the minimum size.
    propensity : DataFrame, optional, one row per person and treatment (and repeat)
        ``patient_id, treatment, propensity``, cross-fitted; needed to compare treatments in an observational study.
    traits : DataFrame, optional, one row per person
        ``patient_id`` and text columns, such as sex, by which subgroups are shown beside site and treatment.
    adverse : DataFrame, optional
        As `out_of_fold`, of the adverse event that the study names.
    observation : DataFrame, optional
        As in `tables.results.OBSERVATION`: for the sensitivity of the headline to missing outcomes.
    covariates : DataFrame, optional, one row per person
        ``patient_id`` and numbers measured before treatment, on which the balance of an observational study is judged.
    batches : DataFrame, optional
        From `confounding.batch_labels`. Where they go with the outcome, the headline is counted within them.
    resamples : int
        Bootstrap resamples.

    Returns
    -------
    Evaluation

    Raises
    ------
    TableError
        When predictions lie in other folds than `splits`, or a class has no column of probabilities.
    """
    sampling = Sampling(resamples, seed)
    if splits is not None:
        for name, frame in {"out_of_fold": out_of_fold, **(comparators or {})}.items():
            check_folds(frame, splits, name)
    tests = [] if batches is None else batch_tests(batches, target_rows, target, target.groups, seed)
    cells = None if batches is None else confounded_cells(batches, target_rows, tests)
    received = _with_cells(received_rows(out_of_fold, target_rows, target), cells)
    if target.kind in ("change", "continuous"):
        received = with_coverage(received)
    headline = headline_metric(received, target)
    metrics = _metrics(received, out_of_fold, target, sampling)
    others = {name: received_rows(frame, target_rows, target) for name, frame in (comparators or {}).items()}
    metrics |= comparator_metrics(headline, received, _all_with_cells(others, cells), sampling)
    if observation is not None:
        metrics |= _dropout(headline, received, out_of_fold, observation, sampling)
    if cells is not None:
        metrics |= _across_batches(headline, received, out_of_fold, sampling)
    panel, scores, policies = _policies(out_of_fold, target_rows, target, propensity)
    metrics |= _policy_metrics(panel, policies, target_rows, target)
    overlap = None
    if panel is not None and not panel.randomised and propensity is not None and covariates is not None:
        overlap = overlap_report(panel, scores, policies, propensity, covariates, binary=target.kind == "binary")
        metrics |= overlap_metrics(overlap)
    metrics |= _sureness(received, target, sampling)
    if adverse is not None:
        metrics |= adverse_metrics(adverse, target_rows, target, sampling)
    counts, exploratory = _size_metrics(received, target, headline, catalogue)
    verdict = explanation_verdict(headline, metrics[headline], _chance(headline, received, out_of_fold))
    arms = target_rows["treatment"].drop_nulls().n_unique()
    gate = build_gate(verdict, arms, panel, scores, policies, seed, ordered=target.kind != "multiclass")
    gate["reasons"] += batch_sentences(tests, headline)
    _LOG.info("evaluated %d people of %d, %d metrics", counts["n"].n, target_rows.height, len(metrics) + len(counts))
    return Evaluation(
        metrics={name: one.as_dict() for name, one in {**counts, **metrics}.items()},
        gate={**gate, "headline": headline, "exploratory": exploratory, **_confounded(tests)},
        curves=_curves(received, target, policies)
        | ({} if overlap is None else {"overlap": overlap})
        | _abstention_curves(received, target, panel, scores, sampling),
        subgroups=_subgroups(received, target, traits, sampling),
    )


def _with_cells(received: pl.DataFrame, cells: pl.DataFrame | None) -> pl.DataFrame:
    """Add the batch within which the headline is counted, where batches go with the outcome."""
    if cells is None:
        return received
    return received.join(cells, on="patient_id", how="left", maintain_order="left")


def _all_with_cells(others: dict[str, pl.DataFrame], cells: pl.DataFrame | None) -> dict[str, pl.DataFrame]:
    return {name: _with_cells(frame, cells) for name, frame in others.items()}


def _confounded(tests: list[BatchTest]) -> dict[str, Any]:
    return {"confounded": any(test.confounded for test in tests), "batches": [test.as_dict() for test in tests]}


def _headline_rows(headline: str, received: pl.DataFrame, out_of_fold: pl.DataFrame) -> tuple[Rows, pl.DataFrame]:
    """Rows behind the headline, and the rows of `received` that they are, in the same order."""
    if headline == "accuracy":
        columns = class_columns(out_of_fold)
        return class_rows(received, columns), received.drop_nulls(["label", *columns])
    observed, predicted = ("event", "p_response") if headline == "auroc" else ("observed", "expected")
    rows = event_rows(received) if headline == "auroc" else value_rows(received)
    return rows, received.drop_nulls([observed, predicted])


def _dropout(
    headline: str,
    received: pl.DataFrame,
    out_of_fold: pl.DataFrame,
    observation: pl.DataFrame | None,
    sampling: Sampling,
) -> dict[str, Estimate]:
    rows, kept = _headline_rows(headline, received, out_of_fold)
    everybody = received["patient_id"].n_unique()
    lacking = everybody - kept["patient_id"].n_unique()
    return dropout_metrics(headline, rows, chance_of_rows(observation, kept), lacking, everybody, sampling)


def _across_batches(
    headline: str, received: pl.DataFrame, out_of_fold: pl.DataFrame, sampling: Sampling
) -> dict[str, Estimate]:
    """Return the headline as it would look without regard to batches: what a study that overlooks them reports."""
    rows, _ = _headline_rows(headline, received.drop(CELL), out_of_fold)
    words = f"{within_words(rows)}, all batches together: may come from telling batches apart"
    statistic = headline_statistic(headline, rows, rows.predicted)
    return {f"{headline}_across_batches": by_resampling(rows, statistic, words, "undefined", sampling)}


def headline_metric(received: pl.DataFrame, target: Target) -> str:
    """Return the metric that the first line of a report is about.

    Accuracy for classes; AUROC when there are events and probabilities; else the rank correlation.
    """
    if target.kind == "multiclass":
        return "accuracy"
    if target.kind == "binary" or event_rows(received).n:
        return "auroc"
    return "spearman"


def _metrics(
    received: pl.DataFrame, out_of_fold: pl.DataFrame, target: Target, sampling: Sampling
) -> dict[str, Estimate]:
    if target.kind == "multiclass":
        return class_metrics(class_rows(received, class_columns(out_of_fold)), sampling)
    found: dict[str, Estimate] = {}
    if target.kind != "binary":
        found |= value_metrics(value_rows(received), sampling) | _coverage(received, sampling)
    if target.kind == "binary" or target.response is not None:
        found |= event_metrics(event_rows(received), sampling)
    return found


def _coverage(received: pl.DataFrame, sampling: Sampling) -> dict[str, Estimate]:
    kept = received.drop_nulls("covered")
    people = np.unique(kept["patient_id"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    columns = [kept[name].cast(pl.Float64).to_numpy() for name in ("covered", "half_width", "marginal_half_width")]
    return coverage_metrics(columns[0], columns[1], columns[2], people, sampling)


def _policies(
    out_of_fold: pl.DataFrame, target_rows: pl.DataFrame, target: Target, propensity: pl.DataFrame | None
) -> tuple[Panel | None, Scores | None, PolicyResult | None]:
    if target.kind == "multiclass":
        return None, None, None
    panel = build_panel(out_of_fold, target_rows, target)
    scores = panel_scores(panel, propensity) if panel else None
    return panel, scores, evaluate_policies(panel, scores) if panel and scores else None


def _policy_metrics(
    panel: Panel | None, policies: PolicyResult | None, target_rows: pl.DataFrame, target: Target
) -> dict[str, Estimate]:
    """Return nothing in a study without treatments, and the reason where they cannot be compared."""
    if policies is not None:
        return policies.metrics
    if target.kind == "multiclass" or target_rows["treatment"].drop_nulls().n_unique() < 2:
        return {}
    reason = "fewer than two treatments have enough outcomes and predictions"
    if panel is not None:
        reason = "treatments were not randomised and no propensities within overlap were handed in"
    return {name: not_computed(reason, panel.n if panel else 0) for name in _POLICY_METRICS}


def _chance(headline: str, received: pl.DataFrame, out_of_fold: pl.DataFrame) -> float:
    if headline != "accuracy":
        return {"auroc": 0.5, "spearman": 0.0}[headline]
    rows = class_rows(received, class_columns(out_of_fold))
    if rows.cell is not None:
        return chance_within(np.asarray(rows.y, dtype=np.int64), rows.cell)
    counts = np.bincount(np.asarray(rows.y, dtype=np.int64))
    return float(counts.max() / counts.sum()) if rows.n else 1.0


def _size_metrics(
    received: pl.DataFrame, target: Target, headline: str, catalogue: pl.DataFrame | None
) -> tuple[dict[str, Estimate], bool | None]:
    """Return counts of people and events, the minimum size, and whether events per feature are below 10."""
    column = {"auroc": "event", "accuracy": "label", "spearman": "observed"}[headline]
    people = received.unique("patient_id")
    n = people[column].count()
    found = {"n": estimate(n, n, "people with an outcome and an out-of-fold prediction")}
    informative = n
    if target.kind == "binary" or target.response is not None:
        events = int(people["event"].sum())
        found["n_events"] = estimate(events, people["event"].count(), "people with the event")
        informative = min(events, n - events) if headline == "auroc" else n
    if catalogue is None or catalogue.height == 0 or target.kind == "multiclass":
        return found, None
    features = catalogue.height
    found["events_per_feature"] = estimate(
        informative / features, n, "people of the rarer class (or all, without events) per candidate feature"
    )
    found["minimum_n"] = _minimum_size(features, informative, n, headline)
    return found, bool(informative < _FEWEST_EVENTS_PER_FEATURE * features)


def _minimum_size(features: int, informative: int, n: int, headline: str) -> Estimate:
    words = f"Riley's criteria, {features} candidate features, 15 % of the variation explained; n: people there are"
    if headline != "auroc":
        return estimate(minimum_size_continuous(features).people, n, words)
    if informative == 0:
        return not_computed("there are no events, or nothing but events", n)
    return estimate(minimum_size_binary(features, informative / n).people, n, words)


def _curves(received: pl.DataFrame, target: Target, policies: PolicyResult | None) -> dict[str, Any]:
    curves: dict[str, Any] = {}
    rows = event_rows(received) if target.kind != "multiclass" else None
    if rows is not None and not too_few(rows) and 0 < float(np.mean(rows.y)) < 1:
        curves |= _event_curves(rows)
    if policies is not None:
        curves["policies"] = policies.rows
    return curves


def _sure_rows(received: pl.DataFrame, target: Target) -> Rows:
    """Rows whose prediction is a probability: of classes, or of an event."""
    return class_rows(received, class_columns(received)) if target.kind == "multiclass" else event_rows(received)


def _sureness(received: pl.DataFrame, target: Target, sampling: Sampling) -> dict[str, Estimate]:
    rows = _sure_rows(received, target)
    return sureness_metrics(rows, sampling) if rows.n else {}


def _abstention_curves(
    received: pl.DataFrame, target: Target, panel: Panel | None, scores: Scores | None, sampling: Sampling
) -> dict[str, Any]:
    """Figures by share of people answered, for the choice of a treatment and for the prediction itself."""
    curves: dict[str, Any] = {}
    if panel is not None and scores is not None:
        curves["choice"] = choice_curve(panel, scores)
    rows = _sure_rows(received, target)
    if rows.n:
        curves["prediction"] = prediction_curve(rows, sampling)
    kept = {name: rows for name, rows in curves.items() if rows}
    return {"abstention": kept} if kept else {}


def _event_curves(rows: Rows) -> dict[str, Any]:
    predicted, observed = calibration.smooth_curve(rows.y, rows.predicted)
    benefit = net_benefit(rows.y, rows.predicted, _THRESHOLDS)
    return {
        "calibration": {"predicted": predicted.tolist(), "observed": observed.tolist()},
        "net_benefit": {
            "thresholds": benefit.thresholds.tolist(),
            "model": benefit.model.tolist(),
            "treat_all": benefit.treat_all.tolist(),
            "treat_none": benefit.treat_none.tolist(),
        },
    }


def _subgroups(
    received: pl.DataFrame, target: Target, traits: pl.DataFrame | None, sampling: Sampling
) -> list[dict[str, Any]]:
    if "covered" not in received.columns:
        received = received.with_columns(covered=pl.lit(None, dtype=pl.Float64))
    names = {"group": target.groups or "group", "received": target.treatment or "treatment"}
    figures = ["patient_id", "repeat", "outer_fold", "event", "label", "p_response", "covered"]
    classes = class_columns(received) if target.kind == "multiclass" else []
    frame = received.select(*figures, *classes, "group", "received").rename(names)
    further = [name for name in traits.columns if name not in frame.columns] if traits is not None else []
    if traits is not None and further:
        frame = frame.join(traits.select("patient_id", pl.col(further).cast(pl.String)), on="patient_id", how="left")
    return subgroup_table(frame, [*further, *names.values()], sampling.resamples, sampling.seed)
