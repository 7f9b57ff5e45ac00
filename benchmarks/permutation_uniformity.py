"""Is the permutation p uniform where there is nothing to find? Cohorts of pure noise, the whole pipeline each time.

python benchmarks/permutation_uniformity.py [--cohorts 40] [--permutations 39] [--people 150] [--kind change binary]

Neither a feature nor one of the four treatments tells the outcome. Prints the p values, Kolmogorov and Smirnov's test
against uniform, the share below 0.05 and the mean headline of real and dealt outcomes, which must agree.
Cheap settings (one linear learner, 3 x 3 folds): the question is whether the test is valid, not how sharp it is.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from scipy.stats import kstest  # noqa: E402

from nociomics.evaluate.permutation import headline_value, permutation_p  # noqa: E402
from nociomics.models.permutation import permuted_outcomes  # noqa: E402
from nociomics.models.response import out_of_fold  # noqa: E402
from nociomics.models.settings import BlockSettings, ResponseSettings, SplitSettings  # noqa: E402
from nociomics.models.study_splits import study_splits  # noqa: E402
from nociomics.models.value_model import Training  # noqa: E402
from nociomics.tables.progress import Progress  # noqa: E402
from nociomics.tables.study import ResponseRule, Target  # noqa: E402

ARMS = ("drug", "other drug", "talk", "walk")
FEATURES = 12
TARGETS = {
    "change": Target(
        kind="change", outcome="later", baseline="pain", treatment="arm", response=ResponseRule(fall_points=2)
    ),
    "binary": Target(kind="binary", outcome="better", treatment="arm"),
}
LEARNERS = {"change": ["ridge"], "binary": ["plain_l2"]}


def null_cohort(people: int, seed: int, kind: str) -> tuple[Training, pl.DataFrame]:
    """Return people whose features say nothing of their outcome, and their folds."""
    rng = np.random.default_rng(seed)
    ids = [f"P{number:04d}" for number in range(people)]
    names = ["pain", *(f"feature_{number:02d}" for number in range(1, FEATURES))]
    values = rng.normal(size=(people, FEATURES))
    values[:, 0] = 6 + values[:, 0]
    features = pl.DataFrame({"patient_id": ids, **dict(zip(names, values.T, strict=True))})
    arm = rng.integers(0, len(ARMS), people)
    fall = 2 + 1.5 * rng.normal(size=people)
    responded = (fall >= 2).astype(float)
    text = pl.Series([str(int(one)) for one in responded])
    rows = pl.DataFrame(
        {
            "patient_id": ids,
            "treatment": [ARMS[one] for one in arm],
            "assignment": ["randomised"] * people,
            "baseline": values[:, 0],
            "outcome": values[:, 0] - fall if kind == "change" else responded,
            "label": text if kind == "binary" else pl.Series([None] * people, dtype=pl.String),
            "response_value": fall if kind == "change" else pl.Series([None] * people, dtype=pl.Float64),
            "responded": responded,
            "adverse_event": pl.Series([None] * people, dtype=pl.Float64),
            "group": [f"site_{number % 3}" for number in range(people)],
        }
    )
    folds = SplitSettings(outer_folds=3, inner_folds=3, repeats=1)
    splits, _ = study_splits(rows, features, _catalogue(names), None, folds, seed)
    return Training(features, _catalogue(names), rows, np.zeros(people, dtype=int)), splits


def _catalogue(names: list[str]) -> pl.DataFrame:
    same = {
        "modality": "clinical",
        "unit": "as given",
        "measured_at": "baseline",
        "description": "invented",
        "missing_share": 0.0,
        "kind": "numeric",
    }
    nothing = {"within": pl.String, "low": pl.Float64, "high": pl.Float64}
    return (
        pl.DataFrame({"feature": names, "group": names})
        .with_columns(pl.lit(value).alias(name) for name, value in same.items())
        .with_columns(pl.lit(None, kind).alias(name) for name, kind in nothing.items())
    )


def judge(people: int, seed: int, kind: str, permutations: int) -> dict[str, float]:
    """One cohort's p value, with its headline and the mean of those of dealt outcomes."""
    study, splits = null_cohort(people, seed, kind)
    settings = ResponseSettings(candidates=LEARNERS[kind])
    found = []
    for number in range(permutations + 1):
        rows = permuted_outcomes(study.rows, study.features, seed + number) if number else study.rows
        made = out_of_fold(replace(study, rows=rows), splits, TARGETS[kind], BlockSettings(), settings, seed)
        found.append(headline_value(made, rows, TARGETS[kind])[1])
    p = permutation_p(found[0], np.array(found[1:]), people).value
    return {"p": float("nan") if p is None else p, "real": found[0], "dealt": float(np.mean(found[1:]))}


def main() -> None:
    """Judge the cohorts of every kind that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=40)
    parser.add_argument("--permutations", type=int, default=39)
    parser.add_argument("--people", type=int, default=150)
    parser.add_argument("--kind", nargs="+", default=list(TARGETS), choices=list(TARGETS))
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("nociomics.tables.progress").setLevel(logging.INFO)
    for kind in asked.kind:
        started, progress, rows = time.process_time(), Progress(kind, "cohorts", asked.cohorts), []
        for seed in range(asked.cohorts):
            rows.append(judge(asked.people, 1000 * (seed + 1), kind, asked.permutations))
            progress.advance(1)
        p = np.array([row["p"] for row in rows])
        # p lies on a grid of 1 / (permutations + 1): half a step down centres it
        test = kstest(p - 0.5 / (asked.permutations + 1), "uniform")
        means = {name: np.mean([row[name] for row in rows]) for name in ("real", "dealt")}
        spread = np.std([row["real"] for row in rows], ddof=1) / np.sqrt(len(rows))
        print(f"{kind}: p values {' '.join(f'{one:.3f}' for one in np.sort(p))}")
        print(
            f"{kind}: KS p {test.pvalue:.3f}, {np.mean(p <= 0.05):.3f} at most 0.05, mean p {p.mean():.3f}, "
            f"mean AUROC {means['real']:.3f} (SE {spread:.3f}), dealt {means['dealt']:.3f}, "
            f"{time.process_time() - started:.0f} s of CPU"
        )


if __name__ == "__main__":
    main()
