"""May a run show individual recommendations and explanations? The answer, with its reasons in plain sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

from nociomics.evaluate.estimate import Estimate
from nociomics.evaluate.heterogeneity import LEVEL, ContrastTest, contrast_tests
from nociomics.evaluate.panel import Panel, Scores
from nociomics.evaluate.policy import best_fixed_arm
from nociomics.evaluate.policy_metrics import PolicyResult

LEAST_OVERLAP = 0.8
_LEAST_GAIN = 1e-6  # what rounding leaves where the model chooses the same for everybody is no gain
_NAMES = {"auroc": "AUROC", "spearman": "rank correlation", "accuracy": "accuracy"}


def explanation_verdict(metric: str, headline: Estimate, chance: float) -> tuple[bool, str]:
    """Say whether predictions are shown to be better than chance (or than naming the commonest class).

    Parameters
    ----------
    metric : {"auroc", "spearman", "accuracy"}
        The headline's name.
    headline : Estimate
    chance : float
        0.5, 0, or the share of the commonest class.
    """
    name = _NAMES[metric]
    if headline.value is None or headline.lower is None or headline.upper is None:
        return False, f"The {name} has no interval ({headline.method}), so no individual explanation is shown."
    interval = f"{name} {headline.value:.2f} (95 % interval {headline.lower:.2f} to {headline.upper:.2f})"
    if headline.lower > chance:
        return True, f"Predictions are better than chance: {interval}, above {chance:.2f}."
    return False, (
        f"Predictions are not shown to be better than chance: {interval} does not lie above {chance:.2f}, "
        "so no individual explanation is shown."
    )


def build_gate(
    verdict: tuple[bool, str],
    arms: int,
    panel: Panel | None,
    scores: Scores | None,
    policies: PolicyResult | None,
    seed: int = 1,
    *,
    ordered: bool = True,
) -> dict[str, Any]:
    """Decide what may be shown.

    Recommendations need all of: predictions better than chance; for at least one treatment a passed heterogeneity
    test against the best fixed treatment (slope p below 0.05 after Holm, AUTOC above 0); and an estimated gain over
    the best fixed treatment above 0 on held-out folds. Without randomisation they need more: at least four of five
    people within overlap, and a gain whose whole interval lies above 0. They stay adjusted associations.

    Parameters
    ----------
    verdict : tuple of bool and str
        From `explanation_verdict`.
    arms : int
        Treatments of the study; 0 when it has none.
    panel, scores, policies : optional
        Null when they do not apply.
    seed : int
    ordered : bool
        False for an outcome of classes, of which none is said to be better.

    Returns
    -------
    dict
        ``individual_recommendations, individual_explanations`` (bool), ``best_fixed`` (str or null),
        ``reasons`` (list of str), ``heterogeneity`` (dict, empty when not tested).
    """
    explain, reason = verdict
    gate: dict[str, Any] = {
        "individual_recommendations": False,
        "individual_explanations": explain,
        "best_fixed": None,
        "reasons": [reason],
        "heterogeneity": {},
    }
    if panel is None:
        gate["reasons"].append(_why_no_panel(arms, ordered))
    elif scores is None or policies is None:
        gate["best_fixed"] = best_by_expectation(panel)
        gate["reasons"].append(_why_no_scores(panel))
    else:
        tests = _tests(panel, scores, policies.best_fixed, seed)
        gate["best_fixed"] = policies.best_fixed
        gate["heterogeneity"] = _heterogeneity(panel, scores, tests)
        passed, found = _recommendation_verdict(tests, policies)
        if not panel.randomised:
            passed, found = _observational_verdict(passed, found, panel, scores, policies)
        gate["individual_recommendations"] = passed and explain
        gate["reasons"] += found
        if passed and not explain:
            gate["reasons"].append("Treatment effects differ, but predictions are not shown to be better than chance.")
    return gate


def closed_by_permutation(gate: dict[str, Any], p: float | None, refits: int) -> dict[str, Any]:
    """Close a gate that refits on shuffled outcomes would have opened as well.

    Parameters
    ----------
    gate : dict
        From `build_gate`.
    p : float or None
        Share of refits of the whole pipeline on permuted outcomes that did as well; None: the test was not run, and
        the gate stays as it is.
    refits : int
        How many there were; fewer than 19 cannot reach 0.05 whatever they find, and change nothing.

    Returns
    -------
    dict
        The gate, closed for explanations and recommendations when p is 0.05 or more, with the reason.
    """
    if p is None or p < LEVEL or 1 / (1 + refits) > LEVEL:
        return gate
    reason = (
        f"Models of shuffled outcomes did as well in {100 * p:.0f} % of refits (at most {100 * LEVEL:.0f} % allowed), "
        "so no individual explanation or recommendation is shown."
    )
    shut = {"individual_explanations": False, "individual_recommendations": False}
    return {**gate, **shut, "reasons": [*gate["reasons"], reason]}


def best_by_expectation(panel: Panel) -> str:
    """Return the arm of largest mean expectation over everybody: the outcome model alone, without propensities."""
    return panel.arms[best_fixed_arm(panel.expected.mean(axis=0))]


def _tests(panel: Panel, scores: Scores, best_fixed: str, seed: int) -> list[ContrastTest]:
    people = scores.people
    reference = panel.arms.index(best_fixed)
    return contrast_tests(scores.values, panel.expected[:, people], panel.fold[:, people], panel.arms, reference, seed)


def _heterogeneity(panel: Panel, scores: Scores, tests: list[ContrastTest]) -> dict[str, Any]:
    return {
        "assignment": "randomised" if panel.randomised else "observational",
        "propensity": scores.method,
        "reference": tests[0].reference,
        "people": int(scores.people.size),
        "with_outcome": int(np.isfinite(panel.y[scores.people]).sum()),
        "repeats": len(panel.repeats),
        "level": LEVEL,
        "passed": any(test.passed for test in tests),
        "contrasts": [test.as_dict() for test in tests],
    }


def _recommendation_verdict(tests: list[ContrastTest], policies: PolicyResult) -> tuple[bool, list[str]]:
    passed = [test.treatment for test in tests if test.passed]
    best, gain = policies.best_fixed, policies.gain.value
    if not passed:
        smallest = min(test.p_holm for test in tests)
        return False, [
            f"No evidence that patients differ in which treatment helps (smallest adjusted p {smallest:.3f}): "
            f"recommended for all: {best}."
        ]
    names = ", ".join(passed)
    found = [f"Patients differ in what {names} brings them compared with {best} (slope and AUTOC tests passed)."]
    if not gain > _LEAST_GAIN:
        found.append(
            f"Choosing by the model gained nothing over the best fixed treatment on held-out people ({gain:.2f}): "
            f"recommended for all: {best}."
        )
        return False, found
    found.append(f"Choosing by the model gained {gain:.2f} over the best fixed treatment on held-out people.")
    return True, found


def _observational_verdict(
    passed: bool, found: list[str], panel: Panel, scores: Scores, policies: PolicyResult
) -> tuple[bool, list[str]]:
    """Ask more of a study without randomisation, and say what kind of statement it makes."""
    share, gain = scores.people.size / panel.n, policies.gain
    words = [
        "Treatments were not assigned at random: every comparison is an adjusted association, and traits that were not "
        f"measured may explain it. {scores.people.size} of {panel.n} people had a fair chance of every treatment."
    ]
    if passed and share < LEAST_OVERLAP:
        words.append(f"That is fewer than {LEAST_OVERLAP:.0%}: no individual recommendation.")
    if passed and not gain.lower > 0:
        words.append(
            f"The gain's interval ({gain.lower:.2f} to {gain.upper:.2f}) reaches 0, which is not enough without "
            f"randomisation: recommended for all: {policies.best_fixed}."
        )
    return passed and share >= LEAST_OVERLAP and gain.lower > 0, [*found, *words]


def _why_no_panel(arms: int, ordered: bool) -> str:
    if arms == 0:
        return "The study has no treatments, so there is nothing to recommend."
    if arms == 1:
        return "The study has one treatment only, so there is nothing to choose between."
    if not ordered:
        return "The outcome is a class, and no class is said to be better: treatments are not compared."
    return "Fewer than two treatments have enough outcomes and predictions, so they cannot be compared."


def _why_no_scores(panel: Panel) -> str:
    return (
        "Treatments were not assigned at random, and there are no propensities (or nobody with a fair chance of every "
        f"treatment): no individual recommendation. {best_by_expectation(panel)} is best by the outcome model alone, "
        "an adjusted association."
    )
