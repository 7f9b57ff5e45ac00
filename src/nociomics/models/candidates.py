"""The table of candidates in config/models: which learners are tried for which study, one line each."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nociomics.errors import StudyError, did_you_mean
from nociomics.models.arm_learners import (
    ArmData,
    ArmFunction,
    Penalty,
    TreeArms,
    choose_penalty,
    fit_boosted,
    fit_forests,
    fit_linear,
)
from nociomics.models.block_arms import fit_block_arms, learn_widths
from nociomics.models.block_ridge import Widths
from nociomics.models.boosted_rounds import best_rounds
from nociomics.models.effect_learners import fit_doubly_robust_learner, fit_residual_learner
from nociomics.models.settings import ResponseSettings

_TABLE = Path("config") / "models" / "candidates.csv"
_COLUMNS = ["target", "arms", "name", "learner", "prior", "parameters", "why"]
_TARGETS = {"value": ("change", "continuous"), "class": ("binary", "multiclass")}


@dataclass(frozen=True)
class Candidate:
    """One line of the table.

    Attributes
    ----------
    target : {"value", "class"}
        Kind of outcome that it learns.
    arms : {"any", "none", "two", "several"}
        Number of treatments that it is for; ``several`` is two or more.
    name : str
        What a study calls it.
    learner : str
        A key of `LEARNERS` (values) or `CLASS_LEARNERS` (classes).
    prior : float
        What it counts beside the others before anything is seen; shares are drawn towards this.
    parameters : dict of str to float
        Its own numbers.
    why : str
        What it can do that the others cannot.
    """

    target: str
    arms: str
    name: str
    learner: str
    prior: float
    parameters: Mapping[str, float]
    why: str

    def fits(self, kind: str, arms: int) -> bool:
        """Whether it is for this kind of target and this number of treatments (1 when there are none)."""
        allowed = {"any": True, "none": arms < 2, "two": arms == 2, "several": arms >= 2}
        return kind in _TARGETS[self.target] and allowed[self.arms]


@dataclass(frozen=True)
class Tuned:
    """A candidate with the penalty, the widths or the number of rounds that it chose, if it chooses any."""

    candidate: Candidate
    penalty: Penalty | None = None
    widths: Widths | None = None
    rounds: int | None = None


Fit = Callable[[Tuned, ArmData, ResponseSettings, int, int], ArmFunction]


def _penalised(tuned: Tuned, data: ArmData, settings: ResponseSettings, trees: int, seed: int) -> ArmFunction:
    assert tuned.penalty is not None
    return fit_linear(tuned.penalty, data.columns, data.outcome, data.arm, data.arms)


def _forest(tuned: Tuned, data: ArmData, settings: ResponseSettings, trees: int, seed: int) -> ArmFunction:
    return TreeArms(fit_forests(data.values, data.outcome, data.arm, data.arms, settings, trees, seed))


def _boosted(tuned: Tuned, data: ArmData, settings: ResponseSettings, trees: int, seed: int) -> ArmFunction:
    parameters = tuned.candidate.parameters
    if tuned.rounds is not None:
        parameters = {**parameters, "rounds": tuned.rounds}
    return fit_boosted(data.values, data.outcome, data.arm, data.arms, parameters, seed)


def _block_ridge(tuned: Tuned, data: ArmData, settings: ResponseSettings, trees: int, seed: int) -> ArmFunction:
    return fit_block_arms(data, tuned.candidate.parameters, tuned.widths)


def _residual(tuned: Tuned, data: ArmData, settings: ResponseSettings, trees: int, seed: int) -> ArmFunction:
    return fit_residual_learner(data)


def _doubly_robust(tuned: Tuned, data: ArmData, settings: ResponseSettings, trees: int, seed: int) -> ArmFunction:
    return fit_doubly_robust_learner(data)


LEARNERS: dict[str, Fit] = {
    "block_ridge": _block_ridge,
    "boosted": _boosted,
    "boosted_until": _boosted,
    "dr_lasso": _doubly_robust,
    "elastic_net": _penalised,
    "forest": _forest,
    "lasso": _penalised,
    "r_lasso": _residual,
    "ridge": _penalised,
}
CLASS_LEARNERS = ("late_fusion", "plain_l2", "boosted_classes")
_WITH_PENALTY = ("ridge", "lasso", "elastic_net")


def tune(candidate: Candidate, data: ArmData) -> Tuned:
    """Choose the penalty of a candidate that has one, inside the people given."""
    if candidate.learner == "block_ridge":
        return Tuned(candidate, widths=learn_widths(data, candidate.parameters))
    if candidate.learner == "boosted_until":
        return Tuned(candidate, rounds=best_rounds(data, candidate.parameters))
    if candidate.learner not in _WITH_PENALTY:
        return Tuned(candidate)
    parts = (data.columns, data.outcome, data.arm, data.arms, data.folds)
    return Tuned(candidate, choose_penalty(candidate.learner, *parts))


def fit(tuned: Tuned, data: ArmData, settings: ResponseSettings, trees: int, seed: int) -> ArmFunction:
    """Fit a tuned candidate.

    Parameters
    ----------
    trees : int
        Trees of a forest; other learners do not look at it.
    seed : int
        Of everything drawn at random.
    """
    return LEARNERS[tuned.candidate.learner](tuned, data, settings, trees, seed)


def candidates_for(kind: str, arms: int, chosen: Sequence[str] = ()) -> list[Candidate]:
    """List the candidates of a study, in the table's order.

    Parameters
    ----------
    kind : str
        The target's kind.
    arms : int
        Number of treatments, 1 when there are none.
    chosen : sequence of str
        The study's `response.candidates`; empty takes all that fit.

    Raises
    ------
    StudyError
        When a chosen name is not in the table, or none of the chosen is for such a study.
    """
    table = read_candidates()
    names = [candidate.name for candidate in table]
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise StudyError(
            f'response.candidates: "{unknown[0]}" is not in config/models/candidates.csv'
            f"{did_you_mean(unknown[0], names)}. It lists: {', '.join(sorted(set(names)))}."
        )
    fitting = [candidate for candidate in table if candidate.fits(kind, arms)]
    kept = [candidate for candidate in fitting if not chosen or candidate.name in chosen]
    if not kept:
        raise StudyError(
            f"response.candidates: none of {', '.join(chosen)} is for a target of kind {kind} with "
            f"{arms if arms > 1 else 'no'} treatments. Those that are: {', '.join(one.name for one in fitting)}."
        )
    return kept


def for_so_many(candidates: Sequence[Candidate], people: int) -> list[Candidate]:
    """Leave out candidates that ask for more people (their parameter ``fewest``); keep all when all of them do."""
    enough = [one for one in candidates if people >= one.parameters.get("fewest", 0)]
    return enough or list(candidates)


@cache
def read_candidates(path: Path | None = None) -> tuple[Candidate, ...]:
    """Read the table; every line is checked.

    Raises
    ------
    StudyError
        Naming the line that cannot be read.
    """
    path = path or table_path()
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != _COLUMNS:
            raise StudyError(f"{path}: the columns must be {', '.join(_COLUMNS)}.")
        found = [_candidate(row, path, line) for line, row in enumerate(reader, start=2)]
    twice = {one.name for one in found if sum(one.name == other.name for other in found) > 1}
    if twice:
        raise StudyError(f'{path}: the name "{min(twice)}" stands on more than one line.')
    return tuple(found)


def table_path() -> Path:
    """Return the table of this installation: the repository's, or the one inside the package."""
    package = Path(__file__).resolve().parents[1]
    for root in (package.parents[1], package / "_workflow"):
        if (root / _TABLE).is_file():
            return root / _TABLE
    raise StudyError("This installation has no config/models/candidates.csv; install nociomics again.")


def _candidate(row: Mapping[str, str], path: Path, line: int) -> Candidate:
    allowed = {
        "target": list(_TARGETS),
        "arms": ["any", "none", "two", "several"],
        "learner": [*LEARNERS, *CLASS_LEARNERS],
    }
    for column, values in allowed.items():
        if row[column] not in values:
            raise StudyError(f'{path}, line {line}, {column}: "{row[column]}" is not one of {", ".join(values)}.')
    if (row["learner"] in CLASS_LEARNERS) != (row["target"] == "class"):
        raise StudyError(f'{path}, line {line}: learner "{row["learner"]}" is not for target "{row["target"]}".')
    try:
        prior = float(row["prior"])
        parameters = {key: float(value) for key, value in (pair.split("=") for pair in row["parameters"].split())}
    except ValueError:
        raise StudyError(
            f"{path}, line {line}: prior must be a number, and parameters name=number with a space between pairs."
        ) from None
    if not 0 < prior < float("inf"):
        raise StudyError(f"{path}, line {line}, prior: {row['prior']} is not above 0.")
    return Candidate(row["target"], row["arms"], row["name"], row["learner"], prior, parameters, row["why"])
