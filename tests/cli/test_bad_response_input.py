"""Outcomes, treatments and groups that cannot carry a response model: refused or warned by name, never a crash."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from nociomics.config import SECTIONS, load_config
from tests.cli.conftest import Command, Told

PEOPLE = 90


def _learners(kind: str) -> list[str]:
    return ["plain_l2"] if kind in ("binary", "multiclass") else ["ridge", "forest"]


@dataclass
class Cohort:
    """Columns of a small sound study, which a test spoils."""

    kind: str = "change"
    people: int = PEOPLE
    assignment: str = "randomised"
    target: dict[str, Any] = field(default_factory=dict)
    every_learner: bool = False

    def __post_init__(self) -> None:
        rng = np.random.default_rng(1)
        n = self.people
        self.noise = rng.normal(size=n).round(2)
        self.patients: dict[str, np.ndarray] = {
            "age": rng.normal(50, 10, n).round(1),
            "sex": rng.choice(["F", "M"], n),
            "site": np.array([f"s{number % 3}" for number in range(n)]),
            "pain": rng.uniform(4, 9, n).round(1),
        }
        self.arm = np.array([("drug", "talk")[number] for number in rng.integers(0, 2, n)], dtype=object)
        fall = 1.5 + (self.patients["age"] - 50) / 20 + rng.normal(size=n)
        self.outcome: np.ndarray = (self.patients["pain"] - fall).round(2)
        if self.kind == "binary":
            self.outcome = (fall > np.median(fall)).astype(int)
        if self.kind == "multiclass":
            self.outcome = np.array(["x", "y", "z"], dtype=object)[np.digitize(fall, np.quantile(fall, [1 / 3, 2 / 3]))]

    def written(self, folder: Path) -> Path:
        """Write the tables; return the study file."""
        folder.mkdir(parents=True)
        ids = [f"SECRET-{number:03d}" for number in range(self.people)]
        tables: Mapping[str, Mapping[str, Any]] = {
            "patients": self.patients,
            "treatments": {"arm": list(self.arm), "assignment": [self.assignment] * self.people},
            "outcomes": {"later": list(self.outcome)},
        }
        for name, columns in tables.items():
            pl.DataFrame({"patient_id": ids, **columns}).write_csv(folder / f"{name}.csv")
        change = {"baseline": "pain", "response": {"fall_percent": 30}} if self.kind == "change" else {}
        target = {"kind": self.kind, "outcome": "later", "treatment": "arm", **change, "groups": "site", **self.target}
        study = {
            "study": "spoiled",
            "tables": {name: f"{name}.csv" for name in tables},
            "target": {key: value for key, value in target.items() if value is not None},
            "folds": {"outer_folds": 3, "inner_folds": 3, "repeats": 1},
            "response": {
                "refits": 2,
                "refits_in_folds": 1,
                "trees": 4,
                "candidates": [] if self.every_learner else _learners(self.kind),
            },
            "tracking": {"enabled": False},
        }
        (folder / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
        return folder / "study.yaml"


@dataclass(frozen=True)
class Stages:
    """The commands of a run from the tables to its figures, each as its rule calls it."""

    study: Path
    results: Path
    nociomics: Command

    def section(self, name: str) -> str:
        return str(getattr(load_config(self.study), name).model_dump_json())

    def call(self, *words: object) -> None:
        told = self.nociomics(*words)
        assert told.exit == 0, told

    def harmonise(self) -> None:
        own = load_config(self.study).model_dump(mode="json", exclude=set(SECTIONS))
        asked, ingested = json.dumps(own), self.results / "ingested"
        self.call("ingest", "tables", "--study", asked, "--data", self.study.parent, "--output", ingested)
        words = ("harmonise", "features", "--study", asked, "--ingested", ingested)
        self.call(*words, "--output", self.results / "harmonised")

    def tables(self) -> list[object]:
        folder = self.results / "harmonised"
        words = ("--target-rows", folder / "target.parquet", "--features", folder / "features.parquet")
        return [*words, "--catalogue", folder / "feature_catalogue.parquet", "--target", self.section("target")]

    def split(self) -> Told:
        made = [("--splits", "splits"), ("--duplicates", "duplicates"), ("--group-splits", "group_splits")]
        paths = [word for flag, name in made for word in (flag, self.results / f"{name}.parquet")]
        settings = ("--settings", self.section("folds"), "--seed", 1)
        return self.nociomics("response", "splits", *self.tables(), *settings, *paths)

    def predict(self) -> pl.DataFrame:
        fixed = [*self.tables(), "--blocks", self.section("blocks"), "--settings", self.section("response")]
        fixed += ["--seed", 1]
        for name, splits, skip in (
            ("out_of_fold", "splits", []),
            ("held_out_groups", "group_splits", ["--skip-unlearnable"]),
        ):
            output = self.results / f"{name}.parquet"
            at = ("--splits", self.results / f"{splits}.parquet", "--output", output)
            self.call("response", "cross-validate", *fixed, *at, *skip)
        return pl.read_parquet(self.results / "out_of_fold.parquet")

    def resample(self) -> list[object]:
        """Permute twice and learn from a quarter; return what an evaluation takes of it."""
        fixed = [*self.tables(), "--blocks", self.section("blocks"), "--settings", self.section("response")]
        fixed += ["--splits", self.results / "splits.parquet", "--seed", 1, "--output"]
        dealt, fewer = self.results / "permutations.parquet", self.results / "0.25.parquet"
        self.call("resampling", "permute", *fixed, dealt, "--first", 0, "--count", 3)
        self.call("resampling", "learn-from-fewer", *fixed, fewer, "--share", 0.25)
        return ["--permutations", dealt, "--learning", fewer]

    def evaluate(self, *further: object) -> tuple[dict[str, Any], dict[str, Any]]:
        splits = ("--splits", self.results / "splits.parquet")
        chances = [
            word
            for flag, name in (
                ("--propensities", "propensities.parquet"),
                ("--observation", "observation.parquet"),
                ("--model", "propensity.json"),
            )
            for word in (flag, self.results / name)
        ]
        self.call("propensity", "estimate", *self.tables(), *splits, "--blocks", self.section("blocks"), *chances)
        given = [
            word
            for flag, name in (
                ("--out-of-fold", "out_of_fold.parquet"),
                ("--held-out-groups", "held_out_groups.parquet"),
                ("--propensity", "propensities.parquet"),
                ("--propensity-model", "propensity.json"),
                ("--observation", "observation.parquet"),
            )
            for word in (flag, self.results / name)
        ]
        output = self.results / "evaluation"
        words = (*self.tables(), *splits, *given, *further, "--seed", 1, "--output", output)
        self.call("evaluate", "response", *words)
        names = ("metrics.json", "gate.json")
        metrics, gate = (json.loads((output / name).read_text(encoding="utf-8")) for name in names)
        return metrics, gate


Spoil = Callable[[Cohort], None]


def checked(cohort: Cohort, tmp_path: Path, nociomics: Command) -> Told:
    told = nociomics("check", cohort.written(tmp_path / "study"))
    assert "Traceback" not in told.err and "SECRET" not in told.err + told.out
    return told


def stages(cohort: Cohort, tmp_path: Path, nociomics: Command) -> Stages:
    made = Stages(cohort.written(tmp_path / "staged"), tmp_path / "results", nociomics)
    made.harmonise()
    return made


def through(cohort: Cohort, tmp_path: Path, nociomics: Command) -> tuple[Stages, dict[str, Any], dict[str, Any]]:
    """Run every stage to the figures; all of them end well."""
    made = stages(cohort, tmp_path, nociomics)
    told = made.split()
    assert told.exit == 0, told
    made.predict()
    metrics, gate = made.evaluate()
    values = [figure[key] for figure in metrics.values() for key in ("value", "lower", "upper")]
    assert all(value is None or math.isfinite(value) for value in values)
    return made, metrics, gate


def test_a_sound_cohort_has_nothing_to_say(tmp_path: Path, nociomics: Command) -> None:
    told = checked(Cohort(), tmp_path, nociomics)
    assert told.exit == 0
    assert "warning: " not in told.out


# -- refused by name, by `check` and by the first rule that would learn


def same_change(cohort: Cohort) -> None:
    cohort.outcome = (cohort.patients["pain"] - 2).round(2)


def one_class_of_the_treated(cohort: Cohort) -> None:
    cohort.arm[cohort.outcome == 1] = ""


def a_class_of_one(cohort: Cohort) -> None:
    cohort.outcome[0] = "lonely"


def many_arms(cohort: Cohort) -> None:
    cohort.arm[:] = [f"arm {number % 15}" for number in range(cohort.people)]


REFUSED: dict[str, tuple[Cohort, Spoil, list[str]]] = {
    "fewer than 30 people": (
        Cohort(people=29),
        lambda _: None,
        ['target.outcome "later": only 29 people', "at least 30", "Leave `target` out"],
    ),
    "nobody changed": (Cohort(), same_change, ['"later": the change from baseline is the same for everyone of 90']),
    "one class among the treated": (
        Cohort(kind="binary"),
        one_class_of_the_treated,
        ['"later": the outcome has one class only of 45 people who can be analysed'],
    ),
    "a class of one person": (
        Cohort(kind="multiclass", target={"treatment": None}),
        a_class_of_one,
        ['"later": 1 of 4 classes has one person only', "Merge rare classes"],
    ),
    "no treatment of ten people": (
        Cohort(),
        many_arms,
        ['target.treatment "arm": no treatment has 10 people with an outcome', "only 0 people have an outcome"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_nothing_can_be_learned_from_is_refused(name: str, tmp_path: Path, nociomics: Command) -> None:
    cohort, spoil, words = REFUSED[name]
    spoil(cohort)
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 1 and told.err.startswith("ERROR: "), told
    assert [word for word in words if word not in told.err] == []
    made = stages(cohort, tmp_path, nociomics)
    refused = made.split()
    assert refused.exit == 1 and refused.err.startswith("ERROR: "), refused
    assert [word for word in words[:1] if word not in refused.err] == [], "a run says what `check` says"
    assert not (made.results / "splits.parquet").exists()
    findings = pl.read_parquet(made.results / "harmonised" / "findings.parquet")
    assert "fatal" in findings["severity"].to_list(), "so that the data-quality page can say it too"


@pytest.mark.parametrize("kind", ["change", "binary"])
def test_a_constant_outcome_is_refused_by_its_file(kind: str, tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort(kind=kind)
    cohort.outcome = np.ones(cohort.people, dtype=int)
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 1
    assert 'outcomes.csv, column "later": the outcome' in told.err


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: c.patients.update(pain_week12=c.noise), ["looks measured after treatment", "leave it out"]),
        (lambda c: c.patients.update(later=c.noise), ["is the outcome that is to be predicted"]),
    ],
    ids=["by its name", "the outcome itself"],
)
def test_a_feature_of_after_treatment_is_refused(
    spoil: Spoil, words: list[str], tmp_path: Path, nociomics: Command
) -> None:
    cohort = Cohort()
    spoil(cohort)
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 1
    assert [word for word in ("patients.csv", *words) if word not in told.err] == []


# -- warned by name, with what is done instead


def test_a_treatment_of_few_people_is_left_out_and_said(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort()
    cohort.arm[:9] = "rare"
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 0
    assert 'target.treatment "arm": "rare" of 3 treatments has fewer than 10 people' in told.out
    made, metrics, gate = through(cohort, tmp_path, nociomics)
    predicted = pl.read_parquet(made.results / "out_of_fold.parquet")
    assert predicted["treatment"].unique().sort().to_list() == ["drug", "talk"]
    assert predicted["patient_id"].n_unique() == PEOPLE, "its people are predicted under the others"
    assert metrics["n"]["value"] == PEOPLE - 9, "and count in no figure"
    assert gate["best_fixed"] in ("drug", "talk")
    flow = pl.read_parquet(made.results / "harmonised" / "cohort_flow.parquet")
    assert flow.row(-2)[1:] == (PEOPLE - 9, 9, "fewer than 10 people with an outcome got their treatment")
    assert flow.row(-1)[1:3] == (PEOPLE - 9, 9)


def test_two_treatments_of_which_one_is_rare_are_not_compared(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort()
    cohort.arm[:] = "drug"
    cohort.arm[:6] = "talk"
    told = checked(cohort, tmp_path, nociomics)
    assert "only one treatment has 10 people with an outcome" in told.out
    _, metrics, gate = through(cohort, tmp_path, nociomics)
    assert not gate["individual_recommendations"]
    assert metrics.get("policy_gain", {}).get("value") is None


@pytest.mark.parametrize("assignment", ["randomised", "observational"])
def test_a_treatment_of_one_site_is_named_and_stops_nothing(
    assignment: str, tmp_path: Path, nociomics: Command
) -> None:
    cohort = Cohort(assignment=assignment)
    at_first = np.flatnonzero(cohort.patients["site"] == "s0")
    cohort.arm[at_first[:14]] = "local"
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 0
    assert 'target.treatment "arm": "local" was given in one site alone of 3' in told.out
    made, _, _ = through(cohort, tmp_path, nociomics)
    held_out = pl.read_parquet(made.results / "held_out_groups.parquet")
    known = held_out.group_by("outer_fold").agg(pl.col("treatment").unique().sort()).sort("outer_fold")
    assert "local" not in known["treatment"][0], "nobody outside that site got it, so nothing is said of it there"
    assert "local" in known["treatment"][1]


def test_classes_that_one_feature_separates_are_named_and_stay_finite(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort(kind="binary")
    cohort.patients["marker"] = np.where(cohort.outcome == 1, 5.0, -5.0) + np.clip(cohort.noise, -2, 2)
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 0
    assert 'feature "marker" (patients.csv, column marker): tells all classes of 90 people apart' in told.out
    made, metrics, _ = through(cohort, tmp_path, nociomics)
    chances = pl.read_parquet(made.results / "out_of_fold.parquet")["p_response"]
    assert chances.null_count() == 0 and chances.is_between(0, 1).all()
    assert metrics["auroc"]["value"] == 1.0
    assert metrics["calibration_slope"]["value"] is None
    assert "separate the events" in metrics["calibration_slope"]["method"]


def test_a_feature_that_copies_the_outcome_is_named(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort()
    cohort.patients["score"] = (3 + 2 * cohort.outcome).round(3)
    cohort.patients["curve"] = np.exp(-cohort.outcome).round(9)
    cohort.patients["alike"] = cohort.outcome + cohort.noise
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 0
    for name in ("score", "curve"):
        assert f'feature "{name}" (patients.csv, column {name}): follows the outcome' in told.out
    assert 'feature "alike"' not in told.out, "a good predictor is no copy"


def test_a_word_that_copies_the_class_is_named(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort(kind="multiclass", target={"treatment": None})
    cohort.patients["group"] = np.array([{"x": "mild", "y": "bad", "z": "worse"}[one] for one in cohort.outcome])
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 0
    assert 'feature "group" (patients.csv, column group): tells all classes of 90 people apart' in told.out


def test_groups_of_nearly_everybody_leave_the_first_estimate_as_it_is(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort()
    cohort.patients["site"] = np.array(["s0"] * 80 + ["s1"] * 10)
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 0
    assert 'target.groups "site": one of 2 groups holds 80 of 90 people' in told.out
    assert "2 groups, fewer than the usual 5 folds" in told.out
    made, metrics, _ = through(cohort, tmp_path, nociomics)
    assert metrics["auroc"]["value"] is not None
    held_out = pl.read_parquet(made.results / "held_out_groups.parquet")
    assert held_out["patient_id"].n_unique() == 10, "nothing can be learned from ten people about the other eighty"


def test_one_group_of_everybody_gives_no_second_estimate(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort()
    cohort.patients["site"] = np.array(["s0"] * PEOPLE)
    told = checked(cohort, tmp_path, nociomics)
    assert "everybody is in one group, so there is no estimate on groups left out whole" in told.out
    _, metrics, _ = through(cohort, tmp_path, nociomics)
    assert metrics["held_out_groups"]["value"] is None


def test_a_response_that_nobody_has_leaves_the_values(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort(target={"response": {"fall_points": 50}})
    told = checked(cohort, tmp_path, nociomics)
    assert "target.response: none of 90 people meets the rule" in told.out
    _, metrics, _ = through(cohort, tmp_path, nociomics)
    assert metrics["auroc"]["value"] is None
    assert metrics["mae"]["value"] is not None


def test_a_rare_class_is_named(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort(kind="multiclass", target={"treatment": None})
    cohort.outcome[:4] = "rare"
    told = checked(cohort, tmp_path, nociomics)
    assert told.exit == 0
    assert '"later": 1 of 4 classes has fewer than 10 people (the rarest: 4)' in told.out
    _, metrics, _ = through(cohort, tmp_path, nociomics)
    assert metrics["accuracy"]["value"] is not None


def test_thirty_people_are_enough_to_try(tmp_path: Path, nociomics: Command) -> None:
    cohort = Cohort(people=30)
    assert checked(cohort, tmp_path, nociomics).exit == 0
    _, metrics, gate = through(cohort, tmp_path, nociomics)
    assert metrics["n"]["value"] == 30
    assert gate["exploratory"]


def one_arm_of_ten(cohort: Cohort) -> None:
    cohort.arm[:] = ["talk" if number % 3 == 0 else "drug" for number in range(cohort.people)]


def nobody_reached_the_end(cohort: Cohort) -> None:
    """Every second outcome of one treatment is lacking: 10 people of it have one."""
    cohort.arm[:] = ["talk" if number < 20 else "drug" for number in range(cohort.people)]
    cohort.outcome = np.array([None if n < 20 and n % 2 else value for n, value in enumerate(cohort.outcome)], object)


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("change", one_arm_of_ten),
        ("change", nobody_reached_the_end),
        ("continuous", nobody_reached_the_end),
        ("binary", one_arm_of_ten),
        ("multiclass", nobody_reached_the_end),
    ],
)
def test_a_quarter_of_a_small_study_is_learned_from_or_left_out_and_said(
    kind: str, spoil: Spoil, tmp_path: Path, nociomics: Command
) -> None:
    cohort = Cohort(kind=kind, people=40, every_learner=True)
    spoil(cohort)
    made = stages(cohort, tmp_path, nociomics)
    assert made.split().exit == 0
    made.predict()
    metrics, _ = made.evaluate(*made.resample())
    values = [figure[key] for figure in metrics.values() for key in ("value", "lower", "upper")]
    assert all(value is None or math.isfinite(value) for value in values)
    assert metrics["permutation_p"]["value"] in (1 / 3, 2 / 3, 1.0)
    curve = json.loads((made.results / "evaluation" / "curves.json").read_text())["learning"]
    assert [point["share"] for point in curve][-1] == 1.0
    assert all(point["value"] is None or math.isfinite(point["value"]) for point in curve)
