"""What a run answers to the items of TRIPOD+AI: one function per answer, each a sentence or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nociomics.report.formats import count, listed, plural, share
from nociomics.report.wording import finding, modality_words, outcome_words, read_measure, response_words, unmeasured
from nociomics.tables.study import Inclusion, Study

_SHOWN = 12
_TRAITS = {"measured": "pattern of missing blocks", "age_band": "band of age"}
_FIGURES = (
    "auroc spearman accuracy brier calibration_slope calibration_in_the_large ici mae net_benefit coverage_90 "
    "policy_gain"
).split()
_RESPONSES = "Probabilities of a response are recalibrated by two parameters (Platt), inside the training part."
_UPDATES = {
    "change": _RESPONSES,
    "continuous": _RESPONSES,
    "binary": "Probabilities are calibrated inside the training part.",
    "multiclass": "Probabilities are calibrated inside the training part.",
}


@dataclass(frozen=True)
class TripodData:
    """What the checklist is filled from; only a study with a target has one.

    Parameters
    ----------
    study : Study
        The study file.
    flow, catalogue, findings, arms, splits : DataFrame
        As in `COHORT_FLOW`, `FEATURE_CATALOGUE`, `FINDINGS`, `ARMS`, `SPLITS`.
    target_rows : DataFrame
        As in `TARGET_ROWS`; only counted.
    metrics, gate, curves : mapping
        As in `evaluation/`.
    learners : list of str
        Candidates that count in the final model; empty where the model does not say.
    provenance : mapping of str to str
        Versions, commit, digests.
    """

    study: Study
    flow: pl.DataFrame
    catalogue: pl.DataFrame
    findings: pl.DataFrame
    arms: pl.DataFrame
    splits: pl.DataFrame
    target_rows: pl.DataFrame
    metrics: Mapping[str, Any]
    gate: Mapping[str, Any]
    curves: Mapping[str, Any]
    learners: list[str] = field(default_factory=list)
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def modalities(self) -> list[str]:
        """Modalities of the features, in alphabetical order."""
        return [str(name) for name in self.catalogue["modality"].unique().sort()]

    def figure(self, name: str) -> float | None:
        """Value of a figure, or None when it was not computed."""
        measure = read_measure(self.metrics, name)
        return None if measure is None else measure.value


def _aim(data: TripodData) -> str:
    return (
        f"Development and internal validation of a model of {outcome_words(data.study.target)}, "
        f"in {_people(data)} of the study {data.study.study}."
    )


def _objective(data: TripodData) -> str:
    aims = "Development with internal validation: everybody is predicted by models that never saw that person."
    if _has_treatments(data):
        aims += " Also whether people differ in which treatment helps; that is judged apart from prognosis."
    return aims


def _sources(data: TripodData) -> str:
    files = sorted({path for path in data.catalogue["source_file"].drop_nulls()} if _knows_files(data) else set())
    named = f" Features came from {_some(files)}." if files else ""
    source = (data.study.source or "The study file names no source").rstrip(".")
    return f"{source}.{named} No second data set was used."


def _knows_files(data: TripodData) -> bool:
    return "source_file" in data.catalogue.columns


def _centres(data: TripodData) -> str | None:
    groups = data.target_rows["group"].drop_nulls().n_unique()
    target = data.study.target
    if target is None or target.groups is None:
        return None
    return f"{plural(groups, 'group')} by the column {target.groups}."


def _inclusion(data: TripodData) -> str:
    rules = [f"{column} {_rule(rule)}" for column, rule in data.study.include.items()]
    said = f"By the study file: {listed(rules)}." if rules else "The study file leaves nobody out by a rule."
    return f"{said} Who was left out at each step stands under item 20a."


def _rule(rule: Inclusion) -> str:
    parts = [
        None if rule.at_least is None else f"at least {rule.at_least:g}",
        None if rule.at_most is None else f"at most {rule.at_most:g}",
        None if rule.one_of is None else f"one of {', '.join(rule.one_of)}",
        None if rule.none_of is None else f"none of {', '.join(rule.none_of)}",
        None if rule.family is None else f"a code under {', '.join(rule.family)}",
    ]
    return " and ".join(part for part in parts if part is not None)


def _treatments(data: TripodData) -> str:
    if not _has_treatments(data):
        return "The study names no treatment; none enters the model."
    arms = [f"{row['treatment']} ({count(row['people'])})" for row in data.arms.drop_nulls("treatment").to_dicts()]
    drawn = set(data.target_rows.drop_nulls("treatment")["assignment"].fill_null("not stated"))
    how = " and ".join(sorted(str(word) for word in drawn))
    others = int(data.arms.filter(pl.col("treatment").is_null())["people"].sum())
    without = f" {plural(others, 'person', 'people')} got none, or one too rare to learn from." if others else ""
    return (
        f"{listed(arms)}; assignment: {how}.{without} Each person is predicted under every treatment; the model has "
        "terms of its own for each."
    )


def _preparation(data: TripodData) -> str:
    counts = {severity: data.findings.filter(pl.col("severity") == severity).height for severity in ("warning", "info")}
    return (
        "Units, questionnaire scores and counts are converted by fixed rules, the same for everybody. All checks with "
        f"their findings ({plural(counts['warning'], 'warning')}, {plural(counts['info'], 'remark')}) stand in "
        "quality/report.html."
    )


def _outcome(data: TripodData) -> str:
    rule = response_words(data.study.target) if data.study.target is not None else None
    return f"Predicted: {outcome_words(data.study.target)}." + (f" A response is {rule}." if rule else "")


def _candidates(data: TripodData) -> str:
    return (
        f"All {plural(data.catalogue.height, 'feature')} of the study's tables were candidates; none was chosen by its "
        "relation to the outcome before the folds."
    )


def _predictors(data: TripodData) -> str:
    counts = data.catalogue["modality"].value_counts().sort("modality")
    shown = [f"{modality_words(str(name))} ({count(int(many))})" for name, many in counts.iter_rows()]
    return (
        f"{listed(shown)}. Every one was measured before treatment began; what was measured later is refused. Each "
        "with unit, source file and column: harmonised/feature_catalogue.parquet."
    )


def _size(data: TripodData) -> str:
    needed, people, per = (data.figure(name) for name in ("minimum_n", "n", "events_per_feature"))
    if needed is None or people is None:
        return f"{_people(data)} have an outcome. A minimum size was not computed."
    words = f"{count(int(people))} people have an outcome; Riley's criteria ask for {count(int(needed))}"
    words += "." if per is None else f", and there are {per:.1f} of the rarer class (or people) per candidate feature."
    return words + (" The run is exploratory." if data.gate.get("exploratory") else "")


def _missing(data: TripodData) -> str:
    lacking = data.catalogue.filter(pl.col("missing_share") > 0).height
    words = (
        f"{count(lacking)} of {plural(data.catalogue.height, 'feature')} lack a value of somebody. Linear "
        "models take the median of the training part and a mark of a missing block; trees take the gap as it is. "
        "Nobody is dropped for a missing predictor."
    )
    absent = read_measure(data.metrics, "outcome_missing")
    if absent is None:
        return words
    return (
        f"{words} The outcome is missing in {share(absent.value)} of people, who are predicted but count in no figure; "
        "weights for them are a sensitivity analysis."
    )


def _division(data: TripodData) -> str:
    repeats = data.splits["repeat"].n_unique()
    outer, inner = data.splits["outer_fold"].n_unique(), data.splits["inner_fold"].n_unique()
    fixed = " The folds were given with the study." if data.study.splits else ""
    return (
        f"Nested cross-validation by person: {outer} outer and {inner} inner folds, {plural(repeats, 'repeat')}; "
        f"people who are probably one person share a fold.{fixed} The final model learns from everybody."
    )


def _encoding(data: TripodData) -> str:
    return (
        "Numbers are standardised and categories become columns; a modality of many features is compressed to its "
        "principal components. All of it is learned in the training part of each fold."
    )


def _model(data: TripodData) -> str:
    used = f" In the final model these count: {listed([name.replace('_', ' ') for name in data.learners])}." * bool(
        data.learners
    )
    return (
        "Candidates of config/models/candidates.csv are tuned and weighed against each other in the inner folds, and "
        f"judged in the outer ones.{used} Performance is internal: item 12a."
    )


def _clusters(data: TripodData) -> str:
    target = data.study.target
    if target is None or target.groups is None:
        words = "The study names no groups, so no estimate leaves a group out."
    else:
        words = f"A second estimate leaves each value of {target.groups} out of training whole; it is reported apart."
    tests = data.gate.get("batches") or []
    if not tests:
        return words
    confounded = "go" if data.gate.get("confounded") else "do not go"
    return f"{words} Batches of measurement were tested and {confounded} with the outcome" + (
        ", so the headline counts within them." if data.gate.get("confounded") else "."
    )


def _measures(data: TripodData) -> str:
    shown = [measure.label for name in _FIGURES if (measure := read_measure(data.metrics, name)) is not None]
    absent = [label for label, _ in unmeasured(data.metrics)]
    words = f"{listed(shown)}, each with the way its interval was made in evaluation/metrics.json." if shown else ""
    compared = sorted(
        {name.split("_gain_over_")[1].replace("_", " ") for name in data.metrics if "_gain_over_" in name}
    )
    words += f" Compared on the same folds with: {listed(compared)}." if compared else ""
    words += f" Not computed: {_some(absent)}." if absent else ""
    return words.strip()


def _updating(data: TripodData) -> str:
    return "No model was updated after its evaluation. " + (
        _UPDATES[data.study.target.kind] if data.study.target is not None else ""
    )


def _computing(data: TripodData) -> str:
    return "By the models of the training parts; for new people by `nociomics predict` with the exported model."


def _imbalance(data: TripodData) -> str:
    return "No people were weighted, drawn again or left out to balance classes."


def _fairness(data: TripodData) -> str:
    traits = sorted({_TRAITS.get(row["trait"], row["trait"]) for row in data.curves.get("subgroups") or []})
    if not traits:
        return "Performance was not measured in subgroups."
    return (
        f"Performance is measured by {listed(traits)}, with intervals; small groups are not shown. Nothing was done to "
        "make it equal."
    )


def _output(data: TripodData) -> str:
    target = data.study.target
    kinds = {
        "change": "The expected change in points with a 90 % interval",
        "continuous": "The expected value with a 90 % interval",
        "binary": "The probability of 1",
        "multiclass": "The probability of each class",
    }
    words = kinds[target.kind] if target is not None else ""
    if target is not None and target.response is not None:
        words += f", and the probability of a response ({response_words(target)})"
    return f"{words}. No threshold turns probabilities into decisions."


def _differences(data: TripodData) -> str:
    how = "by the folds that the study gives" if data.study.splits else "at random"
    return f"None: both are parts of one data set, divided {how}."


def _data_sharing(data: TripodData) -> str | None:
    return data.study.source


def _code_sharing(data: TripodData) -> str:
    known = [f"{name} {text}" for name, text in sorted(data.provenance.items()) if name in ("nociomics", "commit")]
    return f"The analysis is the program ({listed(known)}) and the study file." if known else "The study file."


def _flow(data: TripodData) -> str:
    steps = [
        f"{step['step']}: {count(step['people'])}"
        + (f" ({count(step['left_out'])} left out: {step['reason']})" if step["left_out"] else "")
        for step in data.flow[:-1].to_dicts()
    ]
    return "; ".join(steps) + f". Analysed: {_people(data)}."


def _described(data: TripodData) -> str:
    words = f"{_people(data)} analysed"
    events = data.figure("n_events")
    words += f", {count(int(events))} with the event" if events is not None else ""
    return f"{words}. Spread, gaps and batches of every table: quality/report.html."


def _comparison(data: TripodData) -> str:
    return "Does not apply: no second data set."


def _numbers(data: TripodData) -> str:
    people, events = data.figure("n"), data.figure("n_events")
    if people is None:
        return "Not computed."
    words = f"{count(int(people))} people" + (f" and {count(int(events))} events" if events is not None else "")
    return f"{words} in development and, as each was predicted out of fold, in evaluation."


def _specification(data: TripodData) -> str:
    return (
        "The whole model lies in export/model, in plain text and numbers with a digest of each file; `nociomics "
        "predict` uses it for new people."
    )


def _performance(data: TripodData) -> str:
    found = [
        f"{measure.label} {measure.text}"
        for name in _FIGURES
        if (measure := read_measure(data.metrics, name)) is not None
    ]
    return (f"{'; '.join(found)}. " if found else "") + "Plots and subgroups: report.html."


def _cluster_performance(data: TripodData) -> str:
    found = [
        f"{measure.label}: {measure.text}"
        for name in data.metrics
        if name.endswith("held_out_groups") and (measure := read_measure(data.metrics, name)) is not None
    ]
    return f"{'; '.join(found)}." if found else "Not computed."


def _updated(data: TripodData) -> str:
    return "Does not apply: no model was updated."


def _interpretation(data: TripodData) -> str:
    return " ".join(finding(data.study.target, data.metrics, data.gate, data.modalities))


def _limits(data: TripodData) -> str:
    words = ["There is no external validation."]
    if data.gate.get("exploratory"):
        words.append("People are few for the number of features (item 10).")
    if data.gate.get("confounded"):
        words.append("Batches of measurement go with the outcome.")
    assignment = data.target_rows.drop_nulls("treatment")["assignment"]
    if _has_treatments(data) and (assignment != "randomised").fill_null(True).any():
        words.append("Treatments were not randomised: their differences are adjusted associations.")
    warnings = data.findings.filter(pl.col("severity") == "warning").height
    if warnings:
        words.append(f"The data have {plural(warnings, 'warning')} (quality/report.html).")
    return " ".join(words)


def _poor_input(data: TripodData) -> str:
    return (
        "Values outside the range of their definition are refused by name, missing ones are taken as in item 11, and a "
        "person too unlike those who were learned from gets no answer; each answer has a status that says so."
    )


def _interaction(data: TripodData) -> str:
    return "Users hand over tables; units and codes are converted by the study file, and nothing is guessed."


def _next_steps(data: TripodData) -> str:
    return "An evaluation in people of other places and later times, with the exported model as it is."


def _people(data: TripodData) -> str:
    return plural(int(data.flow["people"][-1]), "person", "people") if data.flow.height else "no people"


def _has_treatments(data: TripodData) -> bool:
    return data.study.target is not None and data.study.target.treatment is not None


def _some(words: list[str]) -> str:
    return listed(words) if len(words) <= _SHOWN else f"{', '.join(words[:_SHOWN])} and {len(words) - _SHOWN} more"


ANSWERS: Mapping[str, Callable[[TripodData], str | None]] = {
    "aim": _aim,
    "objective": _objective,
    "sources": _sources,
    "centres": _centres,
    "inclusion": _inclusion,
    "treatments": _treatments,
    "preparation": _preparation,
    "outcome": _outcome,
    "candidates": _candidates,
    "predictors": _predictors,
    "size": _size,
    "missing": _missing,
    "division": _division,
    "encoding": _encoding,
    "model": _model,
    "clusters": _clusters,
    "measures": _measures,
    "updating": _updating,
    "computing": _computing,
    "imbalance": _imbalance,
    "fairness": _fairness,
    "output": _output,
    "differences": _differences,
    "data_sharing": _data_sharing,
    "code_sharing": _code_sharing,
    "flow": _flow,
    "people": _described,
    "comparison": _comparison,
    "numbers": _numbers,
    "specification": _specification,
    "performance": _performance,
    "cluster_performance": _cluster_performance,
    "updated": _updated,
    "interpretation": _interpretation,
    "limits": _limits,
    "poor_input": _poor_input,
    "interaction": _interaction,
    "next_steps": _next_steps,
}
