"""Is the chance of an adverse event as large as it is said to be? Invented cohorts, judged on 3,000 new people each.

python benchmarks/harm_figures.py [--cohorts 8] [--people 600] [--first 0] [--cache DIR]

Each row is one cohort: worlds and seeds differ. ``*_new`` is of the final model in new people, the rest out of fold.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from benchmarks.response_cohorts import TARGET, known_cohort  # noqa: E402
from benchmarks.response_figures import NEW_PEOPLE, markdown  # noqa: E402

from nociomics.evaluate.calibration import (  # noqa: E402
    calibration_in_the_large,
    integrated_calibration_index,
    logistic_recalibration,
)
from nociomics.evaluate.discrimination import auroc  # noqa: E402
from nociomics.models.adverse import adverse_out_of_fold, fit_adverse  # noqa: E402
from nociomics.models.adverse_event import adverse_rows  # noqa: E402
from nociomics.models.response import predict_response, predicted_frame  # noqa: E402
from nociomics.models.settings import BlockSettings, ResponseSettings  # noqa: E402
from nociomics.tables.progress import Progress  # noqa: E402

_KEYS = ["patient_id", "treatment"]


def judged(predicted: pl.DataFrame, rows: pl.DataFrame, ending: str = "") -> dict[str, float]:
    """Discrimination and calibration under the treatment received."""
    seen = adverse_rows(rows).select(*_KEYS, pl.col("responded").alias("happened"))
    both = predicted.join(seen, on=_KEYS).drop_nulls("happened")
    happened, chance = both["happened"].to_numpy(), both["p_response"].to_numpy()
    found = {
        "auroc": auroc(happened, chance),
        "slope": logistic_recalibration(happened, chance).slope,
        "in_the_large": calibration_in_the_large(happened, chance)[0],
        "ici": integrated_calibration_index(happened, chance).ici,
    }
    return {f"{name}{ending}": float(value) for name, value in found.items()}


def judge_cohort(number: int, people: int, cache: Path) -> dict[str, float]:
    """Learn from one cohort; judge out of fold and in new people."""
    cohort, new = (
        known_cohort(cache, people, 100 + number, number),
        known_cohort(cache, NEW_PEOPLE, 9000 + number, number),
    )
    blocks, settings = BlockSettings(), ResponseSettings()
    found = judged(adverse_out_of_fold(cohort.training, cohort.splits, TARGET, blocks, settings, 1), cohort.rows)
    model, status = fit_adverse(cohort.training, TARGET, blocks, settings, 2, 1)
    if model is None:
        raise SystemExit(status["reason"])
    predicted = predict_response(model, new.features, np.full(new.features.height, np.nan))
    return found | judged(predicted_frame(new.features["patient_id"], predicted), new.rows, "_new")


def main() -> None:
    """Judge cohorts one after the other and print a table with their means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=8)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--first", type=int, default=0, help="number of the first cohort (its world and its seed)")
    parser.add_argument("--cache", type=Path, default=Path("results/figures/cohorts"))
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("nociomics.tables.progress").setLevel(logging.INFO)
    progress, rows = Progress("harm", "cohorts", asked.cohorts), []
    for number in range(asked.first, asked.first + asked.cohorts):
        rows.append({"cohort": str(number), **judge_cohort(number, asked.people, asked.cache)})
        progress.advance(1)
    table = pl.DataFrame(rows)
    means = table.select(pl.lit("mean").alias("cohort"), pl.exclude("cohort").mean())
    print(markdown(pl.concat([table, means]).with_columns(pl.exclude("cohort").round(3))))


if __name__ == "__main__":
    main()
