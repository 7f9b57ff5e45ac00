"""Is the value that a run reports for the model's choice near the truth? Invented cohorts, whose truth is known.

python benchmarks/policy_values.py [--assignment observational] [--seeds 6] [--first 0] [--people 600] [--cache DIR]

Per cohort, with the propensities that a run would use and with the true ones: estimated value of the model's choice,
its error (estimate less the same people's true mean under the same choices, in points), its standard error, the same of
the gain over the best fixed arm, the mean absolute error of the arms' means, and whether 95 % intervals cover.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from benchmarks.response_cohorts import TARGET, KnownCohort, known_cohort  # noqa: E402
from benchmarks.response_figures import markdown  # noqa: E402

from nociomics.evaluate.panel import Panel, Scores, build_panel, panel_scores  # noqa: E402
from nociomics.evaluate.policy import best_fixed_by_fold, mean_value, policy_difference, policy_value  # noqa: E402
from nociomics.models.propensity import cross_fitted_propensities  # noqa: E402
from nociomics.models.response import out_of_fold  # noqa: E402
from nociomics.models.settings import BlockSettings, ResponseSettings  # noqa: E402
from nociomics.tables.progress import Progress  # noqa: E402


def true_falls(cohort: KnownCohort, panel: Panel) -> np.ndarray:
    """Fall that would have been recorded of every person of the panel under every arm, but for error of the report."""
    ordered = pl.DataFrame({"patient_id": panel.patient_ids}).join(
        cohort.truth, on="patient_id", how="left", maintain_order="left"
    )
    measured = pl.DataFrame({"patient_id": panel.patient_ids}).join(
        cohort.rows, on="patient_id", how="left", maintain_order="left"
    )["baseline"]
    ends = ordered["baseline"].to_numpy()[:, None] - ordered.select(f"fall_{arm}" for arm in panel.arms).to_numpy()
    return measured.cast(pl.Float64).fill_null(np.nan).to_numpy()[:, None] - np.clip(ends, 0, 10)


def true_propensities(cohort: KnownCohort, arms: list[str]) -> pl.DataFrame:
    """As the generator drew the arms, laid out as a run's own."""
    wide = cohort.truth.select("patient_id", *(pl.col(f"propensity_{arm}").alias(arm) for arm in arms))
    return wide.unpivot(index="patient_id", variable_name="treatment", value_name="propensity")


def judge(panel: Panel, scores: Scores, truth: np.ndarray) -> dict[str, float]:
    """Set the estimates of the only repeat beside the truth of the same people."""
    layer, among = scores.values[0], truth[scores.people]
    model = panel.expected[0, scores.people].argmax(axis=1)
    fixed = best_fixed_by_fold(layer, panel.fold[0, scores.people])
    people = np.arange(model.size)
    value, gain = policy_value(layer, model), policy_difference(layer, model, fixed)
    true_value = float(np.nanmean(among[people, model]))
    true_gain = true_value - float(np.nanmean(among[people, fixed]))
    arms = [mean_value(layer[:, k]) for k in range(len(panel.arms))]
    true_arms = np.nanmean(among, axis=0)
    return {
        "within_overlap": float(scores.people.size),
        "value": value.value,
        "error": value.value - true_value,
        "se": value.se,
        "covered": float(value.lower <= true_value <= value.upper),
        "gain": gain.value,
        "gain_error": gain.value - true_gain,
        "gain_covered": float(gain.lower <= true_gain <= gain.upper),
        "arm_error": float(np.mean([abs(one.value - told) for one, told in zip(arms, true_arms, strict=True)])),
        "arms_covered": float(np.mean([a.lower <= t <= a.upper for a, t in zip(arms, true_arms, strict=True)])),
    }


def judge_cohort(number: int, people: int, assignment: str, cache: Path) -> list[dict[str, float | str]]:
    """Predict one cohort out of fold and judge what would be reported."""
    cohort = known_cohort(cache, people, 100 + number, number, "endotypes", assignment)
    blocks = BlockSettings()
    made = out_of_fold(cohort.training, cohort.splits, TARGET, blocks, ResponseSettings(), seed=1)
    panel = build_panel(made, cohort.rows, TARGET)
    if panel is None:
        raise SystemExit(f"cohort {number}: fewer than two arms can be compared")
    own = None if panel.randomised else cross_fitted_propensities(cohort.training, cohort.splits, blocks)
    truth = true_falls(cohort, panel)
    as_told = replace(panel, randomised=False)  # else the shares of the arms would be taken
    found = {
        "a run's": panel_scores(panel, own),
        "true": panel_scores(as_told, true_propensities(cohort, panel.arms)),
    }
    return [
        {"propensities": name, "cohort": number, **judge(panel, scores, truth)}
        for name, scores in found.items()
        if scores is not None
    ]


def main() -> None:
    """Judge the cohorts and print every one, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assignment", default="observational", choices=["observational", "randomised"])
    parser.add_argument("--seeds", type=int, default=6, help="cohorts")
    parser.add_argument("--first", type=int, default=0, help="number of the first cohort (its world and its seed)")
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--cache", type=Path, default=Path("results/figures/cohorts"))
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("nociomics.tables.progress").setLevel(logging.INFO)
    rows, progress = [], Progress("policy values", "cohorts", asked.seeds)
    for number in range(asked.first, asked.first + asked.seeds):
        rows += judge_cohort(number, asked.people, asked.assignment, asked.cache)
        progress.advance(1)
    table = pl.DataFrame(rows)
    figures = pl.selectors.float()
    means = table.group_by("propensities", maintain_order=True).agg(
        pl.len().alias("cohorts"),
        figures.mean(),
        (pl.col("error").std() / pl.len().sqrt()).alias("se_of_mean_error"),
    )
    for one in (table, means):
        print(markdown(one.with_columns(figures.round(3))))


if __name__ == "__main__":
    main()
