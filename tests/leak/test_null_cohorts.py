"""S1, S3, S4: where there is nothing to find, the whole pipeline finds nothing.

S1's uniform permutation p waits for the permutation test itself.
"""

from statistics import mean, stdev

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate.study_metrics import evaluate_study
from nociomics.models.response import out_of_fold
from nociomics.models.settings import BlockSettings, ResponseSettings, SplitSettings
from nociomics.models.study_splits import study_splits
from nociomics.models.value_model import Training
from nociomics.tables.study import ResponseRule, Target
from tests.models.small_study import catalogue_of, numeric_study

PEOPLE, GENES, EVENTS, SEEDS = 300, 1000, 0.45, 20
BINARY = Target(kind="binary", outcome="responded")
CONTINUOUS = Target(kind="continuous", outcome="pain_week12", response=ResponseRule(at_most=0))
SETTINGS = ResponseSettings(refits_in_folds=1, trees=5)
FOLDS = SplitSettings(outer_folds=5, inner_folds=2, repeats=1)


def noise_features(rng: np.random.Generator, people: int, genes: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    names = [f"gene_{number:04d}" for number in range(genes)]
    values = rng.normal(8, 1, size=(people, genes))
    columns = {name: values[:, place] for place, name in enumerate(names)}
    ids = [f"P{number:04d}" for number in range(people)]
    entries = [(name, "expression", name, "log2", "numeric", None, None, None) for name in names]
    return pl.DataFrame({"patient_id": ids, **columns}), catalogue_of(entries)


def noise_rows(rng: np.random.Generator, ids: list[str], events: float) -> pl.DataFrame:
    """Exactly this share of events, dealt to anybody; the value behind them is at most 0 where there is one."""
    event = rng.permutation(len(ids)) < round(events * len(ids))
    value = np.where(event, -1.0, 1.0) * np.abs(rng.normal(size=len(ids)))
    texts = {"treatment": None, "assignment": None, "group": None}
    numbers = {"baseline": None, "adverse_event": None}
    return pl.DataFrame({"patient_id": ids, "responded": event.astype(float), "value": value}).with_columns(
        *[pl.lit(none, dtype=pl.String).alias(name) for name, none in texts.items()],
        *[pl.lit(none, dtype=pl.Float64).alias(name) for name, none in numbers.items()],
        label=pl.col("responded").cast(pl.Int64).cast(pl.String),
    )


def headline(features: pl.DataFrame, catalogue: pl.DataFrame, rows: pl.DataFrame, target: Target, **tables) -> float:
    """Folds, predictions out of fold and evaluation of one study: its headline AUROC."""
    value = pl.col("responded" if target.kind == "binary" else "value")
    rows = rows.with_columns(outcome=value, response_value=value)
    settings = tables.get("folds", FOLDS)
    splits, _ = study_splits(rows, features, catalogue, tables.get("dosages"), settings, seed=1)
    study = Training(features, catalogue, rows, np.zeros(rows.height, dtype=int))
    predicted = out_of_fold(study, splits, target, BlockSettings(), SETTINGS, seed=1)
    found = evaluate_study(predicted, rows, target, splits=splits, resamples=10)
    assert found.gate["headline"] == "auroc"
    return found.metrics["auroc"]["value"]


def noise_auroc(seed: int, target: Target) -> float:
    rng = np.random.default_rng(seed)
    features, catalogue = noise_features(rng, PEOPLE, GENES)
    return headline(features, catalogue, noise_rows(rng, features["patient_id"].to_list(), EVENTS), target)


@pytest.mark.parametrize("target", [BINARY, CONTINUOUS], ids=["classes", "values"])
def test_pure_noise_is_predicted_as_badly_as_it_must_be(target):
    found = [noise_auroc(seed, target) for seed in range(SEEDS)]
    assert mean(found) == pytest.approx(0.5, abs=0.03)
    assert 0.03 <= stdev(found) <= 0.055
    assert max(abs(one - 0.5) for one in found) <= 0.15


def test_genes_chosen_on_everybody_make_noise_look_predictable():
    """The bounds above can fail: this is the leak that they are there for."""
    rng = np.random.default_rng(1)
    features, catalogue = noise_features(rng, PEOPLE, GENES)
    rows = noise_rows(rng, features["patient_id"].to_list(), EVENTS)
    event = rows["responded"].to_numpy() == 1
    values = features.drop("patient_id").to_numpy()
    strength = np.abs(values[event].mean(axis=0) - values[~event].mean(axis=0))
    best = [features.columns[1:][place] for place in np.argsort(-strength)[:20]]
    chosen = catalogue.filter(pl.col("feature").is_in(best))
    assert headline(features, chosen, rows, BINARY) > 0.5 + 0.15


def twice_enrolled(seed: int, people: int = 240, again: int = 60) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Noise in which a fifth of the rows are second assays of other rows' people, with these people's outcome."""
    rng = np.random.default_rng(seed)
    features, catalogue = noise_features(rng, people, 120)
    rows = noise_rows(rng, features["patient_id"].to_list(), EVENTS)
    names = pl.Series("patient_id", [f"A{number:03d}" for number in range(again)])
    genes = features.columns[1:]
    noisy = features[:again].select(genes).to_numpy() + rng.normal(scale=0.1, size=(again, len(genes)))
    second = pl.DataFrame({"patient_id": names, **{gene: noisy[:, place] for place, gene in enumerate(genes)}})
    return pl.concat([features, second]), catalogue, pl.concat([rows, rows[:again].with_columns(names)])


def test_second_enrolments_do_not_help_to_predict_noise():
    apart = FOLDS.model_copy(update={"expression_correlation": 1.0})
    cohorts = [twice_enrolled(seed) for seed in range(8)]
    grouped = [headline(*cohort, BINARY) for cohort in cohorts]
    parted = [headline(*cohort, BINARY, folds=apart) for cohort in cohorts[:4]]
    assert mean(grouped) == pytest.approx(0.5, abs=0.04)
    assert mean(parted) > mean(grouped) + 0.05


def same_gain_for_everybody(seed: int, people: int = 200) -> dict:
    """Two arms of which one helps everybody by half a point more; how well people do depends on the first score."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(people, 5))
    features, catalogue = numeric_study({f"score_{place}": scores[:, place] for place in range(5)})
    arm = rng.integers(0, 2, people)
    baseline = rng.uniform(4, 9, people)
    fall = 1.5 + scores[:, 0] + 0.5 * arm + rng.normal(size=people)
    rows = noise_rows(rng, features["patient_id"].to_list(), EVENTS).with_columns(
        baseline=pl.Series(baseline),
        outcome=pl.Series(baseline - fall),
        response_value=pl.Series(fall),
        responded=pl.Series((fall >= 0.3 * baseline).astype(float)),
        label=pl.lit(None, dtype=pl.String),
        treatment=pl.Series(np.where(arm == 1, "snri", "cbt")),
        assignment=pl.lit("randomised"),
    )
    target = Target(
        kind="change", outcome="end", baseline="pain", treatment="arm", response=ResponseRule(fall_percent=30)
    )
    splits, _ = study_splits(rows, features, catalogue, None, FOLDS, seed=1)
    study = Training(features, catalogue, rows, np.zeros(people, dtype=int))
    predicted = out_of_fold(study, splits, target, BlockSettings(), SETTINGS, seed=1)
    return evaluate_study(predicted, rows, target, splits=splits, resamples=50).gate


def test_no_personal_treatment_is_named_where_everybody_gains_alike():
    gates = [same_gain_for_everybody(seed) for seed in range(8)]
    assert sum(gate["individual_recommendations"] for gate in gates) <= 1
    assert all(gate["individual_explanations"] for gate in gates)
    assert [gate["best_fixed"] for gate in gates].count("snri") >= 7
