"""Do boosted trees help where steps and pairs of traits decide, and stay away where they do not? New people judge.

python benchmarks/class_figures.py [--truths steps signs lines noise] [--people 150 600] [--cohorts 8]

A truth gives the log-odds of an event; 20 columns, half of them with gaps, in two modalities; none or three treatments.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from benchmarks.response_figures import markdown  # noqa: E402
from tests.models.small_study import catalogue_of  # noqa: E402

from nociomics.evaluate.discrimination import auroc  # noqa: E402
from nociomics.models.class_model import ClassModel  # noqa: E402
from nociomics.models.response import fit_response, predict_response  # noqa: E402
from nociomics.models.settings import BlockSettings, ResponseSettings  # noqa: E402
from nociomics.models.value_model import Training  # noqa: E402
from nociomics.tables.study import Target  # noqa: E402

NEW_PEOPLE, WIDTH = 4000, 20
COLUMNS = [f"trait_{place:02d}" for place in range(WIDTH)]
TRUTHS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "steps": lambda x: 1.5 * (np.abs(x[:, 0]) > 1) + 1.2 * ((x[:, 1] > 0) & (x[:, 2] > 0)),
    "signs": lambda x: 1.4 * np.sign(x[:, 0] * x[:, 1]) + 0.8 * (x[:, 2] > 1),
    "lines": lambda x: x[:, :5] @ np.array([0.6, 0.5, -0.5, 0.4, 0.3]),
    "noise": lambda x: np.zeros(len(x)),
}


def invented(
    truth: str, people: int, arms: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame, np.ndarray]:
    """Features, target rows and the arm of each person."""
    columns, arm = rng.normal(size=(people, WIDTH)), rng.integers(0, max(arms, 1), people)
    odds = TRUTHS[truth](columns)
    event = (rng.random(people) < 1 / (1 + np.exp(odds.mean() - odds))).astype(float)
    columns[rng.random(people) < 0.1, WIDTH // 2 :] = np.nan
    ids = pl.Series("patient_id", [f"P{place:05d}" for place in range(people)])
    features = pl.DataFrame({"patient_id": ids, **dict(zip(COLUMNS, columns.T, strict=True))})
    nothing = pl.Series([None] * people, dtype=pl.Float64)
    rows = {
        "patient_id": ids,
        "treatment": pl.Series([f"t{a}" if arms else None for a in arm], dtype=pl.String),
        "assignment": ["randomised"] * people,
        "baseline": nothing,
        "outcome": event,
        "label": [str(int(one)) for one in event],
        "response_value": event,
        "responded": event,
        "adverse_event": nothing,
        "group": pl.Series([None] * people, dtype=pl.String),
    }
    return features.with_columns(pl.col(COLUMNS).fill_nan(None)), pl.DataFrame(rows), arm


def judge(truth: str, people: int, arms: int, cohorts: int) -> dict[str, object]:
    """AUROC and log loss in new people without and with the trees in the table, and how often they counted."""
    modality = ["clinical"] * (WIDTH // 2) + ["biomarkers"] * (WIDTH - WIDTH // 2)
    catalogue = catalogue_of(
        [(name, kind, name, "score", "numeric", None, None, None) for name, kind in zip(COLUMNS, modality, strict=True)]
    )
    target = Target(kind="binary", outcome="event", treatment="arm" if arms else None)
    figures, counted = np.zeros((2, 2)), 0
    for cohort in range(cohorts):
        rng = np.random.default_rng([cohort, people, arms])
        features, rows, _ = invented(truth, people, arms, rng)
        new, happened, arm = invented(truth, NEW_PEOPLE, arms, rng)
        training = Training(features, catalogue, rows, rng.permutation(np.arange(people) % 5))
        for place, names in enumerate((["late_fusion", "plain_l2"], [])):
            model = fit_response(training, target, BlockSettings(), ResponseSettings(candidates=names), 1, 1)
            assert isinstance(model, ClassModel)
            chance = predict_response(model, new, np.full(NEW_PEOPLE, np.nan)).expected[np.arange(NEW_PEOPLE), arm]
            seen = happened["outcome"].to_numpy()
            loss = -np.mean(np.log(np.where(seen == 1, chance, 1 - chance)))
            figures[place] += np.array([auroc(seen, chance), loss]) / cohorts
        counted += bool(model.trees_)
    found = dict(zip(("auroc_lines", "log_loss_lines", "auroc", "log_loss"), figures.ravel().round(4), strict=True))
    return {"truth": truth, "people": people, "treatments": arms, **found, "trees_count_in": f"{counted}/{cohorts}"}


def main() -> None:
    """Print one row per truth, number of people, and with or without treatments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truths", nargs="+", default=list(TRUTHS), choices=list(TRUTHS))
    parser.add_argument("--people", nargs="+", type=int, default=[150, 600])
    parser.add_argument("--cohorts", type=int, default=8)
    asked = parser.parse_args()
    cases = [(truth, people, arms) for truth in asked.truths for people in asked.people for arms in (0, 3)]
    print(markdown(pl.DataFrame([judge(*case, asked.cohorts) for case in cases])))


if __name__ == "__main__":
    main()
