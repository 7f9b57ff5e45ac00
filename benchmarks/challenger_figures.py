"""How near do other ways of grouping come to the true types? Invented cohorts of 600 with four types.

python benchmarks/challenger_figures.py [--cohorts 3] [--subsamples 20] [--cache DIR] [--out DIR]

``ari_truth`` compares the groups with the true types at k = 4 (the strata: at the k that they claim), over the people
whom a method could place and within the cohort that it grouped: only the strata and k-means can place anybody else.
``ari_strata`` is the strata's, over the same people. ``k_own`` is what a method offers itself. The table of the
comparison follows for the first cohort, with the CPU seconds that it took.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import polars as pl  # noqa: E402
from benchmarks.response_cohorts import KnownCohort, known_cohort  # noqa: E402
from benchmarks.response_figures import markdown  # noqa: E402
from sklearn.metrics import adjusted_rand_score  # noqa: E402

from nociomics.models.challengers import REGISTRY, blocks_of, compare  # noqa: E402
from nociomics.models.people_order import content_order  # noqa: E402
from nociomics.models.settings import BlockSettings, StrataSettings  # noqa: E402
from nociomics.models.stratification import StratumModel  # noqa: E402

_TYPES = 4


def against_truth(cohort: KnownCohort, model: StratumModel, settings: StrataSettings) -> list[dict[str, object]]:
    """Agreement of each way of grouping with the true types."""
    order = content_order(cohort.features)
    truth, features = cohort.truth["endotype"].to_numpy()[order], cohort.features[order]
    strata = model.assign(features)["stratum"].fill_null("none").to_numpy()
    own = adjusted_rand_score(truth, strata)
    rows: list[dict[str, object]] = [
        {"challenger": "strata", "k_own": model.k_, "people": len(truth), "ari_truth": own, "ari_strata": own}
    ]
    blocks = blocks_of(model, features)
    for name in settings.challengers:
        people = REGISTRY[name].usable(blocks)
        groups = REGISTRY[name].cluster(blocks.take(people), settings, 1)
        offered, _ = REGISTRY[name].chosen(groups, settings.largest_k)
        ari = adjusted_rand_score(truth[people], groups.labels(_TYPES))
        same = adjusted_rand_score(truth[people], strata[people])
        figures = {"k_own": offered, "people": len(people), "ari_truth": ari, "ari_strata": same}
        rows.append({"challenger": name, **figures})
    return rows


def main() -> None:
    """Group every cohort in every way, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cohorts", type=int, default=3)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--subsamples", type=int, default=20)
    parser.add_argument("--cache", type=Path, default=Path("results/figures/cohorts"))
    parser.add_argument("--out", type=Path, default=Path("results/figures"))
    asked = parser.parse_args()
    settings = StrataSettings(bootstraps=0, subsamples=asked.subsamples)
    rows = []
    for number in range(asked.cohorts):
        cohort = known_cohort(asked.cache, asked.people, 100 + number, number, "endotypes")
        model = StratumModel(settings, BlockSettings(), 1).fit(cohort.features, cohort.catalogue)
        rows += [{"cohort": number, **row} for row in against_truth(cohort, model, settings)]
        if number == 0:
            started = time.process_time()
            table = compare(model, cohort.features, cohort.catalogue, settings, 1)
            spent = time.process_time() - started
    found = pl.DataFrame(rows).with_columns(pl.col("ari_truth", "ari_strata").round(3))
    asked.out.mkdir(parents=True, exist_ok=True)
    found.write_csv(asked.out / "challenger_figures.csv")
    print(markdown(found.pivot(on="cohort", index="challenger", values=["ari_truth", "ari_strata", "k_own", "people"])))
    numbers = pl.col("criterion_value", "placed_share", "stability", "ari", "nmi").round(3)
    print(markdown(table.with_columns(numbers).drop("method")))
    print(f"comparison of the first cohort: {spent:.1f} CPU s")


if __name__ == "__main__":
    main()
