"""What the pages say in words: the finding first, nothing claimed that the figures do not carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nociomics.report.formats import count, interval, is_null, listed, number
from nociomics.tables.study import Target

Verdict = Literal["found", "nothing", "worse", "unknown"]

RESEARCH_USE = "For research. Not for treating a patient without a clinician."
NO_HETEROGENEITY = "There is no evidence that patients differ in which treatment helps"
NOT_TESTED = "Whether patients differ in which treatment helps could not be tested"
ADJUSTED = "an adjusted association, since treatments were not assigned at random"
DRIVERS_REFUSED = (
    "Drivers are not shown: the model did not pass the gate for explanations. "
    "A model of pure noise has drivers too, and they would mean nothing."
)
FEWER_THAN_FIVE = "fewer than 5"
SMALL_CELLS = 'Groups of one to four people are written as "fewer than 5" and are not drawn.'
HARM = "adverse_"
NOT_FOR_ONE = "so no treatment is recommended to any one person, and no drivers of one person's prediction are shown"
NO_TREATMENT_FOR_ONE = "no treatment is recommended to any one person"
NO_DRIVER_FOR_ONE = "so no drivers of one person's prediction are shown"
_PLAIN = frozenset({"clinical", "questionnaires"})
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class MetricName:
    """How one figure of performance is written; ``chance`` is its value for a model that knows nothing."""

    label: str
    decimals: int = 2
    chance: float | None = None
    meaning: str = ""


METRICS: dict[str, MetricName] = {
    "auroc": MetricName("AUROC", 2, 0.5, "chance that a responder is ranked above a non-responder; 0.5 is chance"),
    "spearman": MetricName("Rank correlation", 2, 0.0, "between expected and observed; 0 is chance"),
    "r2": MetricName("R²", 2, 0.0, "share of variance explained; 0 is the mean for everyone"),
    "macro_f1": MetricName("Macro F1", 2, None, "mean over classes; 1 is perfect"),
    "accuracy": MetricName("Accuracy", 2, None, "share of people in their right class"),
    "balanced_accuracy": MetricName("Balanced accuracy", 2, None, "mean over classes of the share found"),
    "within_20_percent": MetricName("Within 20 %", 2, None, "share of people predicted within 20 % of their outcome"),
    "mae": MetricName("Mean absolute error", 2, None, "in units of the outcome"),
    "rmse": MetricName("Root mean squared error", 2, None, "in units of the outcome"),
    "log_loss": MetricName("Log loss", 3, None, "smaller is better"),
    "brier": MetricName("Brier score", 3, None, "squared error of the probability; smaller is better"),
    "scaled_brier": MetricName("Scaled Brier", 2, 0.0, "1 is perfect, 0 is the event rate for everyone"),
    "calibration_slope": MetricName("Calibration slope", 2, None, "1 is right; below 1 predictions are too extreme"),
    "calibration_in_the_large": MetricName("Calibration in the large", 2, None, "0 is right, on the log-odds scale"),
    "ici": MetricName("Integrated calibration index", 3, None, "mean distance of predicted from observed"),
    "net_benefit": MetricName("Net benefit", 3, None, "true positives less weighted false positives, per person"),
    "policy_value": MetricName("Policy value", 2, None, "mean outcome if the model chose the treatment"),
    "policy_gain": MetricName("Policy gain", 2, 0.0, "over the best single treatment for everyone; 0 is no gain"),
    "adjusted_difference": MetricName(
        "Adjusted difference", 2, 0.0, "mean difference of two randomised treatments, given the baseline"
    ),
    "coverage_90": MetricName("Coverage of the 90% interval", 2, None, "0.90 is right"),
    "autoc": MetricName("AUTOC", 2, 0.0, "does the ranking by expected benefit find those who benefit; 0 is chance"),
    "permutation_p": MetricName("Permutation p", 3, None, "share of label-shuffled refits that did as well"),
    "nagelkerke_r2": MetricName("Nagelkerke R²", 2, None, "share of the log-likelihood explained"),
    "e50": MetricName("E50", 3, None, "median distance of predicted from observed"),
    "e90": MetricName("E90", 3, None, "90th percentile of that distance"),
    "half_width_90": MetricName("Half-width of the 90% interval", 2, None, "for one person, in units of the outcome"),
    "marginal_half_width_90": MetricName("The same, ignoring all features", 2, None, "the width to beat"),
    "surest_half_accuracy": MetricName("Right answers, surer half", 2, None, "share of people, by the likelier answer"),
    "surest_half_gain": MetricName(
        "Surer half less the other", 2, 0.0, "share of right answers; 0: being sure says nothing"
    ),
    "n": MetricName("People", 0, None, "with an outcome and an out-of-fold prediction"),
    "n_events": MetricName("Events", 0, None, "people with the event"),
    "events_per_feature": MetricName("Events per feature", 1, None, "below 10 the model is exploratory"),
    "outside_overlap": MetricName("Share outside overlap", 2, None, "people who hardly could get some treatment"),
    "largest_smd": MetricName("Largest imbalance after weighting", 2, None, "standard deviations; 0.1 is the aim"),
    "largest_smd_unweighted": MetricName("Largest imbalance before weighting", 2, None, "standard deviations"),
    "smallest_effective_n": MetricName("Smallest effective sample size", 0, None, "of a treatment, after weighting"),
    "e_value": MetricName("E-value of the policy gain", 1, None, "strength of a hidden trait that would explain it"),
    "outcome_missing": MetricName("Share without an outcome", 2, None, "people who were predicted, not observed"),
    "minimum_n": MetricName("Minimum size", 0, None, "people that a model of this size needs (Riley)"),
}
_COMPARATORS = {
    "treatment_only": "knowing the treatment alone",
    "without_treatment": "the same model without the treatment",
    "clinical_only": "the clinical variables alone",
    "best_fixed": "the best single treatment",
    "uniform": "every treatment equally often",
    "treat_all": "treating everyone",
    "pooled": "all folds pooled",
    "held_out_groups": "full model, on groups it never saw",
    "across_batches": "full model, all batches together",
    "ipcw": "full model, weighted for missing outcomes",
    "usual": "treatment as given",
    "random": "treatment by lot",
    "majority": "the commonest class for everyone",
}
_HEADLINE_ORDER = ("auroc", "spearman", "r2", "scaled_brier", "balanced_accuracy", "accuracy", "macro_f1")


@dataclass(frozen=True)
class Measure:
    """One figure of performance with its interval."""

    name: str
    label: str
    value: float
    lower: float | None
    upper: float | None
    n: int | None
    method: str
    decimals: int
    chance: float | None
    meaning: str

    @property
    def text(self) -> str:
        """Value and interval."""
        return interval(self.value, self.lower, self.upper, self.decimals)

    @property
    def inside(self) -> str:
        """Value and interval for use inside brackets, such as 'AUROC 0.51, 0.45 to 0.57'."""
        shown = f"{self.label} {number(self.value, self.decimals)}"
        if self.lower is None or self.upper is None:
            return f"{shown}, no interval"
        return f"{shown}, {number(self.lower, self.decimals)} to {number(self.upper, self.decimals)}"


def split_metric(name: str) -> tuple[str, str]:
    """Split a metric's name into the known figure and what follows it.

    Examples
    --------
    >>> split_metric("auroc_gain_over_clinical_only"), split_metric("policy_gain"), split_metric("surprise")
    (('auroc', 'gain_over_clinical_only'), ('policy_gain', ''), ('surprise', ''))
    """
    for base in sorted(METRICS, key=len, reverse=True):
        if name == base or name.startswith(f"{base}_"):
            return base, name[len(base) + 1 :]
    return name, ""


def comparator_words(name: str) -> str:
    """Words for what a figure is compared with."""
    return _COMPARATORS.get(name, name.replace("_", " "))


def read_measure(metrics: Mapping[str, Any], name: str) -> Measure | None:
    """Read one figure of ``metrics``; None when it is absent or null.

    Parameters
    ----------
    metrics : mapping of name to {value, lower, upper, n, method}
        As in `evaluation/metrics.json`; anything but ``value`` may lack.
    name : str
        Its key.
    """
    entry = metrics.get(name)
    if not isinstance(entry, Mapping):
        entry = {"value": entry}
    value = entry.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or is_null(value):
        return None
    base, rest = split_metric(name)
    known = METRICS.get(base, MetricName(name.replace("_", " ").capitalize()))
    gain = rest.startswith("gain_over_")
    label = f"{known.label}: {comparator_words(rest)}" if rest and not gain else known.label
    if gain:
        label = f"{known.label}: gain over {comparator_words(rest.removeprefix('gain_over_'))}"
    lower, upper = (None if is_null(entry.get(end)) else float(entry[end]) for end in ("lower", "upper"))
    return Measure(
        name, label, float(value), lower, upper, entry.get("n"), str(entry.get("method") or ""),
        known.decimals, 0.0 if gain else known.chance, known.meaning,
    )  # fmt: skip


def headline_measure(metrics: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> Measure | None:
    """Choose the figure that the first sentence speaks of: the gate's, else AUROC, else the next best known.

    None when it was not computed: another figure does not step in for one that the gate asks for.
    """
    if gate is not None and gate.get("headline"):
        return read_measure(metrics, str(gate["headline"]))
    for name in _HEADLINE_ORDER:
        found = read_measure(metrics, name)
        if found is not None:
            return found
    return None


def verdict(measure: Measure, metrics: Mapping[str, Any], gate: Mapping[str, Any] | None = None) -> Verdict:
    """Judge a figure against chance by its interval and, where there is one, the permutation test.

    Accuracy has no chance of its own (it depends on the commonest class): there the gate's judgement counts.
    """
    chance = measure.chance
    if measure.lower is None or measure.upper is None:
        return "unknown"
    if chance is None:
        judged = gate is not None and gate.get("headline") == measure.name
        return "unknown" if gate is None or not judged else "found" if gate["individual_explanations"] else "nothing"
    if measure.upper < chance:
        return "worse"
    shuffled = read_measure(metrics, "permutation_p")
    if measure.lower <= chance or (shuffled is not None and shuffled.value >= _SIGNIFICANT):
        return "nothing"
    return "found"


def unmeasured(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Figures that were asked for but have no value, with the reason that stands in their place."""
    found = []
    for name, entry in metrics.items():
        if not name.startswith(HARM) and read_measure(metrics, name) is None:
            stood_in = read_measure({name: 0.0}, name)
            reason = str(entry.get("method") or "") if isinstance(entry, Mapping) else ""
            found.append((stood_in.label if stood_in else name, reason.removeprefix("not computed: ")))
    return found


def gain_over(metrics: Mapping[str, Any], base: str, comparator: str) -> Measure | None:
    """Gain of the full model over one baseline, by the name of the figure."""
    return read_measure(metrics, f"{base}_gain_over_{comparator}")


def has_omics(modalities: Sequence[str]) -> bool:
    """Tell whether anything beyond clinical facts and questionnaires was offered to the model."""
    return any(name not in _PLAIN for name in modalities)


def finding(
    target: Target | None, metrics: Mapping[str, Any], gate: Mapping[str, Any] | None, modalities: Sequence[str]
) -> list[str]:
    """Say in plain sentences what the model can and cannot do, the most important first.

    Parameters
    ----------
    target : Target or None
        None: nothing was to be predicted.
    metrics, gate : mapping
        As in `evaluation/`.
    modalities : sequence of str
        Of the features that the model was offered.

    Returns
    -------
    list of str
        The first sentence carries the finding, and every "no" that belongs to it.
    """
    if target is None:
        return [
            "Nothing was predicted: the study names no target, so this run harmonised the data and looked for strata."
        ]
    measure = headline_measure(metrics, gate)
    withheld = _withheld(target, gate)
    if measure is None:
        unknown = "Whether the model can predict anything is not known: its performance was not measured"
        return [f"{unknown}{withheld}."]
    judged = verdict(measure, metrics, gate)
    treated = gate is not None and target.treatment is not None
    if judged == "nothing":
        than = _nothing_known(measure)
        sentences = [
            f"The model found nothing: its predictions are no better than {than} ({measure.inside}){withheld}."
        ]
    elif judged == "worse":
        sentences = [
            f"The model's predictions are worse than chance ({measure.inside}): "
            f"that points to an error in the data or the analysis, not to a finding{withheld}."
        ]
    elif judged == "unknown":
        sentences = [_unknown(measure, withheld)]
    else:
        sentences = [_found(target, measure, metrics, gate if treated else None, modalities)]
    if treated and gate is not None:
        sentences.append(treatment_sentence(gate, metrics))
    if gate is not None and gate.get("confounded"):
        sentences.append(
            "The run is confounded: outcomes differ between batches of measurement, so figures count within."
        )
    if gate is not None and gate.get("exploratory"):
        sentences.append("Read it as exploratory: there are fewer than 10 events per candidate feature.")
    return sentences


def _nothing_known(measure: Measure) -> str:
    return "naming the commonest class for everyone" if measure.name == "accuracy" else "chance"


def _unknown(measure: Measure, withheld: str) -> str:
    if measure.chance is None:
        return f"The model's figure is {measure.inside}; there is no value of chance to hold it against{withheld}."
    return f"How sure the model is cannot be said: its figure has no interval ({measure.inside}){withheld}."


def _withheld(target: Target, gate: Mapping[str, Any] | None) -> str:
    """Say what a closed gate keeps back, to end the first sentence with; empty when it is open."""
    if gate is None or gate.get("individual_explanations"):
        return ""
    return f", {NOT_FOR_ONE if target.treatment is not None else NO_DRIVER_FOR_ONE}"


def _found(
    target: Target,
    measure: Measure,
    metrics: Mapping[str, Any],
    gate: Mapping[str, Any] | None,
    modalities: Sequence[str],
) -> str:
    what = {"multiclass": "class", "continuous": "outcome"}.get(target.kind, "response")
    start = f"The model predicts {what} better than {_nothing_known(measure)} ({measure.inside})"
    buts = []
    simple = gain_over(metrics, measure.name, "treatment_only")
    if simple is not None and not _is_gain(simple):
        buts.append(f"it is not shown to be better than knowing the treatment alone ({_gain(simple)})")
    clinical = gain_over(metrics, measure.name, "clinical_only")
    if clinical is not None and not _is_gain(clinical) and has_omics(modalities):
        buts.append(f"omics add nothing that could be shown over the clinical baseline ({_gain(clinical)})")
    if gate is not None and not gate.get("individual_recommendations"):
        buts.append(f"it cannot say which treatment suits whom, so {NO_TREATMENT_FOR_ONE}")
    if buts:
        return f"{start}, but {listed(buts)}."
    if clinical is not None and _is_gain(clinical) and has_omics(modalities):
        return f"{start}, and omics improve on the clinical baseline ({_gain(clinical)})."
    return f"{start}."


def _is_gain(measure: Measure) -> bool:
    return measure.lower is not None and measure.lower > 0


def _gain(measure: Measure) -> str:
    shown = f"gain {number(measure.value, measure.decimals)}"
    if measure.lower is None or measure.upper is None:
        return f"{shown}, no interval"
    return f"{shown}, {number(measure.lower, measure.decimals)} to {number(measure.upper, measure.decimals)}"


def treatment_sentence(gate: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Say what the gate allows: one treatment for all, or a choice person by person with its gain."""
    best = gate.get("best_fixed")
    if not was_tested(gate):
        return f"{NOT_TESTED}; best for the whole group: {best}." if best else f"{NOT_TESTED}."
    if not gate.get("individual_recommendations"):
        return f"{NO_HETEROGENEITY}; recommended for all: {best}." if best else f"{NO_HETEROGENEITY}."
    gain = read_measure(metrics, "policy_gain")
    start = "Recommendations may be made person by person"
    if gain is None:
        return f"{start}; what that gains was not measured."
    than = f"giving everyone {best}" if best else "the best single treatment for all"
    words = f"{start}: compared with {than}, the estimated gain is {gain.text}"
    return f"{words}, {ADJUSTED}." if was_observational(gate) else f"{words}."


def was_observational(gate: Mapping[str, Any]) -> bool:
    """Tell whether treatments were compared without randomisation."""
    return (gate.get("heterogeneity") or {}).get("assignment") == "observational"


def was_tested(gate: Mapping[str, Any]) -> bool:
    """Tell whether the heterogeneity test was run; a gate that does not say counts as tested."""
    return bool(gate.get("individual_recommendations")) or gate.get("heterogeneity") != {}


def response_words(target: Target) -> str | None:
    """Say what counts as a response, or None when the study has no rule."""
    rule = target.response
    if rule is None:
        return None
    if rule.fall_percent is not None:
        return f"a fall of at least {rule.fall_percent:g}% from baseline"
    if rule.fall_points is not None:
        return f"a fall of at least {rule.fall_points:g} points from baseline"
    return f"an outcome of at most {rule.at_most:g}" if rule.at_most is not None else None


def outcome_words(target: Target | None) -> str:
    """Say what is predicted."""
    if target is None:
        return "nothing was to be predicted"
    compared = target.treatment or ""
    kinds = {
        "change": f"fall in {target.baseline or 'the outcome'} to {target.outcome} (positive is better)",
        "continuous": f"{target.outcome}, on its own scale{compared and ' (larger is taken as better)'}",
        "binary": f"{target.outcome}, yes or no{compared and ' (yes is taken as better)'}",
        "multiclass": f"class of {target.outcome}",
    }
    return kinds[target.kind]


def modality_words(modality: str) -> str:
    """Name a modality in a heading."""
    known = {"pgx": "pharmacogenes", "clinical": "clinical facts"}
    return known.get(modality, modality.replace("_", " "))


def plain_modality(modality: str) -> str:
    """Name a modality for someone who is not a clinician."""
    known = {
        "clinical": "basic facts such as age",
        "genotype": "gene test",
        "pgx": "gene test for drugs",
        "expression": "test of gene activity",
        "biomarkers": "blood markers",
        "questionnaires": "forms you filled in",
    }
    return known.get(modality, modality.replace("_", " "))


def small_count(people: int) -> str:
    """Write a count of people; one to four are not told.

    Examples
    --------
    >>> small_count(0), small_count(3), small_count(12)
    ('0', 'fewer than 5', '12')
    """
    return FEWER_THAN_FIVE if 0 < people < 5 else count(people)


def quality_advice(severity: str) -> str:
    """Say what to do about a finding that does not say it itself."""
    if severity == "fatal":
        return "Mend it in the file or in the study file, then run the same command again."
    return "Look at it in the file, and ask those who delivered it; the values were kept as they are."


def association_words(row: Mapping[str, Any]) -> str:
    """Say what follows when two groupings of people go together.

    Examples
    --------
    >>> association_words({"first": "batch", "second": "site", "cramers_v": 1.0, "nested": "both"})[:41]
    'batch and site are aliased: each batch is'
    >>> association_words({"first": "batch", "second": "arm", "cramers_v": 0.05, "nested": None})
    'batch and arm are mixed well enough to be told apart.'
    """
    first, second, v = row["first"], row["second"], row["cramers_v"]
    if v is None:
        return "There is only one group, so nothing can be compared."
    cannot = f"an effect of {first} and an effect of {second} cannot be told apart, and no correction can mend that."
    if row["nested"] == "both":
        return f"{first} and {second} are aliased: each {first} is one {second}, so {cannot}"
    if row["nested"] is not None:
        inner, outer = (first, second) if row["nested"] == "first" else (second, first)
        return (
            f"Every {inner} holds people of one {outer} only: differences between them are also differences of {outer}."
        )
    if v >= 0.8:
        return f"{first} and {second} are nearly aliased: {cannot}"
    if v >= 0.3:
        return f"{first} and {second} go together: keep it in mind when a difference between groups is read."
    return f"{first} and {second} are mixed well enough to be told apart."
