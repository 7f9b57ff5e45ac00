"""How long patient pages take, how large they are, and in how much memory: invented tables, one process per case.

`uv run python benchmarks/profile_pages.py [--people 1000] [--features 60] [--cohort 1000] [--arms 4]`
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl


def make(folder: Path, cohort: int, features: int, arms: int, people_per_group: int = 20_000) -> None:
    """Write the results of an invented study, the Shapley values in row groups as the program writes them."""
    from tests.report import demo

    from nociomics.tables.files import write_json
    from nociomics.tables.results import SHAP_VALUES
    from nociomics.tables.row_groups import RowGroups

    rng = np.random.default_rng(1)
    data = demo.person()
    ids = [f"P{i:06d}" for i in range(cohort)]
    names = [f"gene_{i:04d}" for i in range(features)]
    treatments = [f"treatment {i}" for i in range(arms)]
    extra = pl.DataFrame({"feature": names}).join(data.catalogue.head(1).drop("feature"), how="cross")
    extra = extra.with_columns(modality=pl.lit("expression"), group=pl.col("feature"), unit=pl.lit("log2"))
    for part in ("harmonised", "strata", "response", "explanations", "evaluation"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    pl.concat([data.catalogue, extra.select(data.catalogue.columns)]).write_parquet(
        folder / "harmonised/feature_catalogue.parquet"
    )
    known = {name: 54.0 if value is None else value for name, value in data.features.items()}
    values = {
        name: rng.normal(50, 9, cohort) if isinstance(value, float) else [value] * cohort
        for name, value in known.items()
    }
    values |= {name: rng.normal(size=cohort) for name in names}
    pl.DataFrame({"patient_id": ids, **values}).write_parquet(folder / "harmonised/features.parquet")
    item = {"patient_id": "P000001", "visit": "baseline", "instrument": "phq_9", "item": "9", "points": 2.0}
    item |= {"at_least": 1.0, "concern": "self-harm", "provenance": "project_default"}
    pl.DataFrame([item]).write_parquet(folder / "harmonised/safety_items.parquet")
    pl.DataFrame(
        {
            "patient_id": ids,
            "stratum": "S1",
            "p_S1": 0.8,
            "p_S2": 0.2,
            "entropy": 0.5,
            "atypical": False,
            "between": False,
        }
    ).write_parquet(folder / "strata/assignments.parquet")
    assert data.predictions is not None and data.effects is not None
    one = data.predictions.head(1).drop("patient_id", "treatment")
    people = pl.DataFrame({"patient_id": ids})
    arm = pl.DataFrame({"treatment": treatments})
    people.join(arm, how="cross").join(one, how="cross").with_columns(
        expected=pl.Series(rng.normal(2, 1, cohort * arms))
    ).write_parquet(folder / "response/predictions.parquet")
    pairs = pl.DataFrame(
        [{"treatment_a": a, "treatment_b": b} for i, a in enumerate(treatments) for b in treatments[i + 1 :]]
    )
    effect = data.effects.head(1).drop("patient_id", "treatment_a", "treatment_b")
    people.join(pairs, how="cross").join(effect, how="cross").with_columns(
        recommended=pl.lit(treatments[0])
    ).write_parquet(folder / "response/effects.parquet")
    columns = pl.concat([data.catalogue, extra.select(data.catalogue.columns)]).select("feature", "modality", "group")
    with RowGroups(folder / "explanations/shap.parquet", SHAP_VALUES) as rows:
        for first in range(0, cohort, people_per_group):
            some = people[first : first + people_per_group].join(arm, how="cross").join(columns, how="cross")
            rows.add(
                some.with_columns(
                    feature_value=pl.lit(1.0),
                    shap_value=pl.Series(rng.normal(0, 0.1, some.height)),
                    shap_sd=pl.Series(rng.uniform(0, 0.05, some.height)),
                )
            )
    pl.DataFrame({"treatment": treatments, "base_value": [2.0] * arms}).write_parquet(
        folder / "explanations/base.parquet"
    )
    stable = {"people": cohort, "refits": 20, "rank_correlation": 0.5, "rank_correlation_halves": 0.93}
    pl.DataFrame([{"treatment": name} | stable for name in treatments]).write_parquet(
        folder / "explanations/stability.parquet"
    )
    demo.arms().write_parquet(folder / "evaluation/arms.parquet")
    write_json(demo.OPEN, folder / "evaluation/gate.json")
    write_json(demo.metrics(), folder / "evaluation/metrics.json")


def pages(folder: Path, people: int) -> dict[str, float]:
    """Write pages; strata are stood in for, since no model is fitted here."""
    from nociomics.cli import profile_data
    from nociomics.cli.profile_folder import replace_pages
    from nociomics.config import check_config

    tables = {"patients": "p.csv", "treatments": "t.csv", "outcomes": "o.csv"}
    target = {"kind": "change", "outcome": "w12", "baseline": "bpi_severity", "treatment": "arm"}
    study = {"study": "invented", "tables": tables, "target": target, "profiles": {"people": people}}
    profile_data._strata = lambda results, wanted: profile_data._Strata([], {}, dict.fromkeys(wanted, 40), None)
    start = time.process_time()
    replace_pages(profile_data.profile_pages(check_config(study, "study"), folder), folder / "pages")
    sizes = [path.stat().st_size for path in (folder / "pages").glob("*.html")]
    return {
        "pages": len(sizes),
        "cpu_seconds": round(time.process_time() - start, 2),
        "largest_kb": round(max(sizes) / 1000, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Make the tables in one process and write the pages in another, so that only the pages' memory counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual in (("people", 1000), ("features", 60), ("cohort", 1000), ("arms", 4)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.folder is not None:
        sys.stdout.write(json.dumps(pages(given.folder, given.people)) + "\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), given.cohort, given.features, given.arms)
        words = [sys.executable, "-m", "benchmarks.profile_pages", "--people", str(given.people), "--folder", folder]
        subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
