"""How much of what can be known do the response models find? Invented cohorts, judged on 3,000 new patients each.

python benchmarks/response_figures.py [--cases full_600 ...] [--seeds 5] [--people N] [--cache DIR] [--out DIR]

Each row is one cohort: worlds and seeds differ. Shares are of the observable oracle (tests/simulate/oracle.py):
``auroc_share`` = (AUROC - .5) / (AUROC of the oracle - .5) and ``gain`` = (value - best fixed) / (oracle's value - best
fixed), values being the true mean chance of a response. ``gated_gain`` is what a run would really have recommended.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from benchmarks.response_cohorts import TARGET, KnownCohort, known_cohort  # noqa: E402

from nociomics.evaluate.calibration import (  # noqa: E402
    brier,
    calibration_in_the_large,
    integrated_calibration_index,
    logistic_recalibration,
)
from nociomics.evaluate.discrimination import auroc  # noqa: E402
from nociomics.evaluate.study_metrics import evaluate_study  # noqa: E402
from nociomics.models.response import fit_response, out_of_fold, predict_response  # noqa: E402
from nociomics.models.settings import BlockSettings, ResponseSettings  # noqa: E402
from nociomics.simulate.mechanisms import ARMS  # noqa: E402
from nociomics.tables.progress import Progress  # noqa: E402

NEW_PEOPLE = 3000


@dataclass(frozen=True)
class Case:
    """One row of the table of figures: what is simulated, how often, and whether the gate is asked."""

    mechanism: str
    people: int
    cohorts: int
    gate: bool = False
    new_people: bool = True
    assignment: str = "randomised"


CASES = {
    "full_600": Case("endotypes", 600, 5),
    "full_1000": Case("endotypes", 1000, 5),
    "half_600": Case("half_effects", 600, 5, gate=True),
    "product_600": Case("product", 600, 5),
    "continuum_600": Case("continuum", 600, 5),
    "six_types_600": Case("six_types", 600, 5),
    "observational_600": Case("endotypes", 600, 5, assignment="observational"),
    "no_heterogeneity_600": Case("no_heterogeneity", 600, 40, gate=True),
    "noise_600": Case("noise", 600, 20, new_people=False),
}


def judge_new_people(cohort: KnownCohort, expected: np.ndarray, p_response: np.ndarray) -> dict[str, float | None]:
    """Judge predictions for new people, arms in the order of `ARMS`, against truth and oracle.

    The best fixed arm is the truly best one of these people: no study could have done better with one arm.
    """
    people = np.arange(len(expected))
    arm = cohort.truth["arm"].replace_strict(list(ARMS), list(range(len(ARMS))), return_dtype=pl.Int64).to_numpy()
    happened = cohort.truth["response"].cast(pl.Float64).to_numpy()
    reported = cohort.rows["responded"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    seen = np.isfinite(reported)
    given = p_response[people, arm]
    chances = cohort.true_chances()
    fixed = float(chances.mean(axis=0).max())
    value = float(chances[people, expected.argmax(axis=1)].mean())
    found: dict[str, float | None] = {
        "auroc": auroc(happened, given),
        "auroc_reported": auroc(reported[seen], given[seen]),
        "brier": brier(reported[seen], given[seen]),
        "slope": logistic_recalibration(reported[seen], given[seen]).slope,
        "in_the_large": calibration_in_the_large(reported[seen], given[seen])[0],
        "ici": integrated_calibration_index(reported[seen], given[seen]).ici,
        "above_fixed": value - fixed,
        "auroc_share": None,
        "gain": None,
    }
    if cohort.oracle is not None:
        best = cohort.oracle[people, arm]
        room = float(chances[people, cohort.oracle.argmax(axis=1)].mean()) - fixed
        found["auroc_share"] = (auroc(happened, given) - 0.5) / (auroc(happened, best) - 0.5)
        found["gain"] = (value - fixed) / room
        found["room"] = room
    return found


def judge_case(case: Case, number: int, cache: Path, settings: ResponseSettings) -> dict[str, float | None]:
    """Train on one cohort and judge it."""
    cohort = known_cohort(cache, case.people, 100 + number, number, case.mechanism, case.assignment)
    blocks = BlockSettings()
    found: dict[str, float | None] = {}
    started = time.process_time()
    gate = None
    if case.gate or not case.new_people:
        made = out_of_fold(cohort.training, cohort.splits, TARGET, blocks, settings, seed=1)
        judged = evaluate_study(made, cohort.rows, TARGET, splits=cohort.splits, resamples=50)
        gate = judged.gate
        found["cv_auroc"] = judged.metrics["auroc"]["value"]
    if case.new_people:
        model = fit_response(cohort.training, TARGET, blocks, settings, settings.refits, 1)
        new = known_cohort(cache, NEW_PEOPLE, 9000 + number, number, case.mechanism, "randomised")
        predicted = predict_response(model, new.features, new.baseline)
        order = [predicted.arms.index(arm) for arm in ARMS]
        assert predicted.p_response is not None
        found |= judge_new_people(new, predicted.expected[:, order], predicted.p_response[:, order])
        if gate is not None:
            found["gate_open"] = float(gate["individual_recommendations"])
            named = new.true_chances()[:, ARMS.index(gate["best_fixed"])].mean()
            best = new.true_chances().mean(axis=0).max()
            found["named_above_fixed"] = float(named - best)
            found["gated_above_fixed"] = found["above_fixed"] if found["gate_open"] else float(named - best)
            if found.get("gain") is not None:
                found["gated_gain"] = (found["gated_above_fixed"] or 0.0) / (found["room"] or 1.0)
    return {**found, "cpu_s": time.process_time() - started}


def summary(rows: pl.DataFrame) -> pl.DataFrame:
    """Mean over the cohorts of each case, and the standard error of the mean."""
    figures = [name for name in rows.columns if name not in ("case", "cohort")]
    # a figure that no cohort of the cases asked for has is a column without a type
    rows = rows.with_columns(pl.col(figures).cast(pl.Float64))
    means = rows.group_by("case", maintain_order=True).agg(
        pl.len().alias("cohorts"),
        *[pl.col(name).mean().round(3) for name in figures],
        *[
            (pl.col(name).std() / pl.len().sqrt()).round(3).alias(f"{name}_se")
            for name in ("auroc_share", "gain")
            if name in figures
        ],
    )
    return means.select(name for name in means.columns if means[name].null_count() < means.height)


def markdown(table: pl.DataFrame) -> str:
    """Lay a table out as Markdown."""
    lines = [" | ".join(table.columns), " | ".join("---" for _ in table.columns)]
    lines += [" | ".join("" if v is None else str(v) for v in row) for row in table.iter_rows()]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def main() -> None:
    """Make the cohorts that are lacking, fit, judge, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--seeds", type=int, help="cohorts per case, in place of each case's own number")
    parser.add_argument("--people", type=int, help="people to learn from, in place of each case's own number")
    parser.add_argument("--first", type=int, default=0, help="number of the first cohort (its world and its seed)")
    parser.add_argument("--candidates", nargs="+", help="names of config/models/candidates.csv; all when left out")
    parser.add_argument("--cache", type=Path, default=Path("results/figures/cohorts"))
    parser.add_argument("--out", type=Path, default=Path("results/figures"))
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("nociomics.tables.progress").setLevel(logging.INFO)
    settings = ResponseSettings(**({"candidates": asked.candidates} if asked.candidates else {}))
    rows = []
    for name in asked.cases:
        case = CASES[name]
        if asked.people:
            case = Case(case.mechanism, asked.people, case.cohorts, case.gate, case.new_people, case.assignment)
        count = asked.seeds or case.cohorts
        progress = Progress(name, "cohorts", count)
        for number in range(asked.first, asked.first + count):
            rows.append({"case": name, "cohort": number, **judge_case(case, number, asked.cache, settings)})
            progress.advance(1)
    table = pl.DataFrame(rows, infer_schema_length=None)
    asked.out.mkdir(parents=True, exist_ok=True)
    table.write_csv(asked.out / "response_figures.csv")
    means = markdown(summary(table))
    (asked.out / "response_figures.md").write_text(means)
    print(means)


if __name__ == "__main__":
    main()
