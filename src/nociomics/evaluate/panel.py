"""All predictions of people who got one of several treatments, as arrays, with the probability of each treatment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from nociomics.evaluate.estimate import FloatArray, IntArray
from nociomics.evaluate.policy import doubly_robust_scores
from nociomics.tables.study import Target

OVERLAP = 0.05
_FEWEST_PER_ARM = 5


@dataclass(frozen=True)
class Panel:
    """People x repeats x arms.

    Parameters
    ----------
    arms : list of str, length K
        Sorted; only arms in which at least 5 people have an outcome.
    arm : array of int, shape (n,)
        Arm received.
    y : array of float, shape (n,)
        Outcome, larger is better; NaN when not observed.
    expected : array of float, shape (repeats, n, K)
        Out-of-fold expectations, larger is better.
    fold : array of int, shape (repeats, n)
        Outer fold.
    patient_ids : list of str, length n
    repeats : list of int
    sign : int
        -1 when a smaller outcome is better and everything was turned round, else 1.
    randomised : bool
        Whether every one of them was.
    """

    arms: list[str]
    arm: IntArray
    y: FloatArray
    expected: FloatArray
    fold: IntArray
    patient_ids: list[str]
    repeats: list[int]
    sign: int
    randomised: bool

    @property
    def n(self) -> int:
        """People."""
        return int(self.arm.size)


@dataclass(frozen=True)
class Scores:
    """Doubly robust scores (repeats x n x K), who entered (of the panel), and how the propensities were found."""

    values: FloatArray
    people: IntArray
    method: str


def direction(target: Target) -> int:
    """Return 1 when a larger modelled value is better, -1 when smaller is.

    A fall (kind change) and a probability of response are better when larger. A continuous outcome is too, unless
    its response rule is ``at_most``.
    """
    low_is_good = target.kind == "continuous" and target.response is not None and target.response.at_most is not None
    return -1 if low_is_good else 1


def build_panel(out_of_fold: pl.DataFrame, target_rows: pl.DataFrame, target: Target) -> Panel | None:
    """Arrange predictions for every treatment; null when fewer than two treatments can be compared."""
    binary = target.kind == "binary"
    outcome = pl.coalesce("responded", "response_value", "outcome") if binary else pl.col("response_value")
    people = target_rows.drop_nulls("treatment").select(
        "patient_id", "treatment", "assignment", outcome.cast(pl.Float64).alias("y")
    )
    made = out_of_fold.select(
        "patient_id",
        "repeat",
        "outer_fold",
        "treatment",
        pl.col("p_response" if binary else "expected").cast(pl.Float64).alias("expected"),
    ).drop_nulls()
    observed = people.drop_nulls("y").group_by("treatment").len().filter(pl.col("len") >= _FEWEST_PER_ARM)
    arms = sorted(set(observed["treatment"]) & set(made["treatment"]))
    repeats = sorted(made["repeat"].unique().to_list())
    if len(arms) < 2:
        return None
    made = made.filter(pl.col("treatment").is_in(arms))
    whole = made.group_by("patient_id").len().filter(pl.col("len") == len(arms) * len(repeats))
    people = people.filter(pl.col("treatment").is_in(arms)).join(whole, on="patient_id", how="semi").sort("patient_id")
    if people.drop_nulls("y").height < 2:
        return None
    return _arranged(people, made, arms, repeats, direction(target))


def _arranged(people: pl.DataFrame, made: pl.DataFrame, arms: list[str], repeats: list[int], sign: int) -> Panel:
    ids = people["patient_id"].to_list()
    ordered = made.join(people.select("patient_id"), on="patient_id", how="semi").sort(
        "repeat", "patient_id", "treatment"
    )
    shape = (len(repeats), len(ids), len(arms))
    number = {arm: k for k, arm in enumerate(arms)}
    return Panel(
        arms=arms,
        arm=people["treatment"].replace_strict(number, return_dtype=pl.Int64).to_numpy(),
        y=sign * people["y"].fill_null(float("nan")).to_numpy(),
        expected=sign * ordered["expected"].to_numpy().reshape(shape),
        fold=ordered["outer_fold"].to_numpy().astype(np.int64).reshape(shape)[:, :, 0],
        patient_ids=ids,
        repeats=repeats,
        sign=sign,
        randomised=bool((people["assignment"] == "randomised").fill_null(False).all()),
    )


def panel_scores(panel: Panel, propensity: pl.DataFrame | None) -> Scores | None:
    """Score every person under every arm.

    Randomised: the propensity is the arm's share of the cohort. Observational: it must be handed in, cross-fitted;
    people with any propensity below 0.05 are left out, since nobody like them got that arm. In both cases it is
    multiplied by the arm's share of observed outcomes, so that people without an outcome enter with their expectation.

    Parameters
    ----------
    panel : Panel
    propensity : DataFrame, optional, one row per person and treatment (and ``repeat``, if it has that column)
        ``patient_id, treatment, propensity``.

    Returns
    -------
    Scores, optional
        Null when the study is observational and no propensity was handed in, or nobody lies within overlap.
    """
    arms = len(panel.arms)
    seen = np.isfinite(panel.y)
    given = np.bincount(panel.arm, minlength=arms)
    observed = np.bincount(panel.arm[seen], minlength=arms) / given
    everyone = np.arange(panel.n)
    if panel.randomised:
        shares = np.tile(given / panel.n, (len(panel.repeats), panel.n, 1))
        return _scored(panel, shares * observed, everyone, "randomised: propensity = share of each arm")
    if propensity is None:
        return None
    chances = aligned_propensities(panel, propensity)
    inside = inside_overlap(chances)
    if inside.size < 2:
        return None
    words = (
        "adjusted association: cross-fitted propensities, "
        f"{panel.n - inside.size} of {panel.n} people left out for lack of overlap, none clipped"
    )
    return _scored(panel, chances[:, inside] * observed, inside, words)


def _scored(panel: Panel, chances: FloatArray, people: IntArray, method: str) -> Scores:
    values = [
        doubly_robust_scores(panel.y[people], panel.arm[people], panel.expected[r, people], chances[r])
        for r in range(len(panel.repeats))
    ]
    return Scores(np.stack(values), people, method)


def inside_overlap(chances: FloatArray) -> IntArray:
    """Return the people with a propensity of at least 0.05 for every arm in every repeat."""
    return np.flatnonzero((np.nan_to_num(chances, nan=0.0) >= OVERLAP).all(axis=(0, 2)))


def aligned_propensities(panel: Panel, propensity: pl.DataFrame) -> FloatArray:
    """Bring propensities into the panel's order (repeats x n x K); NaN where there is none."""
    keys = pl.DataFrame({"patient_id": panel.patient_ids}).join(pl.DataFrame({"treatment": panel.arms}), how="cross")
    layers = []
    for repeat in panel.repeats:
        rows = propensity
        if "repeat" in propensity.columns:
            rows = propensity.filter(pl.col("repeat") == repeat)
        found = keys.join(rows, on=["patient_id", "treatment"], how="left", maintain_order="left")
        layers.append(found["propensity"].cast(pl.Float64).fill_null(float("nan")).to_numpy())
    return np.stack(layers).reshape(len(panel.repeats), panel.n, len(panel.arms))
