"""Do 90 % intervals hold for people that were never seen? Invented cohorts of 600, judged on 3,000 new patients each.

python benchmarks/response_intervals.py [--worlds 0 1 2 3 4] [--people 600] [--new 3000] [--cache DIR]

Per cohort: coverage over everybody and in the worst subgroup of at least 100 (arm, site, sex, endotype, pattern of
missing blocks), and the mean width, for the stored widths (`models.intervals.outcome_widths`), for CV+ with the fold
models kept, for one width for all, and for the width that ignores every feature.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from benchmarks.response_cohorts import TARGET, KnownCohort, known_cohort  # noqa: E402

from nociomics.models.intervals import conformal_quantile, plus_interval, row_widths  # noqa: E402
from nociomics.models.response import fit_response, predict_response  # noqa: E402
from nociomics.models.settings import BlockSettings, ResponseSettings  # noqa: E402
from nociomics.models.value_model import Training  # noqa: E402

LEVEL = 0.9
_FEWEST = 100
_BLOCKS = ("genotype", "expression", "biomarkers")


def fold_models(cohort: KnownCohort, new: KnownCohort) -> tuple[np.ndarray, np.ndarray, np.ndarray, list]:
    """Return expectations out of fold, those of every fold's model for new people, each person's fold, and the arms."""
    whole = cohort.training
    folds = cohort.rows.select("patient_id").join(cohort.splits, on="patient_id", how="left", maintain_order="left")
    outer, inner = folds["outer_fold"].to_numpy(), folds["inner_fold"].to_numpy()
    expected, others = None, []
    for fold in np.unique(outer):
        part, held = np.flatnonzero(outer != fold), np.flatnonzero(outer == fold)
        training = Training(whole.features[part], whole.catalogue, whole.rows[part], inner[part])
        model = fit_response(training, TARGET, BlockSettings(), ResponseSettings(), 1, 1)
        own = predict_response(model, whole.features[held], cohort.baseline[held]).expected
        expected = np.full((len(outer), own.shape[1]), np.nan) if expected is None else expected
        expected[held] = own
        others.append(predict_response(model, new.features, new.baseline).expected)
    return expected, np.array(others), np.searchsorted(np.unique(outer), outer), model.arms_


def patterns(cohort: KnownCohort) -> np.ndarray:
    """Which blocks each person lacks."""
    lacking = []
    for block in _BLOCKS:
        names = cohort.catalogue.filter(pl.col("modality") == block)["feature"].to_list()
        nothing = cohort.features.select(pl.all_horizontal(pl.col(names).is_null())).to_series().to_numpy()
        lacking.append(np.where(nothing, block, ""))
    return np.array(["+".join(filter(None, row)) or "all" for row in zip(*lacking, strict=True)])


def judge(cohort: KnownCohort, new: KnownCohort) -> list[dict[str, object]]:
    """One row per way of making intervals."""
    expected, others, fold, arms = fold_models(cohort, new)
    model = fit_response(cohort.training, TARGET, BlockSettings(), ResponseSettings(), 20, 1)
    final = predict_response(model, new.features, new.baseline).expected
    (old_arm, old_y), (new_arm, new_y) = (_received(one, arms) for one in (cohort, new))
    people = np.arange(len(new_arm))
    residual = old_y - expected[np.arange(len(old_arm)), old_arm]
    known = np.isfinite(residual)
    middle = final[people, new_arm]
    names, asked = [arms[a] for a in old_arm[known]], [arms[a] for a in new_arm]
    own = row_widths(residual[known], names, asked, LEVEL)
    one = conformal_quantile(residual, LEVEL)
    plain, mean = conformal_quantile(old_y[known] - old_y[known].mean(), LEVEL), old_y[known].mean()
    ways = {
        "stored widths": (middle - own, middle + own),
        "one width": (middle - one, middle + one),
        "CV+": plus_interval(others[:, people, new_arm][fold[known]], residual[known], LEVEL),
        "no features": (np.full(len(people), mean - plain), np.full(len(people), mean + plain)),
    }
    groups = {
        "arm": np.array(asked),
        "site": new.rows["group"].to_numpy(),
        "sex": new.features["sex"].cast(pl.String).fill_null("unknown").to_numpy(),
        "endotype": new.truth["endotype"].fill_null("none").to_numpy(),
        "missing": patterns(new),
    }
    return [{"way": way, **_coverage(*ends, new_y, groups)} for way, ends in ways.items()]


def _received(cohort: KnownCohort, arms: list) -> tuple[np.ndarray, np.ndarray]:
    place = {arm: number for number, arm in enumerate(arms)}
    arm = cohort.rows["treatment"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    return arm, cohort.rows["response_value"].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _coverage(lower: np.ndarray, upper: np.ndarray, y: np.ndarray, groups: dict[str, np.ndarray]) -> dict[str, object]:
    seen = np.isfinite(y)
    inside = (y >= lower) & (y <= upper)
    parts = {
        f"{trait} {level}": inside[seen & (of == level)].mean()
        for trait, of in groups.items()
        for level in np.unique(of)
        if (seen & (of == level)).sum() >= _FEWEST
    }
    worst = min(parts, key=parts.__getitem__)
    width = float((upper - lower)[seen].mean())
    return {"overall": float(inside[seen].mean()), "worst": float(parts[worst]), "where": worst, "width": width}


def main() -> None:
    """Print one row per cohort and way, then the means."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--worlds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    ask.add_argument("--people", type=int, default=600)
    ask.add_argument("--new", type=int, default=3000)
    ask.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "nociomics-figures")
    asked = ask.parse_args()
    rows = []
    for world in asked.worlds:
        cohort = known_cohort(asked.cache, asked.people, 100 + world, world)
        new = known_cohort(asked.cache, asked.new, 200 + world, world)
        rows += [{"world": world, **row} for row in judge(cohort, new)]
    table = pl.DataFrame(rows)
    with pl.Config(tbl_rows=100, fmt_str_lengths=40, tbl_hide_dataframe_shape=True):
        print(table)
        print(table.group_by("way", maintain_order=True).agg(pl.col("overall", "worst", "width").mean()))


if __name__ == "__main__":
    main()
