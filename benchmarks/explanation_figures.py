"""Do explanations name what truly drives the choice between treatments? Invented cohorts whose drivers are known.

python benchmarks/explanation_figures.py [--worlds 3] [--people 1000] [--cache DIR] [--out DIR] [--keep]

Each row is one world: a model learned from its people explains 1,000 new ones of the same world. What is explained is
the contrast of two treatments, per person; parts are summed with their signs per source, and then sized.

``share_<driver>`` is the correlation over people between a source's share of the contrast (its signed sum over the size
of all sources' sums) and the true gate of its driver: laboratory and expression with inflammation, the neuropathic
questionnaire with nerve pain, the psychological questionnaires with distress. The contrast is that of the driver's own
treatment and the one that it moves least towards (NSAID - SNRI, SNRI - NSAID, CBT - NSAID). ``points_<driver>`` takes
the source's part in points. ``ceiling_<driver>`` is what the source's own features reach when a regression is told the
gate itself (five folds over the new people): questionnaires and laboratory measure a driver with error, and no
explanation can know more. ``unsigned_<driver>`` is the share without its sign: it rises on both sides of the average
person, so that it cannot follow the gate; it is set against the driver's true share, unsigned too. ``irrelevant`` is
the share of size, over all six contrasts, of columns that do not move the difference between any two treatments in the
generator and measure nothing that does (`IRRELEVANT`). ``stability`` is the mean rank correlation of one person's
values between two fits to the same people with other seeds and inner folds; ``stability_groups`` that of groups.

``--warfarin`` explains the dose model of config/studies/iwpc-warfarin.yaml instead (NOCIOMICS_DATA names its folder).
"""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import re
import sys
import tempfile
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from benchmarks.response_cohorts import TARGET, KnownCohort, known_cohort  # noqa: E402
from benchmarks.response_figures import markdown  # noqa: E402
from scipy.stats import rankdata, spearmanr  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.linear_model import RidgeCV  # noqa: E402
from sklearn.model_selection import cross_val_predict  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from nociomics.config import data_folder, load_config  # noqa: E402
from nociomics.explain.shap_values import Explainer  # noqa: E402
from nociomics.export.background import background_people  # noqa: E402
from nociomics.ingest.study_tables import read_study, require_sound  # noqa: E402
from nociomics.models.feature_blocks import EncodedColumn  # noqa: E402
from nociomics.models.response import fit_response  # noqa: E402
from nociomics.models.settings import BlockSettings, ResponseSettings  # noqa: E402
from nociomics.models.value_model import Training  # noqa: E402
from nociomics.preparation import prepare_read  # noqa: E402
from nociomics.simulate.mechanisms import ARMS  # noqa: E402
from nociomics.tables.progress import Progress  # noqa: E402

_UNIT_END = re.compile(r"_per_(m?l|dl)$")
NEW_PEOPLE, EXPLAINED = 3000, 1000
PSYCHOLOGICAL = ("pcs", "bdi_ii")
# driver: contrast that it moves most, and what it adds to each arm's gain
DRIVERS = {
    "inflammatory": ("NSAID", "SNRI"),
    "neuropathic": ("SNRI", "NSAID"),
    "psychosocial": ("CBT", "NSAID"),
}
# age, months of pain and site act on the course under every treatment alike; smoking and the hour of the blood draw act
# on nothing; the 300 further variants and ancestry at most on the course. (COMT and SCN9A make pain types likelier, sex
# and BMI too; OPRM1, CYP2D6 and CYP2C9 act on one drug.)
IRRELEVANT = ("age", "pain_months", "site", "smoker", "ancestry", "cortisol_hour")


def source_of(column: EncodedColumn) -> str:
    """Name what a column measures, as far as the generator's drivers go."""
    if column.group in IRRELEVANT or column.name in IRRELEVANT or column.modality == "genotype":
        return "irrelevant"
    if column.modality in ("biomarkers", "expression"):
        return "inflammatory"
    if column.group == "dn4":
        return "neuropathic"
    if column.group in PSYCHOLOGICAL:
        return "psychosocial"
    return "other"


def gates(cohort: KnownCohort) -> dict[str, np.ndarray]:
    """How far each driver is switched on in each person, 0 to 1."""
    return {
        name: 1 / (1 + np.exp(-2.5 * (cohort.truth[f"u_{name}"].to_numpy() - 0.6)))
        for name in ("inflammatory", "neuropathic", "psychosocial")
    }


def summed(values: np.ndarray, names: list[str]) -> tuple[list[str], np.ndarray]:
    """Sum columns of the last axis by name, with their signs."""
    distinct = sorted(set(names))
    return distinct, np.stack([values[..., [name == one for name in names]].sum(axis=-1) for one in distinct], axis=-1)


def shares(values: np.ndarray) -> np.ndarray:
    """Size of each part over the size of all parts, along the last axis."""
    size = np.abs(values)
    return size / size.sum(axis=-1, keepdims=True)


def driven_parts(gate: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Work out what each driver truly adds to each arm's gain; a product counts for both gates."""
    i, n, p = (gate[name] for name in ("inflammatory", "neuropathic", "psychosocial"))
    return {
        "NSAID": {"inflammatory": 2.2 * i, "neuropathic": -0.6 * n, "psychosocial": 0 * p},
        "SNRI": {"inflammatory": -0.3 * i, "neuropathic": 2.0 * n, "psychosocial": 0.5 * p},
        "tramadol": {"inflammatory": 0.3 * i, "neuropathic": -0.45 * n * p, "psychosocial": -0.45 * n * p},
        "CBT": {"inflammatory": -0.4 * p * i, "neuropathic": 0 * n, "psychosocial": 2.0 * p - 0.4 * p * i},
    }


def judge_drivers(values: np.ndarray, arms: list[str], names: list[str], cohort: KnownCohort) -> dict[str, float]:
    """Compare sources' parts of contrasts with the drivers that only the generator knows.

    Parameters
    ----------
    values : ndarray of shape (n_people, n_arms, n_columns)
        In points.
    names : list of str
        Source of each column.
    """
    sources, parts = summed(values, names)
    gate = gates(cohort)
    truly = driven_parts(gate)
    found = {}
    for driver, (one, other) in DRIVERS.items():
        contrast = parts[:, arms.index(one)] - parts[:, arms.index(other)]
        place = sources.index(driver)
        moved = np.stack([truly[one][name] - truly[other][name] for name in DRIVERS], axis=-1)
        true_share = shares(moved - moved.mean(axis=0))[:, list(DRIVERS).index(driver)]
        share = contrast[:, place] / np.abs(contrast).sum(axis=1)
        found[f"share_{driver}"] = _correlation(share, gate[driver])
        found[f"points_{driver}"] = _correlation(contrast[:, place], gate[driver])
        found[f"ceiling_{driver}"] = _ceiling(cohort, driver, gate[driver])
        found[f"unsigned_{driver}"] = _correlation(shares(contrast)[:, place], true_share)
    for kind in ("share", "points", "ceiling", "unsigned"):
        found[f"{kind}_mean"] = float(np.mean([found[f"{kind}_{name}"] for name in DRIVERS]))
    return found


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def _ceiling(cohort: KnownCohort, driver: str, gate: np.ndarray) -> float:
    rows = cohort.catalogue.filter(pl.col("kind") != "category").iter_rows(named=True)
    own = [
        row["feature"]
        for row in rows
        if source_of(EncodedColumn(row["feature"], row["modality"], row["group"])) == driver
    ]
    values = cohort.features.select(pl.col(own).cast(pl.Float64)).fill_null(float("nan")).to_numpy()
    laboratory = np.array([name in cohort.features.columns and _UNIT_END.search(name) is not None for name in own])
    values[:, laboratory] = np.log(np.maximum(values[:, laboratory], 1e-3))
    model = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), RidgeCV(np.logspace(0, 4, 9)))
    return _correlation(cross_val_predict(model, values, gate, cv=5), gate)


def irrelevant_share(values: np.ndarray, names: list[str]) -> float:
    """Share of the size of all six contrasts that falls on columns without any say in them."""
    pairs = itertools.combinations(range(values.shape[1]), 2)
    sizes = np.sum([np.abs(values[:, a] - values[:, b]).mean(axis=0) for a, b in pairs], axis=0)
    return float(sizes[[name == "irrelevant" for name in names]].sum() / sizes.sum())


def rank_agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over people and arms of the rank correlation between two explanations of the same columns."""
    first, second = (rankdata(values, axis=-1) for values in (one, other))
    first, second = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (first, second))
    length = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    return float(np.mean((first * second).sum(axis=-1)[length > 0] / length[length > 0]))


def explained(training: Training, people: pl.DataFrame, seed: int) -> tuple[Explainer, np.ndarray]:
    """Fit, and explain new people under every treatment in the order of `ARMS`."""
    settings = ResponseSettings()
    # the model that predicts does not hang on its bootstrap refits, of which two are the fewest
    model = fit_response(training, TARGET, BlockSettings(), settings, 2, seed)
    background = background_people(model, training.features, training.rows, settings.background_people, seed)
    explainer = Explainer(model, background, seed)
    values = explainer.whole(explainer.encode(people)).values[:, :, 0]
    return explainer, values[:, [model.arms_.index(arm) for arm in ARMS]]


def judge_world(cache: Path, people: int, world: int, keep: Path | None) -> dict[str, float]:
    """Fit twice to one world's people, explain new ones, and hold both against the truth and each other."""
    started = time.process_time()
    training = known_cohort(cache, people, 100 + world, world).training
    new = known_cohort(cache, NEW_PEOPLE, 9000 + world, world)
    new = KnownCohort(
        new.features[:EXPLAINED], new.catalogue, new.rows[:EXPLAINED], new.truth[:EXPLAINED], new.splits, None
    )
    explainer, values = explained(training, new.features, 1)
    folds = np.random.default_rng(world).permutation(training.inner_fold)
    _, again = explained(Training(training.features, training.catalogue, training.rows, folds), new.features, 2)
    names = [source_of(column) for column in explainer.columns]
    if keep is not None:
        np.savez(keep / f"explained_{people}_{world}.npz", one=values, other=again,
                 columns=[[c.name, c.modality, c.group] for c in explainer.columns])  # fmt: skip
    groups = [column.group for column in explainer.columns]
    return {
        **judge_drivers(values, list(ARMS), names, new),
        "irrelevant": irrelevant_share(values, names),
        "stability": rank_agreement(values, again),
        "stability_groups": rank_agreement(summed(values, groups)[1], summed(again, groups)[1]),
        "columns": float(len(names)),
        "cpu_s": time.process_time() - started,
    }


def warfarin() -> pl.DataFrame:
    """Explain the dose model of the warfarin study: its leading groups, and which way each feature pushes.

    ``direction`` is the rank correlation of a feature's value with its Shapley value.
    """
    study = load_config(Path(__file__).resolve().parents[1] / "config" / "studies" / "iwpc-warfarin.yaml")
    folder = data_folder(study, Path.cwd())
    study = study.model_copy(update={"data_root": None})
    with tempfile.TemporaryDirectory(prefix="nociomics-figures-") as stores:
        read = read_study(study, folder, stores=Path(stores))
        require_sound(read.findings)
        prepared = prepare_read(read, study, folder, Path(stores))
    rows = prepared.target
    features = rows.select("patient_id").join(prepared.features, on="patient_id", how="left", maintain_order="left")
    folds = np.random.default_rng(1).integers(0, 5, rows.height)
    assert study.target is not None
    training = Training(features, prepared.catalogue, rows, folds)
    model = fit_response(training, study.target, study.blocks, study.response, 2, study.seed)
    background = background_people(model, features, rows, study.response.background_people, study.seed)
    explainer = Explainer(model, background, study.seed)
    found = explainer.whole(explainer.encode(features))
    values = found.values[:, 0, 0]
    lines = []
    for place, column in enumerate(explainer.columns):
        known = np.isfinite(found.shown[:, place])
        moves = len(np.unique(found.shown[known, place])) > 1 and np.ptp(values[known, place]) > 0
        direction = spearmanr(found.shown[known, place], values[known, place]).statistic if moves else None
        size = float(np.abs(values[:, place]).mean())
        lines.append({"group": column.group, "feature": column.name, "mean_abs_shap": size, "direction": direction})
    groups, sums = summed(values, [column.group for column in explainer.columns])
    sizes = dict(zip(groups, np.abs(sums).mean(axis=0), strict=True))
    table = pl.DataFrame(lines).with_columns(
        of_group=pl.col("group").replace_strict(sizes, return_dtype=pl.Float64).round(3),
        mean_abs_shap=pl.col("mean_abs_shap").round(3),
        direction=pl.col("direction").round(2),
    )
    return table.sort("of_group", "group", "mean_abs_shap", descending=[True, False, True]).head(16)


def main() -> None:
    """Judge each world and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number of the first world")
    parser.add_argument("--people", type=int, default=1000, help="people to learn from")
    parser.add_argument("--cache", type=Path, default=Path("results/figures/cohorts"))
    parser.add_argument("--out", type=Path, default=Path("results/figures"))
    parser.add_argument("--warfarin", action="store_true", help="explain that study in place of invented cohorts")
    parser.add_argument("--keep", action="store_true", help="keep every person's values beside the table")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("nociomics.tables.progress").setLevel(logging.INFO)
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.warfarin:
        print(markdown(warfarin()))
        return
    rows = []
    progress = Progress("explanation figures", "worlds", asked.worlds)
    for world in range(asked.first, asked.first + asked.worlds):
        rows.append(
            {"world": world, **judge_world(asked.cache, asked.people, world, asked.out if asked.keep else None)}
        )
        progress.advance(1)
    table = pl.DataFrame(rows)
    table.write_csv(asked.out / "explanation_figures.csv")
    figures = [name for name in table.columns if name != "world"]
    means = table.select(pl.lit("mean").alias("world"), *[pl.col(name).mean().round(3) for name in figures])
    lines = markdown(pl.concat([table.with_columns(pl.col("world").cast(pl.String), pl.col(figures).round(3)), means]))
    (asked.out / "explanation_figures.md").write_text(lines)
    print(lines)


if __name__ == "__main__":
    main()
