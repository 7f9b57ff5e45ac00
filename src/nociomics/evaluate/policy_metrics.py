"""The worth of following the model, beside the best fixed treatment, chance and usual care."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nociomics.evaluate.estimate import Estimate, FloatArray, estimate, finite
from nociomics.evaluate.panel import Panel, Scores
from nociomics.evaluate.policy import (
    Value,
    best_fixed_arm,
    best_fixed_by_fold,
    chosen_scores,
    mean_value,
    uniform_policy,
    usual_policy,
)

_INTERVAL = "normal 95 % interval from the influence function"


@dataclass(frozen=True)
class PolicyResult:
    """Metrics, rows for a figure, the best arm for all, and the gain that the gate asks about."""

    metrics: dict[str, Estimate]
    rows: list[dict[str, Any]]
    best_fixed: str
    gain: Value


def evaluate_policies(panel: Panel, scores: Scores) -> PolicyResult:
    """Value the model's choice against fixed, uniform and usual choices, on the same people and repeats.

    The model's choice in a repeat is the arm of highest out-of-fold expectation. The best fixed arm is chosen in
    the other folds of the repeat and valued in the held-out one; a person counts once, with the mean over repeats.
    """
    per_person = _values_by_policy(panel, scores)
    gain = mean_value(per_person["model"] - per_person["best_fixed"])
    unseen = int(np.isnan(panel.y[scores.people]).sum())
    method = f"doubly robust, out of fold ({scores.method}); {unseen} without outcome enter as expected; {_INTERVAL}"
    fixed = f"{method}; fixed arm chosen in the other folds"
    sign = panel.sign
    metrics = {
        "policy_value": _value(mean_value(per_person["model"]), f"model's choice; {method}", sign),
        "policy_gain": _value(gain, f"model's choice minus best fixed arm; paired; {fixed}"),
        "policy_value_best_fixed": _value(mean_value(per_person["best_fixed"]), fixed, sign),
        "policy_value_uniform": _value(mean_value(per_person["uniform"]), f"every arm equally often; {method}", sign),
        "policy_value_usual": _value(mean_value(per_person["usual"]), f"arms as often as given; {method}", sign),
        "policy_gain_over_uniform": _value(
            mean_value(per_person["model"] - per_person["uniform"]), f"model's choice minus uniform; paired; {method}"
        ),
        "policy_gain_over_usual": _value(
            mean_value(per_person["model"] - per_person["usual"]), f"model's choice minus usual; paired; {method}"
        ),
    }
    mean_scores = scores.values.mean(axis=0)
    rows = [_row(name, None, mean_value(values), sign) for name, values in per_person.items()]
    rows += [_row("fixed", arm, mean_value(mean_scores[:, k]), sign) for k, arm in enumerate(panel.arms)]
    return PolicyResult(metrics, rows, panel.arms[best_fixed_arm(mean_scores)], gain)


def _values_by_policy(panel: Panel, scores: Scores) -> dict[str, FloatArray]:
    """Each person's mean score over repeats, per policy."""
    people, arms = scores.people, len(panel.arms)
    uniform, usual = uniform_policy(people.size, arms), usual_policy(panel.arm[people], arms)
    found: dict[str, list[FloatArray]] = {"model": [], "best_fixed": [], "uniform": [], "usual": []}
    for r, layer in enumerate(scores.values):
        found["model"].append(chosen_scores(layer, panel.expected[r, people].argmax(axis=1)))
        found["best_fixed"].append(chosen_scores(layer, best_fixed_by_fold(layer, panel.fold[r, people])))
        found["uniform"].append(chosen_scores(layer, uniform))
        found["usual"].append(chosen_scores(layer, usual))
    return {name: np.mean(layers, axis=0) for name, layers in found.items()}


def _value(value: Value, method: str, sign: int = 1) -> Estimate:
    ends = sorted((sign * value.lower, sign * value.upper))
    return estimate(sign * value.value, value.n, method, (ends[0], ends[1]))


def _row(policy: str, treatment: str | None, value: Value, sign: int) -> dict[str, Any]:
    ends = sorted((sign * value.lower, sign * value.upper))
    figures = {"value": sign * value.value, "lower": ends[0], "upper": ends[1]}
    return {"policy": policy, "treatment": treatment, "n": value.n, **{k: finite(v) for k, v in figures.items()}}
