"""The causal worlds that can be simulated; plain data without heavy imports, so that a help page may list them."""

from __future__ import annotations

from dataclasses import dataclass

from nociomics.errors import StudyError, did_you_mean

ARMS = ("NSAID", "SNRI", "tramadol", "CBT")

MECHANISMS: dict[str, str] = {
    "endotypes": "four overlapping pain types drive symptoms, biology and who gains from which treatment",
    "continuum": "the same gains, but the drivers form one cloud without any types",
    "two_types": "two pain types instead of four, with the same rules of gain",
    "six_types": "six pain types, two of them new, with the same rules of gain",
    "no_heterogeneity": "every arm helps everyone alike: nobody has a personal best treatment",
    "half_effects": "four types with treatment effects of half the size, nearer to real trials",
    "product": "gains change sign with the product of inflammation and distress: no straight line finds them",
    "noise": "who responds is pure chance: no table and no arm tells it",
}


@dataclass(frozen=True)
class PainType:
    """One pain type: its share before covariates, its centre in (I, N, P), and what makes it likelier.

    ``log_odds`` are added per copy of SCN9A A, per copy of COMT A beyond one, for women, and per BMI z-score.
    """

    name: str
    share: float
    centre: tuple[float, float, float]
    log_odds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


_INFLAMMATORY = PainType("inflammatory", 0.28, (1.5, -0.35, -0.35), (0.0, 0.0, 0.0, 0.20))
_NEUROPATHIC = PainType("neuropathic", 0.27, (-0.35, 1.5, 0.0), (0.35, 0.20, 0.0, 0.0))
_PSYCHOSOCIAL = PainType("psychosocial", 0.25, (-0.35, 0.05, 1.5), (0.0, 0.0, 0.15, 0.0))
_MIXED = PainType("mixed", 0.20, (0.8, 0.8, 0.8))

FOUR_TYPES = (_INFLAMMATORY, _NEUROPATHIC, _PSYCHOSOCIAL, _MIXED)
TWO_TYPES = (
    PainType("peripheral", 0.48, (1.4, -0.1, -0.35), (0.0, 0.0, 0.0, 0.20)),
    PainType("central", 0.52, (-0.35, 0.95, 1.2), (0.35, 0.20, 0.15, 0.0)),
)
SIX_TYPES = (
    *(PainType(t.name, 0.8 * t.share, t.centre, t.log_odds) for t in FOUR_TYPES),
    PainType("distressed_inflammatory", 0.10, (1.6, -0.6, 1.6)),
    PainType("low_burden", 0.10, (-0.8, -0.8, -0.8)),
)

# Shares of the four types among people, covariates included; the continuum takes its moments from them.
REALISED_SHARES = (0.270, 0.275, 0.265, 0.189)

# Covariance of the drivers within a type: .36 * (.85 I + .15 J).
WITHIN_VARIANCE, WITHIN_COVARIANCE = 0.36, 0.054


def mechanism_types(mechanism: str) -> tuple[PainType, ...]:
    """Return the pain types of a mechanism; none for the continuum."""
    return {"continuum": (), "two_types": TWO_TYPES, "six_types": SIX_TYPES}.get(mechanism, FOUR_TYPES)


@dataclass(frozen=True)
class Settings:
    """What a cohort is drawn from.

    Parameters
    ----------
    patients : int
        Rows of the patients table, second enrolments included; at least 1.
    seed : int
        Fixes the patients.
    world : int
        Fixes nature and laboratory: loadings, frequencies, effects of sites and single variants, batches.
    mechanism : str
        A key of `MECHANISMS`.
    assignment : {"randomised", "observational"}
        How people came to their arm.
    effect_size : float
        Factor on what differs between people in the gain from an arm; 0 or more.
    world_effects : bool
        Whether sites and the 300 small variants move the outcome.

    Raises
    ------
    StudyError
        Lists every setting that is out of range.
    """

    patients: int
    seed: int
    world: int = 0
    mechanism: str = "endotypes"
    assignment: str = "randomised"
    effect_size: float = 1.0
    world_effects: bool = True

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise StudyError("The cohort cannot be simulated: " + "; ".join(problems) + ".")

    @property
    def heterogeneity(self) -> float:
        """Effect size after the mechanism had its say."""
        return self.effect_size * (0.5 if self.mechanism == "half_effects" else 1.0)


def _problems(settings: Settings) -> list[str]:
    found = []
    if settings.patients < 1:
        found.append(f"patients = {settings.patients}: at least 1")
    found += [
        f"{name} = {value}: a whole number from 0 on"
        for name, value in (("seed", settings.seed), ("world", settings.world))
        if value < 0
    ]
    if settings.mechanism not in MECHANISMS:
        hint = did_you_mean(settings.mechanism, MECHANISMS)
        found.append(f'mechanism "{settings.mechanism}" is unknown, choose one of {", ".join(MECHANISMS)}{hint}')
    if settings.assignment not in ("randomised", "observational"):
        found.append(f'assignment "{settings.assignment}" is unknown, choose randomised or observational')
    if not 0 <= settings.effect_size < float("inf"):
        found.append(f"effect_size = {settings.effect_size}: a finite number from 0 on")
    return found
