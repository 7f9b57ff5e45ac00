"""The best prediction that the measurements of an invented cohort allow, with every constant of the world known.

Drivers, module activities, baseline noise and answering style are Gaussian within a pain type, and every measurement
is close to linear in them: the posterior is a mixture of Gaussians in closed form. Rounding adds 1/12 to an item's
variance, yes and no are taken at the likeliest value of their count, clipped items as they are, and genotypes as known
for everybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import norm

from nociomics.simulate.biomarkers import draw_log_levels, draw_plates
from nociomics.simulate.endotypes import _WITHIN, Latents
from nociomics.simulate.expression import _RHO, draw_batches, draw_counts, draw_genes
from nociomics.simulate.genotypes import read_facts
from nociomics.simulate.mechanisms import FOUR_TYPES, Settings
from nociomics.simulate.questionnaires import draw_items
from nociomics.simulate.randomness import Bools, Floats, Ints, softmax
from nociomics.simulate.treatment import draw_course, expected_effects
from nociomics.simulate.truth import Truth, draw_truth

# uI uN uP, own parts of INF NEU HPA, IFN CELL1 CELL2, baseline noise, style
_SIZE, _NOISE, _STYLE = 11, 9, 10
_DRAWS = 60


@dataclass(frozen=True)
class Oracle:
    """What is best said of each person: chance of response per arm, and the likeliest type.

    ``complete`` marks the people of whom every block was measured.
    """

    p_response: Floats
    kind: Ints
    arm: Ints
    response: Floats
    true_kind: Ints
    complete: Bools


def observable_oracle(settings: Settings) -> Oracle:
    """Compute the oracle of a cohort of the four pain types."""
    truth = draw_truth(settings)
    items = draw_items(settings, truth.latents)
    levels = draw_log_levels(settings, truth.people, truth.visits, truth.latents)
    precision = np.zeros((settings.patients, _SIZE, _SIZE))
    information = np.zeros((settings.patients, _SIZE))
    for add in (_add_items(truth, items), _add_analytes(settings, truth, levels), _add_genes(settings, truth)):
        precision += add[0]
        information += add[1]
    chance, kind = _averaged(settings, truth, precision, information)
    log_crp = levels[:, read_facts("analytes")["analyte"].to_list().index("CRP")]
    course = draw_course(settings, truth.people, truth.genotypes, truth.latents, truth.effects, items, log_crp)
    complete = truth.visits.measured.all(axis=1)
    return Oracle(chance, kind, course.arm, course.response.astype(float), truth.latents.kind, complete)


def _pain_base(truth: Truth) -> Floats:
    return 5.6 + 0.25 * (truth.genotypes.copies("rs4680") - 1) + 0.2 * truth.people.female


def _direction(**parts: float) -> Floats:
    names = ["i", "n", "p", "inf", "neu", "hpa", "ifn", "cell1", "cell2", "noise", "style"]
    return np.array([parts.get(name, 0.0) for name in names])


def _gaussian(direction: Floats, values: Floats, variance: float) -> tuple[Floats, Floats]:
    """Information of answers (people, items) that all measure one direction, after their known part."""
    count = values.shape[1]
    one = np.outer(direction, direction) * count / variance
    return np.repeat(one[None], len(values), axis=0), values.sum(axis=1)[:, None] * direction / variance


def _add_items(truth: Truth, items: dict[str, Ints]) -> tuple[Floats, Floats]:
    base = _pain_base(truth)[:, None]
    pain = _direction(i=0.35, n=0.45, p=0.55, noise=1.5)
    parts = [
        _gaussian(pain, items["bpi_sev"] - base - np.array([1.6, -1.6, 0, 0]), 0.81 + 1 / 12),
        _gaussian(0.9 * pain + _direction(p=0.6, style=0.4), items["bpi_int"] - 0.7 - 0.9 * base, 1.6**2 + 1 / 12),
        _gaussian(_direction(n=0.15, p=0.85, style=0.45), items["pcs"] - 1.78, 0.95**2 + 1 / 12),
        _gaussian(_direction(i=0.10, n=0.05, p=0.48, style=0.30), items["bdi"] - 0.55, 0.75**2 + 1 / 12),
        _yes_no(_direction(n=0.80, style=0.10), -0.35, items["dn4"]),
    ]
    return sum(part[0] for part in parts), sum(part[1] for part in parts)


def _yes_no(direction: Floats, known: float, answers: Ints) -> tuple[Floats, Floats]:
    """Information of answers that are yes when direction + known + N(0,1) > 0, at their count's likeliest value."""
    share = (answers.sum(axis=1) + 0.5) / (answers.shape[1] + 1)
    likeliest = norm.ppf(share)
    weight = answers.shape[1] * norm.pdf(likeliest) ** 2 / (share * (1 - share))
    one = np.outer(direction, direction)
    return weight[:, None, None] * one, (weight * (likeliest - known))[:, None] * direction


def _add_analytes(settings: Settings, truth: Truth, levels: Floats) -> tuple[Floats, Floats]:
    facts = read_facts("analytes")
    plate, shifts = draw_plates(settings, truth.visits)
    loads = facts.select("load_inflammatory", "load_neuropathic", "load_psychosocial").cast(pl.Float64).to_numpy()
    known = np.column_stack([truth.people.bmi_z, truth.visits.hour - 8]) @ (
        facts.select("load_bmi", "load_hour").cast(pl.Float64).to_numpy().T
    )
    rest = levels - np.log(facts["median"].to_numpy()) - known - shifts[plate]
    seen = truth.visits.measured[:, 2][:, None] & (np.exp(levels) >= facts["lod"].to_numpy())
    weight = seen / facts["sd"].to_numpy() ** 2
    directions = np.hstack([loads, np.zeros((len(loads), _SIZE - 3))])
    precision = np.einsum("na,ai,aj->nij", weight, directions, directions)
    return precision, (weight * np.where(seen, rest, 0)) @ directions


def _add_genes(settings: Settings, truth: Truth) -> tuple[Floats, Floats]:
    genes = draw_genes(settings.world)
    batch = draw_batches(settings, truth.visits, truth.person)
    counts = draw_counts(settings, truth.latents, batch, truth.person)
    log = np.log2((counts + 0.5) / (counts.sum(axis=1, keepdims=True) + 1) * 1e6)
    follows = np.zeros((6, _SIZE))
    follows[:3, :3], follows[:3, 3:6] = np.diag(_RHO), np.diag(np.sqrt(1 - _RHO**2))
    follows[3:, 6:9] = np.eye(3)
    shares = np.array([0.270, 0.275, 0.265, 0.189]) / 0.999
    mean = np.zeros(_SIZE)
    mean[:3] = shares @ np.array([kind.centre for kind in FOUR_TYPES])
    precision = np.zeros((settings.patients, _SIZE, _SIZE))
    information = np.zeros((settings.patients, _SIZE))
    for number in np.unique(batch):
        rows = (batch == number) & truth.visits.measured[:, 1]
        spread = genes.scale[number] * genes.sd
        directions = spread[:, None] * (genes.loadings @ follows)
        counting = (0.05 + 1 / np.maximum(counts[rows].mean(axis=0), 1)) / np.log(2) ** 2
        weight = 1 / ((spread * genes.noise) ** 2 + counting)
        centred = log[rows] - log[rows].mean(axis=0)
        precision[rows] = directions.T @ (directions * weight[:, None])
        information[rows] = (centred + directions @ mean) @ (directions * weight[:, None])
    return precision, information


def _averaged(settings: Settings, truth: Truth, precision: Floats, information: Floats) -> tuple[Floats, Ints]:
    prior = np.eye(_SIZE)
    prior[:3, :3] = np.linalg.inv(_WITHIN)
    posterior = np.linalg.inv(precision + prior)
    centres = np.zeros((len(FOUR_TYPES), _SIZE))
    centres[:, :3] = [kind.centre for kind in FOUR_TYPES]
    pulled = information[:, None, :] + (centres @ prior)[None]
    means = np.einsum("nij,nkj->nki", posterior, pulled)
    log_weight = 0.5 * np.einsum("nki,nki->nk", pulled, means) - 0.5 * np.einsum("ki,ij,kj->k", centres, prior, centres)
    tilt = np.column_stack(
        [
            truth.genotypes.copies("rs6746030"),
            truth.genotypes.copies("rs4680") - 1,
            truth.people.female,
            truth.people.bmi_z,
        ]
    )
    log_prior = np.log([kind.share for kind in FOUR_TYPES]) + tilt @ np.array([k.log_odds for k in FOUR_TYPES]).T
    weights = softmax(log_weight + log_prior)
    rng = np.random.default_rng(17)
    root = np.linalg.cholesky(posterior)
    people = np.arange(settings.patients)
    total = 0.0
    for _ in range(_DRAWS):
        kind = (rng.random((settings.patients, 1)) > weights.cumsum(axis=1)).sum(axis=1).clip(0, 3)
        v = means[people, kind] + np.einsum("nij,nj->ni", root, rng.standard_normal((settings.patients, _SIZE)))
        pain = _pain_base(truth) + v[:, :3] @ np.array([0.35, 0.45, 0.55]) + 1.5 * v[:, _NOISE]
        latents = Latents(kind, v[:, :3], pain, v[:, _STYLE])
        args = (truth.world, truth.people, truth.visits.site, truth.genotypes, latents)
        total = total + expected_effects(settings, *args).p_response
    return np.asarray(total / _DRAWS), weights.argmax(axis=1)
