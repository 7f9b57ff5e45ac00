"""Are strata found where there are types, and only there? Invented cohorts of 600, new people placed one by one.

python benchmarks/strata_figures.py [--cases continuum two_types endotypes] [--seeds 20] [--cache DIR] [--out DIR]

Each row is one cohort: worlds and seeds differ. ``k`` is what the program chose; ``ari_new`` compares the strata of
3,000 new people with their true types, 0 where one stratum was found; ``ari_oracle`` is the same of an oracle that
knows every constant of the world (tests/simulate/oracle.py).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from benchmarks.response_cohorts import KnownCohort, known_cohort  # noqa: E402
from benchmarks.response_figures import markdown  # noqa: E402
from sklearn.metrics import adjusted_rand_score  # noqa: E402
from tests.simulate.oracle import observable_oracle  # noqa: E402

from nociomics.models.settings import BlockSettings, StrataSettings  # noqa: E402
from nociomics.models.stratification import StratumModel  # noqa: E402
from nociomics.simulate.mechanisms import Settings  # noqa: E402
from nociomics.tables.progress import Progress  # noqa: E402

NEW_PEOPLE = 3000
TRUE_TYPES = {"continuum": 1, "two_types": 2, "endotypes": 4, "six_types": 6}
_OF_FOUR = "endotypes"


def new_people(cache: Path, mechanism: str, number: int) -> tuple[KnownCohort, float | None]:
    """Take 3,000 new people of a world, and the oracle's agreement with their types where it is known."""
    seed = 9000 + number
    cohort = known_cohort(cache, NEW_PEOPLE, seed, number, mechanism)
    kept = cache / f"oracle_kind_{mechanism}_{NEW_PEOPLE}_{seed}_{number}.npy"
    if mechanism != _OF_FOUR:
        return cohort, None
    if not kept.is_file():
        np.save(kept, observable_oracle(Settings(NEW_PEOPLE, seed, number, mechanism)).kind)
    rows = cohort.rows["patient_id"].str.slice(1).cast(pl.Int64).to_numpy() - 1
    return cohort, float(adjusted_rand_score(cohort.truth["endotype"], np.load(kept)[rows]))


def judge(mechanism: str, number: int, people: int, cache: Path, settings: StrataSettings) -> dict[str, object]:
    """Look for strata in one cohort and place new people."""
    cohort = known_cohort(cache, people, 100 + number, number, mechanism)
    started = time.process_time()
    model = StratumModel(settings, BlockSettings(), 1).fit(cohort.features, cohort.catalogue)
    spent = time.process_time() - started
    gain = model.bic_[1] - min(value for k, value in model.bic_.items() if k > 1)
    found: dict[str, object] = {"case": mechanism, "cohort": number, "k": model.k_, "bic_gain": gain, "cpu_s": spent}
    if mechanism != "continuum":
        new, oracle = new_people(cache, mechanism, number)
        placed = model.assign(new.features)["stratum"].fill_null("none")
        found["ari_new"] = adjusted_rand_score(new.truth["endotype"], placed)
        found["ari_oracle"] = oracle
    return found


def summary(rows: pl.DataFrame) -> pl.DataFrame:
    """Say per case how often each answer was given, and the agreement with the true types."""
    true = pl.col("case").replace_strict(TRUE_TYPES, return_dtype=pl.Int64)
    table = rows.with_columns((pl.col("k") == 1).alias("one"), (pl.col("k") == true).alias("exact"))
    columns = [
        pl.len().alias("cohorts"),
        pl.col("one").mean().round(3).alias("called_one"),
        pl.col("exact").mean().round(3).alias("called_truly"),
        pl.col("k").mean().round(2).alias("mean_k"),
        pl.col("bic_gain").median().round(1).alias("median_bic_gain"),
        pl.col("cpu_s").mean().round(2),
    ]
    for name in ("ari_new", "ari_oracle"):
        if name in rows.columns:
            columns.append(pl.col(name).cast(pl.Float64).mean().round(3))
    if {"ari_new", "ari_oracle"} <= set(rows.columns):
        columns.append((pl.col("ari_new").mean() / pl.col("ari_oracle").mean()).round(3).alias("share_of_oracle"))
    return table.group_by("case", maintain_order=True).agg(columns)


def main() -> None:
    """Make the cohorts that are lacking, look for strata, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=["continuum", "two_types", "endotypes"], choices=list(TRUE_TYPES))
    parser.add_argument("--seeds", type=int, default=20, help="cohorts per case")
    parser.add_argument("--people", type=int, default=600, help="people to learn from")
    parser.add_argument("--first", type=int, default=0, help="number of the first cohort (its world and its seed)")
    parser.add_argument("--cache", type=Path, default=Path("results/figures/cohorts"))
    parser.add_argument("--out", type=Path, default=Path("results/figures"))
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("nociomics.tables.progress").setLevel(logging.INFO)
    rows = []
    for name in asked.cases:
        progress = Progress(name, "cohorts", asked.seeds)
        for number in range(asked.first, asked.first + asked.seeds):
            rows.append(judge(name, number, asked.people, asked.cache, StrataSettings(bootstraps=0)))
            progress.advance(1)
    table = pl.DataFrame(rows, infer_schema_length=None)
    asked.out.mkdir(parents=True, exist_ok=True)
    table.write_csv(asked.out / "strata_figures.csv")
    print(table)
    print(markdown(summary(table)))


if __name__ == "__main__":
    main()
