"""Whether a study can be learned from at all: people, outcome, treatments and groups, looked at before any fit."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from nociomics.errors import StudyError
from nociomics.models.outcome_copies import OutcomeCopy, outcome_copies
from nociomics.tables.finding import Finding
from nociomics.tables.study import Target

FEWEST_PEOPLE = 30
FEWEST_OF_ARM = 10
_FEWEST_OF_CLASS = 10
# of a training part: 30 people, or 10 of a treatment, leave this many in each half, whoever lacks an outcome
FEWEST_TO_LEARN = 12
FEWEST_OF_ARM_TO_LEARN = 3
_MOST_SHARE = 0.8
_SHOWN = 12


def fitness_findings(
    rows: pl.DataFrame, features: pl.DataFrame, catalogue: pl.DataFrame, target: Target
) -> list[Finding]:
    """Name what keeps a study from being learned from, and what its figures will lack.

    Fatal: fewer than 30 people with everything that the target needs, an outcome that does not vary, a class of one
    person, no treatment with 10 people. Warnings: treatments of fewer than 10 people (`without_small_arms` leaves them
    out), a continuous outcome that treatments are compared by, treatments of one group alone, features that are the
    outcome under another name, rare classes, a response that everybody or nobody has, groups that cannot be held out.

    Parameters
    ----------
    rows, features, catalogue : DataFrame
        As in `TARGET_ROWS`, `FEATURES`, `FEATURE_CATALOGUE`; one row per person, in any order.
    target : Target
        What is predicted.

    Returns
    -------
    list of Finding
        The same whatever the order of people; no id and no person's value in them.
    """
    known = analysable(rows, target)
    kept = known.filter(~pl.col("treatment").is_in(small_arms(rows, target)).fill_null(False))
    people = kept.select("patient_id").join(features, on="patient_id", how="left", maintain_order="left")
    return [
        *_arm_findings(rows, known, target),
        *_people_findings(kept, target),
        *_outcome_findings(kept, target),
        *_direction_findings(kept, target),
        *_class_findings(kept, target),
        *_group_findings(kept, target),
        *_lonely_arm_findings(kept, people, target),
        *[_copy_finding(copy, catalogue, target) for copy in outcome_copies(kept, people, catalogue, target)],
    ]


def require_fit(findings: Sequence[Finding]) -> None:
    """Raise `StudyError` that names every fatal finding.

    Examples
    --------
    >>> require_fit([Finding("outcomes", None, "warning", 3, "class is rare.")])
    """
    fatal = [finding.message for finding in findings if finding.severity == "fatal"]
    if fatal:
        count = "1 problem stops" if len(fatal) == 1 else f"{len(fatal)} problems stop"
        raise StudyError("\n".join([*fatal, f"{count} the run."]))


def analysable(rows: pl.DataFrame, target: Target) -> pl.DataFrame:
    """Keep the people with all that the target needs: outcome, baseline where it counts, treatment where one is."""
    needed = ["label" if target.kind in ("binary", "multiclass") else "response_value"]
    needed += ["treatment"] if target.treatment is not None else []
    return rows.drop_nulls(needed)


def small_arms(rows: pl.DataFrame, target: Target) -> list[str]:
    """Treatments that fewer than 10 people with an outcome got, in alphabetical order.

    Examples
    --------
    >>> rows = pl.DataFrame({"treatment": ["a"] * 12 + ["b"] * 3, "response_value": [1.0] * 15})
    >>> small_arms(rows, Target(kind="continuous", outcome="pain", treatment="arm"))
    ['b']
    """
    if target.treatment is None:
        return []
    counts = dict(analysable(rows, target)["treatment"].value_counts().iter_rows())
    return [arm for arm in rows["treatment"].drop_nulls().unique().sort() if counts.get(arm, 0) < FEWEST_OF_ARM]


def without_small_arms(rows: pl.DataFrame, flow: pl.DataFrame, target: Target) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take no treatment for one that fewer than 10 people with an outcome got; the flow says so.

    These people stay in the study and get predictions under the other treatments; nothing is learned or measured
    from their outcome, since it belongs to a treatment that cannot be told from chance.

    Parameters
    ----------
    rows, flow : DataFrame
        As in `TARGET_ROWS` and `COHORT_FLOW`, whose last step is who can be analysed.

    Returns
    -------
    rows, flow : DataFrame
        As they were when every treatment has 10 people.
    """
    small = small_arms(rows, target)
    if not small:
        return rows, flow
    given = pl.col("treatment").is_in(small).fill_null(False)
    fewer = rows.with_columns(treatment=pl.when(~given).then(pl.col("treatment")))
    before, after = analysable(rows, target).height, analysable(fewer, target).height
    reason = f"fewer than {FEWEST_OF_ARM} people with an outcome got their treatment"
    step = {"step": "with a treatment of enough people", "people": after, "left_out": before - after, "reason": reason}
    last = flow.row(-1, named=True)
    last = {**last, "people": after, "left_out": last["left_out"] + before - after}
    return fewer, pl.concat([flow[:-1], pl.DataFrame([step, last], schema=flow.schema)])


def _arm_findings(rows: pl.DataFrame, known: pl.DataFrame, target: Target) -> list[Finding]:
    if target.treatment is None:
        return []
    small = small_arms(rows, target)
    arms = rows["treatment"].n_unique() - int(rows["treatment"].null_count() > 0)
    where = f'target.treatment "{target.treatment}"'
    found = []
    if small:
        left_out = known.filter(pl.col("treatment").is_in(small)).height
        found.append(
            Finding(
                "treatments",
                target.treatment,
                "warning",
                left_out,
                f"{where}: {_named(small)} of {arms} treatments {_has(small)} fewer than {FEWEST_OF_ARM} people with "
                f"an outcome ({left_out} in all). Nothing is learned from these people and no comparison shows "
                "these treatments. Merge them with others (values_map) to keep them.",
            )
        )
    if len(small) == arms:
        found.append(
            Finding(
                "treatments",
                target.treatment,
                "fatal",
                arms,
                f"{where}: no treatment has {FEWEST_OF_ARM} people with an outcome. Merge treatments (values_map), or "
                "leave target.treatment out.",
            )
        )
    elif arms - len(small) == 1:
        found.append(
            Finding(
                "treatments",
                target.treatment,
                "warning",
                1,
                f"{where}: only one treatment has {FEWEST_OF_ARM} people with an outcome, so no treatments are "
                "compared.",
            )
        )
    return found


def _people_findings(kept: pl.DataFrame, target: Target) -> list[Finding]:
    if kept.height >= FEWEST_PEOPLE:
        return []
    also = {"change": " and baseline"}.get(target.kind, "") + (" and a treatment" if target.treatment else "")
    return [
        Finding(
            "outcomes",
            target.outcome,
            "fatal",
            kept.height,
            f'target.outcome "{target.outcome}": only {kept.height} people have an outcome{also}; at least '
            f"{FEWEST_PEOPLE} are needed to predict anything. Leave `target` out to harmonise and find strata only.",
        )
    ]


def _outcome_findings(kept: pl.DataFrame, target: Target) -> list[Finding]:
    """Refuse what does not vary among those who can be analysed: who was left out may have made the difference."""
    if not kept.height:
        return []
    classes = target.kind in ("binary", "multiclass")
    where, count = f'target.outcome "{target.outcome}"', kept.height
    if (kept["label"].n_unique() == 1) if classes else _is_constant(kept["response_value"]):
        what = "the change from baseline" if target.kind == "change" else "the outcome"
        same = "has one class only" if classes else "is the same for everyone"
        message = f"{where}: {what} {same} of {count} people who can be analysed, so nothing can be learned."
        return [Finding("outcomes", target.outcome, "fatal", count, message)]
    if target.response is not None and kept["responded"].drop_nulls().n_unique() == 1:
        who = "every one" if kept["responded"].max() == 1 else "none"
        message = (
            f"target.response: {who} of {count} people meets the rule, so figures on responders are not computed; "
            "the values themselves are predicted. Look at the rule and at the outcome's unit."
        )
        return [Finding("outcomes", target.outcome, "warning", count, message)]
    return []


def _direction_findings(kept: pl.DataFrame, target: Target) -> list[Finding]:
    """Nothing in the values of an outcome says which end is the good one, and treatments are ordered by it."""
    if target.kind != "continuous" or target.treatment is None or not kept.height:
        return []
    message = (
        f'target.outcome "{target.outcome}": treatments are compared by it, and a larger value is taken as better. '
        "Where a smaller one is better (pain), give the baseline and kind: change, or values with the other sign."
    )
    return [Finding("outcomes", target.outcome, "warning", kept.height, message)]


def _is_constant(values: pl.Series) -> bool:
    """Whether values differ by no more than rounding of their differences leaves: 5.3 - 3.3 is not quite 2."""
    low, high = min(values.to_list()), max(values.to_list())
    return bool(high - low <= 1e-9 * max(1.0, abs(low), abs(high)))


def _class_findings(kept: pl.DataFrame, target: Target) -> list[Finding]:
    if target.kind not in ("binary", "multiclass") or kept["label"].n_unique() < 2:
        return []
    counts = kept["label"].value_counts()
    single = counts.filter(pl.col("count") == 1).height
    rare = counts.filter(pl.col("count").is_between(2, _FEWEST_OF_CLASS - 1))
    found, where = [], f'target.outcome "{target.outcome}"'
    if single:
        message = (
            f"{where}: {single} of {counts.height} classes {'has' if single == 1 else 'have'} one person only, who "
            "cannot be both learned from and tested on. Merge rare classes (values_map), or leave their people out."
        )
        found.append(Finding("outcomes", target.outcome, "fatal", single, message))
    if rare.height:
        fewest = min(rare["count"].to_list())
        message = (
            f"{where}: {rare.height} of {counts.height} classes {'has' if rare.height == 1 else 'have'} fewer than "
            f"{_FEWEST_OF_CLASS} people (the rarest: {fewest}). Their figures are exploratory at best."
        )
        found.append(Finding("outcomes", target.outcome, "warning", int(rare["count"].sum()), message))
    return found


def _group_findings(kept: pl.DataFrame, target: Target) -> list[Finding]:
    """Say what becomes of the estimate that leaves one group out at a time; the main estimate does not depend on it."""
    if target.groups is None or not kept.height:
        return []
    counts = kept["group"].fill_null("").value_counts(sort=True)
    where, groups = f'target.groups "{target.groups}"', counts.height
    if groups == 1:
        message = f"{where}: everybody is in one group, so there is no estimate on groups left out whole."
        return [Finding("patients", target.groups, "warning", kept.height, message)]
    largest = int(counts["count"][0])
    unlearnable = counts.filter(kept.height - pl.col("count") < FEWEST_TO_LEARN).height
    found = []
    if largest > _MOST_SHARE * kept.height:
        rest = "nothing can be learned from the rest, and it" if unlearnable else "that estimate"
        told = "is left out of the second estimate" if unlearnable else "rests on few people"
        message = (
            f"{where}: one of {groups} groups holds {largest} of {kept.height} people. Without it {rest} {told}; "
            "the first estimate, by folds of people, is as usual."
        )
        found.append(Finding("patients", target.groups, "warning", largest, message))
    if groups < 5:
        message = (
            f"{where}: {groups} groups, fewer than the usual 5 folds. The estimate that leaves one group out at a time "
            f"has {groups} parts; the first estimate, by folds of people, does not depend on groups."
        )
        found.append(Finding("patients", target.groups, "info", groups, message))
    return found


def _lonely_arm_findings(kept: pl.DataFrame, people: pl.DataFrame, target: Target) -> list[Finding]:
    """Name treatments that one group alone gave: there the treatment cannot be told from the place."""
    if target.treatment is None:
        return []
    places = kept["group"] if target.groups is not None else people["site"] if "site" in people.columns else None
    if places is None:
        return []
    named = target.groups or "site"
    both = pl.DataFrame({"arm": kept["treatment"], "place": places.cast(pl.String)}).drop_nulls()
    both = both.filter(pl.len().over("place") >= FEWEST_OF_ARM)  # a place of three people lacks treatments by chance
    if both["place"].n_unique() < 2 or both["arm"].n_unique() < 2:
        return []
    places_of = both.group_by("arm").agg(pl.col("place").n_unique(), people=pl.len())
    lonely = places_of.filter(pl.col("place") == 1).sort("arm")
    if not lonely.height:
        return []
    arms = lonely["arm"].to_list()
    message = (
        f'target.treatment "{target.treatment}": {_named(arms)} {_was(arms)} given '
        f"in one {named} alone of {both['place'].n_unique()}. Its difference from other treatments cannot be told from "
        f"that {named}'s, so no comparison with it holds for the others, and it cannot be predicted where that {named} "
        "is left out of training."
    )
    return [Finding("treatments", target.treatment, "warning", int(lonely["people"].sum()), message)]


def _copy_finding(copy: OutcomeCopy, catalogue: pl.DataFrame, target: Target) -> Finding:
    entry = catalogue.row(by_predicate=pl.col("feature") == copy.feature, named=True)
    file, column = entry.get("source_file"), entry.get("source_column")
    origin = f" ({file}{f', column {column}' if column else ''})" if file else ""
    what = {
        "outcome": f"follows the outcome (correlation {copy.correlation:.4f} in {copy.people} people)",
        "class": f"tells all classes of {copy.people} people apart without an error",
    }[copy.of]
    message = (
        f'feature "{copy.feature}"{origin}: {what}, as a copy of target.outcome "{target.outcome}" would. It is used '
        "as any other feature: leave it out (drop:), unless it really was measured before treatment."
    )
    return Finding(entry["modality"], copy.feature, "warning", copy.people, message)


def _named(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(f'"{word}"' for word in words[:_SHOWN]) + more


def _has(words: Sequence[str]) -> str:
    return "has" if len(words) == 1 else "have"


def _was(words: Sequence[str]) -> str:
    return "was" if len(words) == 1 else "were each"
