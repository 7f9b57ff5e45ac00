"""S2: where the outcome goes with the batch and with nothing else, the run says so and finds nothing within batches."""

from statistics import mean

import numpy as np
import polars as pl
import pytest

from nociomics.evaluate.confounding import batch_labels
from nociomics.evaluate.study_metrics import Evaluation, evaluate_study
from nociomics.models.response import out_of_fold
from nociomics.models.settings import BlockSettings, ResponseSettings, SplitSettings
from nociomics.models.study_splits import study_splits
from nociomics.models.value_model import Training
from nociomics.tables.study import Target
from tests.models.small_study import catalogue_of

PEOPLE, GENES, SEEDS = 300, 60, 12
PREVALENCE = {"b1": 0.2, "b2": 0.45, "b3": 0.7}
FOLDS = SplitSettings(outer_folds=5, inner_folds=2, repeats=1)


def confounded_study(seed: int, *, within: bool, groups: bool) -> tuple[Training, pl.DataFrame, Target]:
    """Genes of noise that are shifted in three batches; how many have the event differs between the batches alone."""
    rng = np.random.default_rng(seed)
    batch = rng.choice(list(PREVALENCE), PEOPLE)
    event = rng.random(PEOPLE) < np.array([PREVALENCE[one] for one in batch])
    shift = {one: rng.normal(size=GENES) for one in PREVALENCE}
    values = rng.normal(size=(PEOPLE, GENES)) + np.array([shift[one] for one in batch])
    names = [f"gene_{place:02d}" for place in range(GENES)]
    features = pl.DataFrame({"patient_id": [f"P{place:03d}" for place in range(PEOPLE)]}).with_columns(
        *[pl.Series(name, values[:, place]) for place, name in enumerate(names)], run=pl.Series(batch)
    )
    kept = "run" if within else None
    entries = [(name, "expression", name, "log2", "numeric", kept, None, None) for name in names]
    entries += [("run", "expression", "run", "category", "category", None, None, None)] if within else []
    text, number = pl.lit(None, dtype=pl.String), pl.lit(None, dtype=pl.Float64)
    rows = features.select("patient_id").with_columns(
        treatment=text, assignment=text, baseline=number, adverse_event=number,
        group=pl.Series(batch) if groups else text,
        outcome=pl.Series(event.astype(float)),
        response_value=pl.Series(event.astype(float)),
        responded=pl.Series(event.astype(float)),
        label=pl.Series(event.astype(int).astype(str)),
    )  # fmt: skip
    catalogue = catalogue_of(entries)
    splits, _ = study_splits(rows, features, catalogue, None, FOLDS, seed=1)
    target = Target(kind="binary", outcome="responded", groups="hospital" if groups else None)
    return Training(features, catalogue, rows, np.zeros(PEOPLE, dtype=int)), splits, target


def evaluated(seed: int, *, within: bool, groups: bool) -> Evaluation:
    study, splits, target = confounded_study(seed, within=within, groups=groups)
    predicted = out_of_fold(study, splits, target, BlockSettings(), ResponseSettings(trees=5), seed=1)
    batches = batch_labels(study.features, study.catalogue)
    return evaluate_study(predicted, study.rows, target, splits=splits, resamples=10, batches=batches)


@pytest.mark.parametrize("kind", ["batch corrected", "batch left in"])
def test_a_batch_that_goes_with_the_outcome_is_named_and_nothing_is_found_within_it(kind):
    corrected = kind == "batch corrected"
    found = [evaluated(seed, within=corrected, groups=not corrected) for seed in range(SEEDS)]
    assert all(one.gate["confounded"] for one in found)
    assert all(any(reason.startswith("Confounded") for reason in one.gate["reasons"]) for one in found)
    assert mean(one.metrics["auroc"]["value"] for one in found) == pytest.approx(0.5, abs=0.03)
    assert all("within batches" in one.metrics["auroc"]["method"] for one in found)
    if not corrected:  # without regard to batches it looks like a finding
        assert mean(one.metrics["auroc_across_batches"]["value"] for one in found) > 0.65


def test_batches_by_lot_are_not_called_confounded():
    study, splits, target = confounded_study(1, within=True, groups=False)
    predicted = out_of_fold(study, splits, target, BlockSettings(), ResponseSettings(trees=5), seed=1)
    flagged = 0
    for seed in range(40):
        lots = study.features["run"].shuffle(seed)
        batches = study.features.select("patient_id").with_columns(run=lots)
        gate = evaluate_study(predicted, study.rows, target, resamples=2, batches=batches).gate
        flagged += gate["confounded"]
    assert flagged <= 3
