"""One face for the response models: fit, predict, and predict out of fold."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nociomics.errors import StudyError
from nociomics.models.class_model import ClassModel
from nociomics.models.feature_blocks import Encoded
from nociomics.models.fitness import FEWEST_OF_ARM_TO_LEARN, FEWEST_TO_LEARN
from nociomics.models.settings import BlockSettings, ResponseSettings
from nociomics.models.value_model import Training, ValueModel
from nociomics.tables.part import WHOLE, Part
from nociomics.tables.study import Target

ResponseModel = ValueModel | ClassModel

_LOG = logging.getLogger(__name__)

VARIANTS = {
    "full": "every feature and the treatment",
    "treatment_only": "the treatment and nothing else",
    "without_treatment": "every feature, treatment unknown",
    "clinical_only": "clinical data and questionnaires, and the treatment",
}
WITHOUT = "without_"
_BEDSIDE = ("clinical", "questionnaires")


@dataclass(frozen=True)
class Predicted:
    """Predictions of some people under every treatment.

    Attributes
    ----------
    arms : list of str or None
        Treatments, in the order of the second axis.
    expected : ndarray of shape (n_people, n_arms)
        Points, units, or the probability of 1; NaN for more than two classes.
    refit_expected : ndarray of shape (n_refits, n_people, n_arms)
        The same, per bootstrap refit.
    p_response : ndarray of shape (n_people, n_arms), or None
        Probability of the study's response; None when the study names none.
    classes : list of str
        Class names; empty unless the target is multiclass.
    p_class : ndarray of shape (n_people, n_arms, n_classes), or None
        Class probabilities of a multiclass target.
    """

    arms: list[str | None]
    expected: np.ndarray
    refit_expected: np.ndarray
    p_response: np.ndarray | None
    classes: list[str]
    p_class: np.ndarray | None


@dataclass(frozen=True)
class HeldOut:
    """The people of one fold, with the model that never saw them.

    Attributes
    ----------
    repeat : int
        Which.
    model : ValueModel or ClassModel
        Fitted to the other folds.
    part : Training
        Whom it was fitted to, in the order of their content.
    people : list of str
        Those held out.
    encoded : Encoded
        Their model columns.
    predicted : Predicted
        For them.
    """

    repeat: int
    model: ResponseModel
    part: Training
    people: list[str]
    encoded: Encoded
    predicted: Predicted


def fit_response(
    training: Training, target: Target, blocks: BlockSettings, settings: ResponseSettings, refits: int, seed: int
) -> ResponseModel:
    """Fit the response model of a study.

    People are put into an order that depends only on their content, so that neither the order of the
    tables nor the ids change the model.

    Raises
    ------
    StudyError
        When too few people have an outcome to fit anything.
    """
    return _fit_ordered(training.in_content_order(), target, blocks, settings, refits, seed)


def _fit_ordered(
    training: Training, target: Target, blocks: BlockSettings, settings: ResponseSettings, refits: int, seed: int
) -> ResponseModel:
    """Fit to people who stand in the order of their content: some of them in that order stand so too."""
    _require_enough(training.rows, target)
    make = ClassModel if target.kind in ("binary", "multiclass") else ValueModel
    return make(target, blocks, settings, refits, seed).fit(training)


def predict_response(model: ResponseModel, features: pl.DataFrame, baseline: np.ndarray) -> Predicted:
    """Predict people under every treatment the model knows.

    Parameters
    ----------
    model : ValueModel or ClassModel
        Fitted.
    features : DataFrame, one row per person
        Columns that the model does not know are ignored; columns that it lacks count as not measured.
    baseline : ndarray of shape (n_people,)
        Baseline of the outcome in points, NaN where unknown; used by a response rule only.
    """
    return predict_encoded(model, model.encode(features), baseline)


def predict_encoded(model: ResponseModel, encoded: Encoded, baseline: np.ndarray) -> Predicted:
    """Predict people whose columns are encoded already; see `predict_response`."""
    if isinstance(model, ClassModel):
        return _predict_classes(model, model.probabilities(encoded), model.refit_probabilities(encoded))
    refits, expected = model.refit_expected(encoded), model.expected(encoded)
    return Predicted(model.arms_, expected, refits, model.response_probability(expected, baseline), [], None)


def _predict_classes(model: ClassModel, probability: np.ndarray, refits: np.ndarray) -> Predicted:
    if model.target.kind == "binary":
        return Predicted(model.arms_, probability[:, :, 1], refits[..., 1], probability[:, :, 1], [], None)
    unknown = np.full(probability.shape[:2], np.nan)
    return Predicted(model.arms_, unknown, refits[..., 0] * np.nan, None, model.classes_, probability)


def load_response(stored: dict[str, Any], folder: Path) -> ResponseModel:
    """Rebuild a model from its stored parameters and the folder with its forests."""
    if stored["kind"] == ClassModel.kind:
        return ClassModel.load(stored, folder)
    return ValueModel.load(stored, folder)


def out_of_fold(
    training: Training,
    splits: pl.DataFrame,
    target: Target,
    blocks: BlockSettings,
    settings: ResponseSettings,
    seed: int,
    variant: str = "full",
    *,
    skip_unlearnable: bool = False,
    share: float = 1.0,
    seen: Callable[[HeldOut], None] | None = None,
    part: Part = WHOLE,
) -> pl.DataFrame:
    """Predict everybody under every treatment by models that never saw that person.

    Parameters
    ----------
    training : Training
        The whole study; its ``inner_fold`` is not used, the splits table is.
    splits : DataFrame, one row per person and repeat
        As in `tables.results.SPLITS`.
    variant : str
        A key of `VARIANTS`, or ``without_<modality>``: the full model, or a simpler one it is compared with.
    skip_unlearnable : bool
        Leave out folds whose training part is too small (an arm given at one site only, say), instead of
        raising; their people get no row.
    share : float
        Learn from this share of each treatment's people in the training part only, for a learning curve.
    seen : callable, optional
        Is shown each fold's people and model while the model is there; models are not kept.
    part : Part
        Which of the folds of all repeats; `gather_out_of_fold` puts parts together.

    Returns
    -------
    DataFrame, one row per person, repeat and treatment
        As in `tables.results.OUT_OF_FOLD`.

    Raises
    ------
    StudyError
        When a training part has too few people, or nobody of a class.
    """
    study, chosen = _variant(training.in_content_order(), target, variant)
    frames = []
    for repeat, fold in part.take(_outer_folds(splits.join(study.rows, on="patient_id", how="semi"))):
        folds = study.rows.select("patient_id").join(
            splits.filter(pl.col("repeat") == repeat), on="patient_id", how="left", maintain_order="left"
        )
        outer, inner = folds["outer_fold"].to_numpy(), folds["inner_fold"].to_numpy()
        places, held = np.flatnonzero(outer != fold), np.flatnonzero(outer == fold)
        learned = _taken(study, places if share == 1 else _thinned(study, places, share, seed), inner)
        try:
            _require_every_class(learned.rows, study.rows, target)
            model = _fit_ordered(learned, chosen, blocks, settings, settings.refits_in_folds, seed)
        except StudyError as error:
            if not skip_unlearnable:
                raise
            _LOG.warning("fold %d of %d people is left out: %s", fold, len(held), error)
            continue
        encoded = model.encode(study.features[held])
        predicted = predict_encoded(model, encoded, _baselines(study.rows[held]))
        if seen is not None:
            seen(HeldOut(repeat, model, learned, study.rows["patient_id"][held].to_list(), encoded, predicted))
        frame = predicted_frame(study.rows["patient_id"][held], predicted)
        if variant == "treatment_only" and target.kind == "change":
            frame = _response_shares(frame, learned.rows)
        frames.append(frame.with_columns(repeat=pl.lit(repeat, pl.Int64), outer_fold=pl.lit(fold, pl.Int64)))
    if not frames:
        return _no_predictions()
    ordered = pl.concat(frames).sort("patient_id", "repeat", "treatment")
    if variant == "without_treatment" and target.treatment is not None:
        ordered = _for_every_arm(ordered, training.rows)
    first = ["patient_id", "repeat", "outer_fold", "treatment", "expected", "p_response"]
    return ordered.select(*first, pl.exclude(first))


def gather_out_of_fold(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Put together what `out_of_fold` gave of each part of the folds; the same as of all folds at once."""
    frames = [frame for frame in parts if frame.height]
    return pl.concat(frames).sort("patient_id", "repeat", "treatment") if frames else parts[0]


def _outer_folds(splits: pl.DataFrame) -> list[tuple[int, int]]:
    """Every repeat and fold in order: the pieces of work that do not know of each other."""
    return list(splits.select("repeat", "outer_fold").unique().sort("repeat", "outer_fold").iter_rows())


def _no_predictions() -> pl.DataFrame:
    text, number, whole = pl.String, pl.Float64, pl.Int64
    first = {"patient_id": text, "repeat": whole, "outer_fold": whole, "treatment": text}
    return pl.DataFrame(schema={**first, "expected": number, "p_response": number})


def predicted_frame(patients: pl.Series, predicted: Predicted) -> pl.DataFrame:
    """Lay predictions out as one row per person and treatment: ``expected``, ``p_response``, ``p_<class>``."""
    frames = []
    for place, arm in enumerate(predicted.arms):
        columns = {
            "patient_id": patients,
            "treatment": pl.Series([arm] * len(patients), dtype=pl.String),
            "expected": _nullable(predicted.expected[:, place]),
            "p_response": _nullable(
                predicted.p_response[:, place] if predicted.p_response is not None else np.full(len(patients), np.nan)
            ),
        }
        if predicted.p_class is not None:
            for index, name in enumerate(predicted.classes):
                columns[f"p_{name}"] = _nullable(predicted.p_class[:, place, index])
        frames.append(pl.DataFrame(columns))
    return pl.concat(frames)


def _nullable(values: np.ndarray) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)


def _variant(training: Training, target: Target, variant: str) -> tuple[Training, Target]:
    catalogue = training.catalogue
    if variant == "treatment_only":
        catalogue = catalogue.clear()
    elif variant == "clinical_only":
        catalogue = catalogue.filter(pl.col("modality").is_in(_BEDSIDE))
    elif variant == "without_treatment":
        target = target.model_copy(update={"treatment": None})
    elif variant.startswith(WITHOUT):
        catalogue = catalogue.filter(pl.col("modality") != variant.removeprefix(WITHOUT))
    # a thousand genes that the variant leaves out need not be cut into folds
    read = {"patient_id", *catalogue["feature"], *catalogue["within"].drop_nulls()}
    features = training.features.select(name for name in training.features.columns if name in read)
    return Training(features, catalogue, training.rows, training.inner_fold), target


def _thinned(study: Training, places: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Keep a share of some people, treatment by treatment; they stand in the order of their content, which decides."""
    rng = np.random.default_rng(seed)
    arm = study.rows["treatment"].fill_null("").to_numpy()[places]
    kept = []
    for name in np.unique(arm):
        inside = rng.permutation(places[arm == name])
        kept.append(inside[: max(1, round(share * len(inside)))])
    return np.sort(np.concatenate(kept))


def _taken(study: Training, places: np.ndarray, inner: np.ndarray) -> Training:
    return Training(study.features[places], study.catalogue, study.rows[places], inner[places])


def _baselines(rows: pl.DataFrame) -> np.ndarray:
    return rows["baseline"].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _response_shares(frame: pl.DataFrame, training_rows: pl.DataFrame) -> pl.DataFrame:
    """Let the treatment alone predict its share of responders, whatever the person's baseline."""
    shares = training_rows.group_by("treatment").agg(p_response=pl.col("responded").mean())
    return frame.drop("p_response").join(shares, on="treatment", how="left", maintain_order="left", nulls_equal=True)


def _for_every_arm(frame: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    arms = rows.select(pl.col("treatment").drop_nulls().unique().sort())
    return frame.drop("treatment").join(arms, how="cross").sort("patient_id", "repeat", "treatment")


def _require_enough(rows: pl.DataFrame, target: Target) -> None:
    known = rows.filter(pl.col("label" if target.kind in ("binary", "multiclass") else "response_value").is_not_null())
    if target.treatment is not None:
        counts = known.drop_nulls("treatment").group_by("treatment").len()
        small = counts.filter(pl.col("len") < FEWEST_OF_ARM_TO_LEARN).sort("treatment")
        if counts.height == 0 or small.height:
            raise StudyError(
                f'target.outcome "{target.outcome}": {small.height or "all"} treatments have fewer than '
                f"{FEWEST_OF_ARM_TO_LEARN} people with an outcome in a training part: nothing to learn from. Merge "
                "treatments (values_map), or leave target.treatment out."
            )
    if known.height < FEWEST_TO_LEARN:
        raise StudyError(
            f'target.outcome "{target.outcome}": only {known.height} people of a training part have an outcome; '
            f"at least {FEWEST_TO_LEARN} are needed. Leave `target` out to harmonise and find strata only."
        )
    if target.kind in ("binary", "multiclass") and known["label"].n_unique() < 2:
        raise StudyError(
            f'target.outcome "{target.outcome}" has one class only in a training part: nothing to predict.'
        )


def _require_every_class(part: pl.DataFrame, everybody: pl.DataFrame, target: Target) -> None:
    """Refuse a class so rare that one fold holds everyone of it: no model of that fold could name it."""
    if target.kind != "multiclass":
        return
    lacking = set(everybody["label"].drop_nulls()) - set(part["label"].drop_nulls())
    if lacking:
        named = "1 class has" if len(lacking) == 1 else f"{len(lacking)} classes have"
        raise StudyError(
            f'target.outcome "{target.outcome}": {named} nobody with an outcome in a training part, '
            "so it could not be predicted there. Merge rare classes, or leave their people out."
        )
